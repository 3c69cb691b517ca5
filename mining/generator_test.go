package mining

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

func TestNewGeneratorRefusesLongTag(t *testing.T) {
	if _, err := NewGenerator(Config{Tag: make([]byte, share.MaxTag+1)}); err == nil {
		t.Error("a tag that no share can have was taken")
	}
}

// expect checks that there is work, or none for a reason that contains text.
func (f *fixture) expect(text string) {
	f.Helper()
	switch w, reason := f.Work(), f.Reason(); {
	case text == "" && (w == nil || reason != ""):
		f.Fatalf("no work: %q", reason)
	case text != "" && (w != nil || !strings.Contains(reason, text)):
		f.Fatalf("work %v, reason %q, want %q", w != nil, reason, text)
	}
}

// TestReasons follows a node through everything that can keep it from working.
func TestReasons(t *testing.T) {
	f := newFixture(t)
	f.expect("waiting for the first template")
	f.SetNodeHealth("the node is down")
	f.expect("the node is down")
	f.SetNodeHealth("")
	f.expect("waiting for the first template")
	f.Hold("catching up")
	f.expect("catching up")

	f.SetTemplate(f.template(1))
	f.expect("catching up")
	f.Hold("")
	f.expect("")
	f.Hold("no disk space")
	f.expect("no disk space")
	f.Hold("")
	f.expect("")

	// Without the node, work goes on until the template is too old.
	f.SetNodeHealth("connection refused")
	f.expect("")
	f.clock.advance(maxTemplateAge)
	f.Tick()
	f.expect("")
	f.clock.advance(time.Second)
	f.expect("") // nothing happens by itself
	f.Tick()
	f.expect("connection refused")
	f.SetNodeHealth("")
	f.expect("no template from the Bitcoin node since")
	f.SetTemplate(f.template(1))
	f.expect("")

	// A template clears what was the matter with the node.
	f.SetNodeHealth("timeout")
	f.SetTemplate(f.template(1))
	f.clock.advance(maxTemplateAge + time.Second)
	f.Tick()
	f.expect("no template from the Bitcoin node since")

	f.SetTemplate(f.template(1))
	f.expect("")
	bad := f.template(1)
	bad.Bits = 0
	f.SetTemplate(bad)
	f.expect("template bits")
}

// TestNodeBehindTheTip: on a block older than the tip's no share is valid.
func TestNodeBehindTheTip(t *testing.T) {
	f := newFixture(t)
	tip := *f.chain.tip
	tip.Empty, tip.ID, tip.NextHeight, tip.BitcoinHeight = false, chainhash.Hash{7}, 1, 100
	f.chain.set(func(c *fakeChain) { c.tip = &tip })
	f.SetTemplate(f.template(0)) // of height 100, on block 99
	f.expect("the Bitcoin node is behind")
	next := f.template(0)
	next.Height = 101
	f.SetTemplate(next)
	f.expect("")
}

// TestNewWork: a new tip or template makes new work that says so.
func TestNewWork(t *testing.T) {
	f := newFixture(t)
	first := f.template(5)
	f.SetTemplate(first)
	w1 := f.Work()
	if w1.Template() != first || !w1.Tip().Empty || f.Template() != first {
		t.Fatalf("work on template %p, tip %+v", w1.Template(), w1.Tip())
	}

	tip := *f.chain.tip
	tip.Empty, tip.ID, tip.NextHeight = false, chainhash.Hash{1}, 1
	tip.Uncles, tip.MinTime = []chainhash.Hash{{9}}, 1_800_000_000
	f.chain.set(func(c *fakeChain) { c.tip = &tip })
	f.ChainChanged()
	w2 := f.Work()
	if w2 == w1 || w2.data.Previous != tip.ID || w2.data.Height != 1 || len(w2.data.Uncles) != 1 {
		t.Fatalf("work after a new tip: %+v", w2.data)
	}
	if w2.data.Time != tip.MinTime {
		t.Errorf("share time %d below the least allowed, %d", w2.data.Time, tip.MinTime)
	}
	if w2.trims != w1.trims {
		t.Error("the merkle branch was worked out again for the same template")
	}

	second := f.template(6)
	f.SetTemplate(second)
	w3 := f.Work()
	if w3 == w2 || w3.Template() != second || w3.data.Previous != tip.ID || w3.data.CoinbaseValue != second.CoinbaseValue {
		t.Fatalf("work after a new template: %+v", w3.data)
	}
	if w1.Template() != first || w1.data.Height != 0 {
		t.Error("old work has changed")
	}
}

