package p2p

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
)

// TestBlockBeforeChain: a block that the last run left reaches peers while the chain can't
// be loaded yet, with what they lack of its transactions, and whatever they send
// meanwhile; who comes later is told until it is settled, and nobody twice. Then the chain is
// loaded, and shares go both ways.
func TestBlockBeforeChain(t *testing.T) {
	noLeaks(t)
	var submitted [3]atomic.Int64
	taking := func(i int) func(*Config) { return func(cfg *Config) { cfg.Blocks = anyBlocks{&submitted[i]} } }
	first := start(t, new(fakechain.Chain), taking(0))
	first.mine(3, 1)

	late, own := new(fakechain.Late), new(fakechain.Chain)
	own.Extend(5, 1)
	a := start(t, own, func(cfg *Config) {
		dialing(first)(cfg)
		cfg.Chain, cfg.Loading = late, true
		cfg.Blocks = noBlocks{errors.New("no template")}
	})
	block := a.block(testTxs(t, 0, 300))
	a.FoundBlock(block)
	eventually(t, "the block reaches a peer", func() bool { return submitted[0].Load() == 1 })
	first.mine(1, 2)
	first.mineTxs(t, testTxs(t, 1000, 10))
	other := first.block(nil)
	first.FoundBlock(other) // which a can't judge

	var peers []*testServer
	for i := 1; i < 3; i++ {
		change := taking(i)
		peers = append(peers, start(t, new(fakechain.Chain), func(cfg *Config) { change(cfg); dialing(a)(cfg) }))
		eventually(t, "a peer", func() bool { return a.ConnectedCount() == i+1 })
		if i == 1 {
			eventually(t, "the block reaches a later peer", func() bool { return submitted[1].Load() == 1 })
			a.BlockSettled(block.Share.ID())
		}
	}
	if open := a.OpenBlocks(); len(open) > 0 {
		t.Errorf("open: %v", open)
	}
	late.Load(own)
	a.ChainLoaded()
	own.Extend(1, 3)
	tip, _, _ := own.Tip()
	a.Announce(tip)
	eventually(t, "one tip", sameTip(append(peers, a, first)...))
	if got := []int64{submitted[0].Load(), submitted[1].Load(), submitted[2].Load()}; got[0] != 1 || got[1] != 1 || got[2] != 0 {
		t.Errorf("submitted %v times", got)
	}
}
