package merged

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/mining/mergedtest"
)

// TestOldMethod: nodes without createauxblock, and addresses without an address, use
// getauxblock for both.
func TestOldMethod(t *testing.T) {
	for name, withAddress := range map[string]bool{"missing": true, "no address": false} {
		n := mergedtest.NewNode(t, 1, easyBits)
		address := n.PlainURL()
		if withAddress {
			n.SetFaults(mergedtest.Faults{Missing: []string{"createauxblock", "submitauxblock"}})
			address = n.URL()
		}
		b := run(t, fastTiming(), address)
		w := b.work(n)
		if s := b.Status()[0]; s.Address != "" {
			t.Errorf("%s: pays %q", name, s.Address)
		}
		w.Solved(solve(t, w, easyBits))
		b.until("accepted", func() bool { return len(n.Accepted()) == 1 })
		if n.Calls("submitauxblock") != 0 {
			t.Errorf("%s: submitauxblock was called", name)
		}
	}
}

// TestBadNodes: a node that is down, hangs or talks nonsense is left out, and says
// why; the others are mined all the same. When it is sound again, so is it.
func TestBadNodes(t *testing.T) {
	other := uint32(7)
	raw := func(text string) mergedtest.Faults {
		return mergedtest.Faults{Raw: map[string]string{"createauxblock": text}}
	}
	for _, tc := range []struct {
		name   string
		faults mergedtest.Faults
		want   string
	}{
		{"hangs", mergedtest.Faults{Hang: true}, "no answer within"},
		{"out of order", mergedtest.Faults{Status: 503, Body: "busy"}, "does not answer with JSON-RPC (HTTP status 503)"},
		{"elsewhere", mergedtest.Faults{Status: 307}, "HTTP status 307"},
		{"garbage", raw("\x00\xff"), "does not answer with JSON-RPC"},
		{"truncated", raw(`{"result":{"hash":"`), "does not answer with JSON-RPC"},
		{"huge", raw(`{"result":"` + strings.Repeat("x", 5<<20) + `"}`), "more than 65536 bytes"},
		{"nested", raw(strings.Repeat("[", maxReply-1)), "does not answer with JSON-RPC"},
		{"another answer", raw(`{"result":[1],"error":null}`), "is not a block to mine"},
		{"syncing", mergedtest.Faults{Errors: map[string]mergedtest.Error{"createauxblock": {Code: -10, Message: "Namecoin is downloading blocks..."}}}, "downloading"},
		{"not for mining", mergedtest.Faults{Missing: []string{"createauxblock", "getauxblock"}}, "neither createauxblock nor getauxblock"},
		{"another chain", mergedtest.Faults{Chain: &other}, "chain's id is 7, not 1"},
		{"no target", mergedtest.Faults{Change: func(m map[string]any) { m["bits"] = "00000000" }}, "no valid target"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			good, bad := mergedtest.NewNode(t, 2, easyBits), mergedtest.NewNode(t, 1, easyBits)
			b := run(t, fastTiming(), bad.URL(), good.URL())
			b.work(bad, good)
			bad.SetFaults(tc.faults)
			w := b.work(good)
			b.until("the reason", func() bool { return strings.Contains(b.Status()[0].Error, tc.want) })
			if s := b.Status(); s[0].Healthy || !s[1].Healthy || s[0].ChainID != 1 {
				t.Errorf("%+v", s)
			}
			w.Solved(solve(t, w, easyBits))
			b.until("the other chain's block", func() bool { return len(good.Accepted()) == 1 })
			bad.SetFaults(mergedtest.Faults{})
			w = b.work(bad, good)
			w.Solved(solve(t, w, easyBits))
			b.until("its own block", func() bool { return len(bad.Accepted()) == 1 })
		})
	}
}

// TestWrongLogin: of the password nothing is repeated.
func TestWrongLogin(t *testing.T) {
	n := mergedtest.NewNode(t, 1, easyBits)
	b := run(t, fastTiming(), strings.Replace(n.URL(), mergedtest.Pass, "hunter2", 1))
	b.until("an error", func() bool { return strings.Contains(b.Status()[0].Error, "refuses user and password") })
	if s := fmt.Sprintf("%+v", b.Status()); strings.Contains(s, "hunter2") {
		t.Error(s)
	}
}

