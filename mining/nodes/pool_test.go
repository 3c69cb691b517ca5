package nodes

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// TestPoolOfOne is like the node alone.
func TestPoolOfOne(t *testing.T) {
	f := newFixture(t, false)
	if h := f.Health(); h.OK || f.Template() != nil {
		t.Errorf("before anything: %+v", h)
	}
	if err := f.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.run()
	f.await(*chaincfg.RegressionNetParams.GenesisHash)
	f.await(f.mine(0))
	f.until("healthy", func() bool { return f.Health().OK })
	f.fakes[0].Down()
	f.until("unhealthy", func() bool { return !f.Health().OK })
	if h := f.Health(); h.Kind != bitcoind.ErrUnreachable || !strings.HasPrefix(h.Reason, "Bitcoin node unreachable since") {
		t.Errorf("%+v", h)
	}
	if err := f.Check(t.Context()); !errors.Is(err, bitcoind.ErrUnreachable) || strings.Contains(err.Error(), ";  ") {
		t.Error(err)
	}
}

// TestPoolFailover: mining goes on when the preferred node goes away, the others' health
// is told, and no health comes of it before all are gone.
func TestPoolFailover(t *testing.T) {
	f := newFixture(t, false, true)
	if err := f.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.run()
	f.await(*chaincfg.RegressionNetParams.GenesisHash)
	f.until("all healthy", func() bool {
		return !slices.ContainsFunc(f.Nodes(), func(s Status) bool { return !s.Health.OK || s.Latency == 0 })
	})
	f.await(f.mine(0, 1))
	f.until("the first is mined on", func() bool { return f.Nodes()[0].Current }) // the second may have been faster
	f.fakes[0].Down()
	f.until("the first is missed, the second mined on", func() bool {
		list := f.Nodes()
		return !list[0].Health.OK && list[1].Current
	})
	f.await(f.mine(1))
	if h := f.Health(); !h.OK {
		t.Errorf("%+v", h)
	}
	if s := f.Nodes()[0]; s.Health.OK || s.Current || s.Addr != f.fakes[0].Addr() || s.Health.Kind != bitcoind.ErrUnreachable {
		t.Errorf("%+v", s)
	}
	// Questions go to the one that is left.
	tip, _ := f.fakes[1].Tip()
	if got, err := f.TipHash(t.Context()); err != nil || got != tip {
		t.Errorf("%v, %v", got, err)
	}
	f.fakes[1].Down()
	f.until("no health", func() bool { return !f.Health().OK })
	if h := f.Health(); !strings.HasPrefix(h.Reason, "none of the 2 Bitcoin nodes is usable") || strings.Contains(h.Reason, bitcoindtest.FakePass) {
		t.Errorf("%+v", h)
	}
	if err := f.fakes[0].Up(); err != nil {
		t.Fatal(err)
	}
	f.until("health again", func() bool { return f.Health().OK && f.Nodes()[0].Current })
}

// TestPoolStuckNode: the node that gets no more blocks is left.
func TestPoolStuckNode(t *testing.T) {
	f := newFixture(t, false, false)
	f.run()
	f.await(f.mine(0, 1))
	tip := f.mine(1)
	f.await(tip)
	if !f.Nodes()[1].Current {
		t.Errorf("%+v", f.Nodes())
	}
	before := f.fakes[0].Calls("getblocktemplate")
	f.fakes[0].TouchMempool()
	f.until("a template on the old block", func() bool { return f.fakes[0].Calls("getblocktemplate") > before })
	if got := f.Template().PrevBlock; got != tip {
		t.Error("mined on the old block again")
	}
	// What the other doesn't know yet is found by asking further.
	if info, err := f.Header(t.Context(), tip); err != nil || info.Height != 2 {
		t.Errorf("%+v, %v", info, err)
	}
	f.give(1, 0, tip)
	f.until("back", func() bool { return f.Nodes()[0].Current })

	// Two blocks are undone and replaced by three.
	f.fakes[0].Back(*chaincfg.RegressionNetParams.GenesisHash)
	f.fakes[1].Back(*chaincfg.RegressionNetParams.GenesisHash)
	f.await(*chaincfg.RegressionNetParams.GenesisHash)
	f.await(f.mine(0, 1))
}

// TestPoolVeto: the second node is ahead with a block that the first calls invalid.
func TestPoolVeto(t *testing.T) {
	f := newFixture(t, false, false)
	f.run()
	root := f.mine(0, 1)
	f.await(root)
	f.until("both are ready", func() bool { return f.Nodes()[0].Height == 1 && f.Nodes()[1].Height == 1 })
	bad := f.fakes[1].Mine(1)
	f.await(bad)
	f.give(1, 0, bad)
	f.fakes[0].Back(root)
	f.fakes[0].MarkInvalid(bad)
	f.until("the veto", func() bool { return f.Nodes()[1].Vetoed && f.Nodes()[0].Current })
	if got := f.Template().PrevBlock; got != root {
		t.Errorf("mining on %v", got)
	}
	f.fakes[1].Mine(1)
	f.until("the second goes on", func() bool { return f.Nodes()[1].Height == 3 })
	if !f.Nodes()[0].Current {
		t.Errorf("%+v", f.Nodes())
	}
}

