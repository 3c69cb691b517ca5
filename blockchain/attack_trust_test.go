package blockchain_test

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
)

func cutByWork(p *chainparams.Params) { p.WindowBlocks = 60 }

// TestAttackEndOfTrust: where work cuts the window, shares on a made-up block with header
// bits of their own must not end a joining node's trust: it would refuse the honest chain.
func TestAttackEndOfTrust(tt *testing.T) {
	t := newTest(tt, chainparams.WithWindow(40, 10, 120, 20), cutByWork)
	t.Next("g", "")
	a := t.Line("a", "g", 80, 1)
	t.NextBitcoin("fake", "genesis")
	fakeBits := func(h *wire.BlockHeader) { h.Bits = 0x2100ffff } // work 1: a window of 30 shares, not 40
	pays := chaingen.Payouts(func(r *payout.Result) {})           // a single payee: equal for both windows
	t.Next("x1", "a35", chaingen.On("fake"), chaingen.Header(fakeBits), pays)
	t.Next("x2", "a41", chaingen.On("fake"), chaingen.Header(fakeBits), pays)
	fake := t.Bitcoin("fake")

	c := t.chain.Beside()
	c.BitcoinBlockAbsent(fake.Hash) // asked for on behalf of some undecided share
	give := func(name string) error { _, err := c.AcceptRoot(t.decoded(name), t.now); return err }
	for i, name := range a[5:] {
		if err := give(name); err != nil {
			t.Fatalf("honest share %s, %d above the root, joining %v: %v", name, i, c.Joining(), err)
		}
		if name == "a35" {
			t.Log("x1:", give("x1"))
		}
		if name == "a41" {
			t.Log("x2:", give("x2"), c.Joining())
		}
	}
}

// TestUndecidedBeforeTooDeep: on a joined chain shorter than the longest window a share
// on a Bitcoin block that our node does not have yet is held, and the block asked for.
func TestUndecidedBeforeTooDeep(tt *testing.T) {
	t := newTest(tt, chainparams.WithWindow(40, 10, 120, 20), func(p *chainparams.Params) { p.WindowBlocks = 10 })
	t.Next("g", "")
	a := t.Line("a", "g", 50, 1)
	c := t.taken(a[25:]...) // windows have 10 shares
	if c.Joining() {
		t.Fatal("joining")
	}
	t.NextBitcoin("new", "genesis")
	t.Next("n", "a49", chaingen.On("new"))
	_, err := c.Accept(t.decoded("n"), t.now)
	if _, ok := errors.AsType[*blockchain.UndecidedError](err); !ok {
		t.Errorf("got %v", err)
	}
}

// TestAttackSavedUpWork: a chain whose work was saved up on Bitcoin blocks older than
// those of ours does not take our chain's place, whatever it has of it.
func TestAttackSavedUpWork(tt *testing.T) {
	t := newTest(tt)
	parent := "genesis"
	for _, name := range []string{"B1", "B2", "B3"} {
		t.NextBitcoin(name, parent)
		t.addBitcoin(name)
		parent = name
	}
	t.Next("g", "", chaingen.On("B3"))
	t.accept("g")
	t.accept(t.Line("a", "g", 27, 3)...)
	for name, on := range map[string]string{"old": "B2", "new": "B3"} {
		t.Next(name, "", chaingen.On(on), chaingen.Later(1))
		other := t.taken(append([]string{name}, t.Line(name, name, 90, 3)...)...)
		if got := t.chain.YieldsTo(other, t.now); got != (name == "new") {
			t.Errorf("%s: %v", name, got)
		}
	}
}
