package blockchain

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// benchChain returns a chain with a full window of mainnet's length over so many
// payees. Its shares are entered without judging them; the difficulty is one
// that every second hash meets.
func benchChain(b *testing.B, payees int) *Chain {
	b.Helper()
	params, err := chainparams.New(chainparams.Regtest, "bench", func(p *chainparams.Params) {
		p.EasiestBits = 0x207fffff
		p.ShareInterval, p.HalfLife = 10*time.Second, 30*time.Minute
		p.WindowShares, p.DecayShares = 120_960, 30_240
		p.RetentionShares, p.MaxReorgShares = 138_240, 8_640
	})
	if err != nil {
		b.Fatal(err)
	}
	c := New(params)
	genesis := params.Bitcoin.GenesisBlock.Header
	if err := c.AddBitcoinHeader(&genesis, 0); err != nil {
		b.Fatal(err)
	}
	x := c.bitcoin.blocks[genesis.BlockHash()]
	work := target.Work(&params.EasiestTarget)
	start := uint32(genesis.Timestamp.Unix()) + 3600
	var parent *node
	for h := range uint32(params.WindowShares + 1) {
		n := &node{
			parent: parent, height: h, count: h + 1, anchor: start, time: start + 10*h, bits: params.EasiestBits,
			bitcoin: x, headerBits: genesis.Bits, total: work,
			paid: payout.Entry{Height: h, Work: work, Payee: benchScript(int(h*h) % payees)},
		}
		binary.LittleEndian.PutUint32(n.id[:], h+1)
		if parent != nil {
			n.total.Add(&parent.total)
		}
		n.claim = n.total
		c.insert(n)
		c.chooseTip(n, &Update{})
		parent = n
	}
	return c
}

func benchScript(i int) []byte {
	s := append([]byte{0x51, 0x20}, make([]byte, 32)...)
	binary.BigEndian.PutUint64(s[2:], uint64(i)+1)
	return s
}

// benchShare returns a valid share on the tip, with a coinbase of that class and
// a merkle branch of 12 hashes, and the length of its coinbase.
func benchShare(b *testing.B, c *Chain, class share.Class) (*share.Share, []byte) {
	b.Helper()
	tip := c.tip
	s := &share.Share{
		Header: wire.BlockHeader{
			Version: 0x20000000, PrevBlock: tip.bitcoin.hash, Bits: tip.headerBits,
			Timestamp: time.Unix(int64(tip.time)+10, 0),
		},
		Data: share.Data{
			Version: share.Version, Previous: tip.id, Height: tip.height + 1, Time: tip.time + 10,
			Bits: c.nextBits(tip), Anchor: tip.anchor, Count: tip.count + 1, Payee: benchScript(3), BitcoinHeight: 1, CoinbaseValue: 312_500_000,
			Class: class, WitnessCommitment: make([]byte, 32),
		},
		Branch: make([]chainhash.Hash, 12),
	}
	t, err := target.FromCompact(s.Data.Bits)
	if err != nil {
		b.Fatal(err)
	}
	s.Data.Work = target.Work(&t)
	s.Data.Work.Add(&tip.claim)
	w, _ := c.windowBehind(tip, tip.headerBits)
	result := w.Compute(c.params, s.Data.CoinbaseValue, class, &tip.id)
	coinbase := s.Coinbase(&c.params.ChainID, result.Finder, result.Payouts)
	s.SetCoinbase(&c.params.ChainID, result.Finder, result.Payouts)
	for {
		if _, err := s.CheckSanity(&c.params.ChainID); err == nil {
			return s, coinbase
		}
		s.Header.Nonce++
	}
}

// BenchmarkValidate judges a share in full: 1,000 payees in a full window, class
// 144, a branch of 12. Its floor is the double SHA-256 of the same bytes:
// coinbase, branch and header.
func BenchmarkValidate(b *testing.B) {
	c := benchChain(b, 1_000)
	s, coinbase := benchShare(b, c, share.Class144)
	now := time.Unix(int64(s.Data.Time)+60, 0)
	b.Run("full", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.validate(s, false, now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		header := share.AppendHeader(nil, &s.Header)
		b.ReportAllocs()
		for b.Loop() {
			txid := chainhash.DoubleHashH(coinbase)
			share.MerkleRoot(txid, s.Branch)
			chainhash.DoubleHashH(header)
		}
	})
}

// BenchmarkNewTip moves the window to a new tip and draws for it.
func BenchmarkNewTip(b *testing.B) {
	for _, payees := range []int{1_000, 10_000, 100_000} {
		c := benchChain(b, payees)
		tip := c.tip
		for _, class := range []share.Class{share.Class12, share.Class1152} {
			b.Run(fmt.Sprintf("payees=%d/class=%v", payees, class), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					n := tip
					if i%2 == 0 {
						n = tip.parent
					}
					w, _ := c.windowBehind(n, n.headerBits)
					w.Compute(c.params, 312_500_000, class, &n.id)
				}
			})
		}
	}
}

// BenchmarkWindowEntries is how long the chain is locked for a list of who found what.
func BenchmarkWindowEntries(b *testing.B) {
	c := benchChain(b, 10_000)
	c.WindowEntries(c.tip.id, c.tip.headerBits) // moves the window there
	b.ReportAllocs()
	for b.Loop() {
		c.WindowEntries(c.tip.id, c.tip.headerBits)
	}
}
