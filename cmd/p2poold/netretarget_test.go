package main

import (
	"bytes"
	"testing"
	"time"

	btcchain "github.com/btcsuite/btcd/blockchain"

	"github.com/p2poold/p2poold/blockchain/chainparams"
)

const (
	// retargetPeriod is after how many Bitcoin blocks their difficulty changes in these
	// tests, and easiestBlock a target that 16 hashes meet: four blocks cut the window to 32
	// shares of two hashes then, and not at all when they are four times as hard.
	retargetPeriod = 10
	easiestBlock   = 0x20100000
	// Times between two blocks: so fast that the next period is four times as hard, and so
	// slow that it is easier again.
	fastBlocks = 150 * time.Second
	slowBlocks = 30 * time.Minute
)

// retargets makes a Bitcoin with periods so short and blocks so easy.
func retargets(p *chainparams.Params) {
	bitcoin, genesis := *p.Bitcoin, *p.Bitcoin.GenesisBlock
	genesis.Header.Bits = easiestBlock
	hash := genesis.BlockHash()
	bitcoin.GenesisBlock, bitcoin.GenesisHash = &genesis, &hash
	bitcoin.PowLimitBits, bitcoin.PowLimit = easiestBlock, btcchain.CompactToBig(easiestBlock)
	bitcoin.TargetTimespan = retargetPeriod * bitcoin.TargetTimePerBlock
	p.Bitcoin = &bitcoin
}

// findBlocks has Bitcoin find blocks, so long one after the other, while the pool mines.
// All nodes hear of them but one.
func (p *faultPool) findBlocks(n int, every time.Duration, but *joinNode) {
	p.Helper()
	for range n {
		p.pass(every)
		p.extend(p.clock().Sub(p.header.Timestamp))
		for _, node := range p.nodes {
			if node != but {
				p.tellBlock(node)
			}
		}
	}
}

// tellBlock tells a node of Bitcoin's newest block.
func (p *faultPool) tellBlock(n *joinNode) {
	p.Helper()
	n.bitcoin.look()
	if err := n.chain.BitcoinTip(p.Context(), p.header.BlockHash()); err != nil {
		p.Fatal(err)
	}
}

// TestVirtualRetarget: a node that was away while Bitcoin's difficulty changed, and with it
// the length of the window, returns, and soon has the tip and the payouts of the others.
func TestVirtualRetarget(t *testing.T) {
	// What happens to node 0 before the retargets and after them.
	stop := func(p *faultPool) { p.nodes[0].stop(); p.absent = p.nodes[0] }
	start := func(p *faultPool) { p.absent = nil; p.run(0, p.nodes[0].dir) }
	cut := func(p *faultPool) { p.net.Down(func(from, to int) bool { return (from == 0) != (to == 0) }) }
	heal := func(p *faultPool) { p.net.Heal() }
	tests := []struct {
		name        string
		leave, back func(*faultPool)
		blind       bool // its Bitcoin node is away too
		two         bool // a second retarget makes the blocks easier again
		pruned      bool // that takes until nobody has what it has
	}{
		{name: "stopped", leave: stop, back: start, blind: true},
		{name: "stopped for two", leave: stop, back: start, blind: true, two: true},
		{name: "stopped until all is pruned", leave: stop, back: start, blind: true, two: true, pruned: true},
		{name: "cut off, and mines", leave: cut, back: heal},
		{name: "cut off for two, and mines", leave: cut, back: heal, two: true},
		{
			name: "cut off with its Bitcoin node, which returns later", blind: true,
			leave: func(p *faultPool) { cut(p); p.absent = p.nodes[0] },
			back: func(p *faultPool) {
				heal(p)
				p.pass(healed)
				if p.oneTip() {
					p.Error("shares on unknown Bitcoin blocks were taken")
				}
				p.absent = nil
				p.tellBlock(p.nodes[0])
			},
		},
	}
	for seed, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			window := chainparams.WithWindow(joinWindow, joinWindow/4, 20*joinRetention, 10*joinRetention)
			if test.pruned {
				window = shortWindow
			}
			virtual(t, uint64(seed), 2, goodLink, func(p *faultPool) {
				p.findBlocks(3*retargetPeriod/2, fastBlocks, nil)
				p.heal()
				easy := p.bits()
				tip := p.nodes[0].chain.Tip().ID

				test.leave(p)
				var blind *joinNode
				if test.blind {
					blind = p.nodes[0]
				}
				p.findBlocks(retargetPeriod, fastBlocks, blind)
				hard := p.bits()
				if other := p.nodes[1]; hard == easy || bytes.Equal(other.owedAt(easy).scores, other.owedAt(hard).scores) {
					t.Errorf("the target %08x leads to the same window as %08x", hard, easy)
				}
				if test.pruned {
					p.now.Add(int64(5 * 24 * time.Hour / time.Second))
				}
				if test.two {
					p.findBlocks(retargetPeriod*6/10, slowBlocks, blind) // and the period is over
				}
				if now := p.bits(); test.pruned == p.nodes[1].chain.Have(tip) || test.two != (btcchain.CompactToBig(now).Cmp(btcchain.CompactToBig(hard)) > 0) {
					t.Errorf("pruned: %v, the target is %08x", !p.nodes[1].chain.Have(tip), p.bits())
				}
				test.back(p)
				p.Logf("target %08x, then %08x, now %08x: one tip and the same payouts %v after it returned", easy, hard, p.bits(), p.heal())
				p.findBlocks(retargetPeriod, fastBlocks, nil) // the next one finds all there
				p.heal()
			}, window, retargets)
		})
	}
}
