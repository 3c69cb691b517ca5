package blockchain_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
)

// weave makes n main-chain shares m0, m1, … behind a first share g, of several
// payees, with siblings that now and then become uncles, and returns all names in
// an order that parents and uncles come first, and the tip's.
func (t *test) weave(rng *rand.Rand, n int) (names []string, tip string) {
	t.T.Helper()
	t.Next("g", "")
	names, tip = []string{"g"}, "g"
	below := ""
	for i := range n {
		opts := []chaingen.Option{chaingen.Payee(rng.IntN(7)), chaingen.Later(rng.IntN(3) - 1)}
		// A clock that runs late: time goes back, and catches up.
		if i > 20 && i%7 == 3 {
			opts = append(opts, chaingen.Later(-3))
		} else if i > 20 && i%7 == 4 {
			opts = append(opts, chaingen.Later(4))
		}
		if below != "" && rng.IntN(3) == 0 {
			sibling := fmt.Sprint("s", i)
			t.Next(sibling, below, chaingen.Payee(50+rng.IntN(5)))
			names = append(names, sibling)
			if rng.IntN(4) > 0 {
				opts = append(opts, chaingen.Uncles(sibling))
			}
		}
		name := fmt.Sprint("m", i)
		t.Next(name, tip, opts...)
		names = append(names, name)
		tip, below = name, tip
	}
	return names, tip
}

// sameChain compares what two chains tell of their tips, and what the next share
// pays, with each other and with scores added up anew. Which siblings a chain has
// heard of, and offers as uncles, may differ.
func (t *test) sameChain(name string, got, want *blockchain.Chain) {
	t.T.Helper()
	tip := want.Tip()
	if a, b := withoutUncles(got.Tip()), withoutUncles(tip); !reflect.DeepEqual(a, b) {
		t.Fatalf("%s: tip %+v, want %+v", name, a, b)
	}
	bits := t.Params.Bitcoin.PowLimitBits
	expected := t.Scores(t.byID(tip.ID))
	for _, c := range []*blockchain.Chain{got, want} {
		scores, err := c.Scores(tip.ID, bits)
		if err != nil || !reflect.DeepEqual(scores, expected) {
			t.Fatalf("%s: scores %v, want %v: %v", name, scores, expected, err)
		}
	}
}

func withoutUncles(t *blockchain.Tip) blockchain.Tip {
	tip := *t
	tip.Uncles, tip.NextCount, tip.NextWork = nil, 0, tip.Work
	return tip
}

func (t *test) byID(id chainhash.Hash) *chaingen.Share {
	t.T.Helper()
	s := t.ByID(id)
	if s == nil {
		t.Fatalf("share %v was not generated", id)
	}
	return s
}

// join has a new chain fetch everything that the test's chain offers, at most some
// ids at a time.
func (t *test) join() *blockchain.Chain {
	t.T.Helper()
	joined := blockchain.New(t.Params)
	genesis := t.Bitcoin("genesis")
	if err := joined.AddBitcoinHeader(&genesis.Header, 0); err != nil {
		t.Fatal(err)
	}
	t.follow(joined)
	return joined
}

func (t *test) follow(c *blockchain.Chain) {
	t.T.Helper()
	var last []chainhash.Hash // as a node goes on where the last answer ended
	for root := c.Tip().Empty; ; root = false {
		ids := t.chain.AfterLocator(append(last, c.Locator()...), chainhash.Hash{}, 17)
		if len(ids) == 0 {
			return
		}
		last = ids[len(ids)-1:]
		for i, id := range ids {
			accept := c.Accept
			if root && i == 0 {
				accept = c.AcceptRoot
			}
			if _, err := accept(t.byID(id).Share, t.now); err != nil && !errors.Is(err, blockchain.ErrDuplicate) {
				t.Fatalf("share %d of %d, at height %d: %v", i, len(ids), t.byID(id).Data.Height, err)
			}
		}
	}
}