// TestPoolQueries: a block that one node lacks is asked of the next; what none knows, or
// none says, is told apart.
func TestPoolQueries(t *testing.T) {
	f := newFixture(t, false, true)
	ctx := t.Context()
	hash := f.fakes[1].Mine(1)
	for name, ask := range map[string]func() error{
		"Header": func() error { _, err := f.Header(ctx, hash); return err },
		"HashAt": func() error { _, err := f.HashAt(ctx, 1); return err },
		"Block":  func() error { _, err := f.Block(ctx, hash); return err },
		"HeadersBack": func() error {
			infos, err := f.HeadersBack(ctx, hash, 5)
			if err == nil && len(infos) != 2 {
				err = errors.New("too few")
			}
			return err
		},
	} {
		if err := ask(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Header(ctx, chainhash.Hash{1}); !errors.Is(err, bitcoind.ErrUnknownBlock) {
		t.Error(err)
	}
	f.fakes[0].Down()
	if _, err := f.Header(ctx, chainhash.Hash{1}); !errors.Is(err, bitcoind.ErrUnknownBlock) {
		t.Error(err)
	}
	f.fakes[1].Down()
	if _, err := f.Header(ctx, hash); !errors.Is(err, bitcoind.ErrUnreachable) {
		t.Error(err)
	}
}

// TestPoolCheck: one usable node is enough; of none each one's trouble is told.
func TestPoolCheck(t *testing.T) {
	f := newFixture(t, false, false, false)
	f.fakes[0].SetFaults(bitcoindtest.Faults{Pass: "other"})
	f.fakes[2].SetFaults(bitcoindtest.Faults{Delay: map[string]time.Duration{"getblockhash": time.Hour}})
	start := time.Now()
	if err := f.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d > checkSlack+5*time.Second {
		t.Errorf("took %v", d)
	}
	f.fakes[1].Mine(1)
	before := f.fakes[0].Calls("getbestblockhash")
	if _, err := f.TipHash(t.Context()); err != nil || f.fakes[0].Calls("getbestblockhash") != before {
		t.Errorf("asked the wrong one, %v", err)
	}
	f.fakes[2].Down()
	f.fakes[1].Down()
	err := f.Check(t.Context())
	if !errors.Is(err, bitcoind.ErrUnreachable) || !errors.Is(err, bitcoind.ErrAuth) {
		t.Errorf("got %v", err)
	}
}

// TestPoolErrors: what can't be a pool.
func TestPoolErrors(t *testing.T) {
	one := bitcoind.Config{URL: "http://u:p@127.0.0.1:1", Params: &chaincfg.RegressionNetParams}
	for name, nodes := range map[string][]bitcoind.Config{
		"none": {}, "twice": {one, one}, "many": slices.Repeat([]bitcoind.Config{one}, MaxNodes+1), "bad": {{URL: "x"}},
	} {
		if _, err := New(Config{Nodes: nodes}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestPoolUnknownRule: a rule that one node calls mandatory and we don't know stops work,
// whichever node it is, and as long as it says so.
func TestPoolUnknownRule(t *testing.T) {
	for knows := range 2 {
		f := newFixture(t, false, false)
		f.run()
		root := f.mine(0, 1)
		f.await(root)
		f.until("both are well", func() bool { return f.Nodes()[0].Height == 1 && f.Nodes()[1].Height == 1 })
		f.fakes[knows].SetFaults(bitcoindtest.Faults{Template: func(m map[string]any) { m["rules"] = []string{"!newfork"} }})
		held := func() bool { h := f.Health(); return !h.OK && h.Kind == bitcoind.ErrUnknownRule }
		height := uint32(1)
		for !held() { // not by a longpoll that has begun before
			f.mine(0, 1)
			height++
			f.until("a template or the rule", func() bool {
				return held() || f.Nodes()[0].Height == height && f.Nodes()[1].Height == height
			})
		}
		before := f.Template()
		next := f.mine(0, 1)
		f.until("the other goes on", func() bool { return f.Nodes()[1-knows].Height == height+1 })
		if f.Template() != before || !held() {
			t.Errorf("node %d knows the rule: template %+v, health %+v", knows, f.Template(), f.Health())
		}
		if err := f.Check(t.Context()); !errors.Is(err, bitcoind.ErrUnknownRule) {
			t.Errorf("node %d knows the rule: at the start, %v", knows, err)
		}
		f.fakes[knows].SetFaults(bitcoindtest.Faults{})
		f.await(next)
		f.until("work goes on", func() bool { return f.Health().OK })
	}
}