// TestSubscribe: every change is signalled once or together with others, what
// changes nothing is not, and a subscriber that does not listen holds up nobody.
func TestSubscribe(t *testing.T) {
	f := newFixture(t)
	changed, cancel := f.Subscribe()
	_, cancelDeaf := f.Subscribe()
	defer cancelDeaf()
	expect := func(what string, want bool) {
		t.Helper()
		select {
		case <-changed:
			if !want {
				t.Errorf("%s: signalled", what)
			}
		default:
			if want {
				t.Errorf("%s: not signalled", what)
			}
		}
	}
	expect("the subscription", false)
	for _, step := range []struct {
		what string
		do   func()
		want bool
	}{
		{"a reason", func() { f.SetNodeHealth("down") }, true},
		{"the same reason", func() { f.SetNodeHealth("down") }, false},
		{"a template", func() { f.SetTemplate(f.template(1)) }, true},
		{"good health as before", func() { f.SetNodeHealth("") }, false},
		{"a new tip", func() { f.ChainChanged() }, true},
		{"a hold", func() { f.Hold("wait") }, true},
		{"the same hold", func() { f.Hold("wait") }, false},
		{"the end of the hold", func() { f.Hold("") }, true},
		{"a tick", func() { f.Tick() }, false},
		{"time passing", func() { f.clock.advance(time.Hour) }, false},
		{"the tick after it", func() { f.Tick() }, true},
		{"another tick", func() { f.Tick() }, false},
		{"several changes", func() { f.SetTemplate(f.template(1)); f.ChainChanged() }, true},
	} {
		step.do()
		expect(step.what, step.want)
	}
	expect("their second one", false)
	cancel()
	cancel()
	f.ChainChanged()
	expect("a change after the end", false)
}

// TestConcurrentUse has everybody at it at once; the race detector watches.
func TestConcurrentUse(t *testing.T) {
	f := newFixture(t)
	f.chain.set(func(c *fakeChain) { c.scores = testScores(60, payee) })
	f.SetTemplate(f.template(20))
	templates := []*Template{f.template(3), f.template(20)}
	var tips []*blockchain.Tip
	for i := range 4 {
		tip := *f.chain.tip
		tip.ID, tip.Empty, tip.NextHeight = chainhash.Hash{byte(i)}, false, uint32(i)
		tips = append(tips, &tip)
	}
	const rounds = 30
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { // miners
			changed, cancel := f.Subscribe()
			defer cancel()
			for r := range rounds {
				select {
				case <-changed:
				default:
				}
				w := f.Work()
				if w == nil {
					continue
				}
				for _, class := range share.Classes() {
					j, err := w.Job(payee(i*rounds+r), class)
					if err != nil {
						t.Error(err)
						return
					}
					s := solve(t, j, meets(&j.ShareTarget, nil))
					if out, err := f.Submit(t.Context(), j, s); err != nil || !out.Share {
						t.Errorf("%+v, %v", out, err)
					}
				}
				if _, err := w.Payouts(share.Class(r % 5)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for r := range rounds {
			f.SetTemplate(templates[r%2])
			f.SetNodeHealth([]string{"", "down"}[r%2])
			f.Tick()
		}
	})
	wg.Go(func() {
		for r := range rounds {
			f.chain.set(func(c *fakeChain) { c.tip = tips[r%len(tips)] })
			f.ChainChanged()
			f.Hold([]string{"wait", ""}[r%2])
		}
	})
	wg.Go(func() {
		for range rounds {
			f.Reason()
			f.Template()
		}
	})
	wg.Wait()
	f.Wait()
}