// TestSyncFromTheMiddle: chains with uncles everywhere are pruned; a newcomer joins
// from what is left; both restart; both go on. Tip, sums and scores agree all the
// way, with one another and with scores added up by hand.
func TestSyncFromTheMiddle(tt *testing.T) {
	for seed := range uint64(30) {
		t := newTest(tt)
		rng := rand.New(rand.NewPCG(seed, 1))
		names, tip := t.weave(rng, 70+rng.IntN(150))
		t.accept(names...)
		kept := int(t.Params.RetentionShares)
		if s := t.chain.Stats(); s.Main != kept || t.chain.Len() > 2*kept || t.chain.Base() != t.Share(tip).Data.Height+1-uint32(kept) {
			t.Fatalf("seed %d: %+v, base %d, height %d", seed, s, t.chain.Base(), t.Share(tip).Data.Height)
		}
		if t.chain.Have(t.Share("m3").ID) {
			t.Fatalf("seed %d: a pruned share is there", seed)
		}
		joined := t.join()
		t.sameChain(fmt.Sprintf("seed %d: joined", seed), joined, t.chain)

		again := t.restored(names...)
		t.sameChain(fmt.Sprintf("seed %d: restarted", seed), again, t.chain)
		genesis := t.Bitcoin("genesis")
		if err := again.AddBitcoinHeader(&genesis.Header, 0); err != nil {
			t.Fatal(err)
		}

		// A fork of some shares that wins, as seen by all three.
		parent := fmt.Sprint("m", t.Share(tip).Data.Height-uint32(3+rng.IntN(3)))
		for _, name := range append(t.Line("n", tip, 3, 4), t.Line("r", parent, 12, 5)...) {
			for i, c := range []*blockchain.Chain{t.chain, joined, again} {
				if _, err := c.Accept(t.decoded(name), t.now); err != nil {
					t.Fatalf("seed %d: %s on chain %d: %v", seed, name, i, err)
				}
			}
			t.sameChain(name, joined, t.chain)
			t.sameChain(name, again, t.chain)
		}
		t.tip("r11")
	}
}

// TestRestartAnywhere: a chain that is restored after each share is the same as one
// that never was.
func TestRestartAnywhere(tt *testing.T) {
	t := newTest(tt)
	names, _ := t.weave(rand.New(rand.NewPCG(3, 3)), 130)
	genesis := t.Bitcoin("genesis")
	for i, name := range names {
		t.accept(name)
		if i%5 != 0 {
			continue
		}
		again := t.restored(names[:i+1]...)
		if err := again.AddBitcoinHeader(&genesis.Header, 0); err != nil {
			t.Fatal(err)
		}
		t.sameChain(name, again, t.chain)
		if !reflect.DeepEqual(again.Tip(), t.chain.Tip()) || again.Stats() != t.chain.Stats() {
			t.Fatalf("%s: tip %+v of %+v, want %+v of %+v", name, again.Tip(), again.Stats(), t.chain.Tip(), t.chain.Stats())
		}
	}
}

// TestTrustEnds: payouts are taken on trust as long as the window reaches below the
// root, and not a share longer.
func TestTrustEnds(tt *testing.T) {
	wrong := chaingen.Payouts(func(r *payout.Result) { r.Finder, r.Payouts = chaingen.CoinbaseValue, nil })
	window := 20
	for depth := 1; depth < window+5; depth++ {
		t := newTest(tt)
		t.Next("g", "")
		names := t.Line("a", "g", 10, 3)
		parent := names[len(names)-1]
		if depth > 1 {
			names = append(names, t.Line("b", parent, depth-1, 3)...)
			parent = names[len(names)-1]
		}
		t.Next("bad", parent, wrong)
		t.Next("good", parent)
		root := names[9] // at height 10
		if _, err := t.chain.AcceptRoot(t.decoded(root), t.now); err != nil {
			t.Fatal(err)
		}
		t.accept(names[10:]...)
		_, err := t.chain.Payouts(t.Share(parent).ID, t.Params.Bitcoin.PowLimitBits, 1, 0)
		// The window behind a share so many above the root has as many shares, the
		// root included, whose uncles, none here, would be missing.
		if whole := depth >= window; whole {
			t.reject(share.ErrPayouts, "bad")
			if err != nil {
				t.Errorf("depth %d: %v", depth, err)
			}
			t.accept("good")
		} else {
			t.accept("bad", "good")
			if !errors.Is(err, blockchain.ErrWindow) {
				t.Errorf("depth %d: payouts of an unknown window: %v", depth, err)
			}
		}
	}
}

// TestRootLies: a root with a wrong anchor, count, height or work carries nothing,
// or nothing that matters.
func TestRootLies(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Line("a", "g", 30, 3)
	// The lie shows in the bits of what follows, or in its sums.
	for name, change := range map[string]func(d *share.Data){
		"anchor": func(d *share.Data) { d.Anchor += 600 },
		"count":  func(d *share.Data) { d.Count += 600 },
	} {
		c := blockchain.New(t.Params)
		t.Next(name, "a19", chaingen.Data(change))
		t.Next(name+" child", name)
		if _, err := c.AcceptRoot(t.decoded(name), t.now); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err := c.Accept(t.decoded(name+" child"), t.now)
		if _, rule := errors.AsType[blockchain.RuleError](err); !rule {
			t.Errorf("%s: a child that knows better: %v", name, err)
		}
	}
	t.Next("high", "a20", chaingen.Data(func(d *share.Data) { d.Height, d.Count = 1<<31, 1<<31-1 }))
	t.Next("uncounted", "a20", chaingen.Data(func(d *share.Data) { d.Count = d.Height }))
	for name, kind := range map[string]blockchain.ErrorKind{"high": blockchain.ErrHeight, "uncounted": blockchain.ErrShareCount} {
		if _, err := blockchain.New(t.Params).AcceptRoot(t.decoded(name), t.now); !errors.Is(err, kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