// TestLogin with a cookie file.
func TestLogin(t *testing.T) {
	n := mergedtest.NewNode(t, 1, easyBits)
	file := filepath.Join(t.TempDir(), "a b.cookie")
	u, err := url.Parse(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.User, u.RawQuery = nil, url.Values{"cookie": {file}, "address": {mergedtest.Address}, "chainid": {"1"}}.Encode()
	b := run(t, fastTiming(), u.String())
	b.until("an error", func() bool { return strings.Contains(b.Status()[0].Error, "there is no cookie file") })
	if err := os.WriteFile(file, []byte(mergedtest.User+":"+mergedtest.Pass), 0o600); err != nil {
		t.Fatal(err)
	}
	b.work(n)
}

// TestWrongChain: the id that the operator gives counts from the beginning.
func TestWrongChain(t *testing.T) {
	n := mergedtest.NewNode(t, 1, easyBits)
	b := run(t, fastTiming(), n.URL()+"&chainid=2")
	b.until("an error", func() bool { return strings.Contains(b.Status()[0].Error, "chain's id is 1, not 2") })
	if b.Current() != nil {
		t.Error("it is mined")
	}
}

// TestStandIn: of two nodes of the same chain one is mined, and the other when that
// goes down.
func TestStandIn(t *testing.T) {
	nodes := []*mergedtest.Node{mergedtest.NewNode(t, 1, easyBits), mergedtest.NewNode(t, 1, easyBits)}
	b := run(t, fastTiming(), nodes[0].URL(), nodes[1].URL())
	b.until("one in the tree", func() bool { return b.Current() != nil })
	b.until("the other not", func() bool {
		s := b.Status()
		return strings.Contains(s[0].Error+s[1].Error, "stands in")
	})
	mined := 0
	if b.Status()[1].Hash != "" {
		mined = 1
	}
	b.work(nodes[mined])
	nodes[mined].Close()
	b.work(nodes[1-mined])
}

// TestCollision: two chains that no tree has room for: one is mined.
func TestCollision(t *testing.T) {
	a, c := mergedtest.NewNode(t, 5, easyBits), mergedtest.NewNode(t, 5+1<<30, easyBits)
	b := run(t, fastTiming(), a.URL(), c.URL())
	b.until("an error", func() bool {
		s := b.Status()
		return strings.Contains(s[0].Error+s[1].Error, "have the same place in every tree")
	})
	b.until("the other", func() bool { return b.Status()[0].Healthy != b.Status()[1].Healthy })
}

// TestLostProof: a node that does not answer gets the proof again, and one that stays
// away does not keep the next from being tried.
func TestLostProof(t *testing.T) {
	tm := fastTiming()
	tm.patience = time.Hour
	n := mergedtest.NewNode(t, 1, easyBits)
	b := run(t, tm, n.URL())
	w := b.work(n)
	n.SetFaults(mergedtest.Faults{Status: 503})
	w.Solved(solve(t, w, easyBits))
	b.until("tried again", func() bool { return n.Calls("submitauxblock") >= 2 })
	n.SetFaults(mergedtest.Faults{})
	b.until("accepted", func() bool { return len(n.Accepted()) == 1 })

	w = b.work(n)
	n.SetFaults(mergedtest.Faults{Status: 503})
	w.Solved(solve(t, w, easyBits))
	before := n.Calls("submitauxblock")
	b.until("given up", func() bool { return n.Calls("submitauxblock") >= before+maxTries-1 })
	n.SetFaults(mergedtest.Faults{})
	b.until("the next one accepted", func() bool {
		w.Solved(solve(t, w, easyBits))
		return len(n.Accepted()) == 2
	})
}

// TestEndWithProofInHand: what was found before the end is submitted, but the end does
// not wait for ever.
func TestEndWithProofInHand(t *testing.T) {
	n := mergedtest.NewNode(t, 1, easyBits)
	b := run(t, fastTiming(), n.URL())
	w := b.work(n)
	w.Solved(solve(t, w, easyBits))
	b.stop()
	if len(n.Accepted()) != 1 {
		t.Error("the proof was lost")
	}

	tm := fastTiming()
	tm.call, tm.grace = time.Hour, 10*time.Millisecond
	b = run(t, tm, n.URL())
	w = b.work(n)
	n.SetFaults(mergedtest.Faults{Hang: true})
	w.Solved(solve(t, w, easyBits))
	b.until("it is on its way", func() bool { return n.Calls("submitauxblock") == 2 })
	b.stop()
}

// TestSolvedDoesNotWait: whatever the nodes do, miners are not held up.
func TestSolvedDoesNotWait(t *testing.T) {
	n := mergedtest.NewNode(t, 1, easyBits)
	tm := fastTiming()
	tm.call = time.Hour
	b := run(t, tm, n.URL())
	w := b.work(n)
	n.SetFaults(mergedtest.Faults{Hang: true})
	s := solve(t, w, easyBits)
	start := time.Now()
	for range 1000 {
		w.Solved(s)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("1000 solutions took %v", d)
	}
	n.Close()
}
