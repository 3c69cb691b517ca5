package chainman

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// bulkParams are mainnet's, but for proofs of work of two hashes.
func bulkParams(t testing.TB) *chainparams.Params {
	t.Helper()
	params, err := chainparams.New(chainparams.Mainnet, "main", chaingen.Easy)
	if err != nil {
		t.Fatal(err)
	}
	return params
}

// bulkMiner makes long chains fast: shares of class 144 with 12 branches, of many
// payees, every tenth with an uncle.
type bulkMiner struct {
	testing.TB
	params *chainparams.Params
	chain  *blockchain.Chain
	header wire.BlockHeader // of the only Bitcoin block
	payees int
	made   uint64
	now    time.Time
}

func newBulkMiner(t testing.TB, payees int) *bulkMiner {
	t.Helper()
	m := &bulkMiner{TB: t, params: bulkParams(t), payees: payees}
	m.chain = blockchain.New(m.params)
	m.header = m.params.Bitcoin.GenesisBlock.Header
	if err := m.chain.AddBitcoinHeader(&m.header, 0); err != nil {
		t.Fatal(err)
	}
	// So late that nothing lies ahead of the clock.
	m.now = m.header.Timestamp.Add(100 * 24 * time.Hour)
	return m
}

// next returns the next shares in order: mostly one, or a sibling of the tip first.
func (m *bulkMiner) next() []*share.Share {
	tip := m.chain.Tip()
	s := m.mine(tip)
	if tip.Height%10 != 9 || tip.Empty {
		return []*share.Share{s}
	}
	sibling := m.build(tip, false)
	m.accept(sibling)
	return []*share.Share{s, sibling}
}

func (m *bulkMiner) mine(tip *blockchain.Tip) *share.Share {
	s := m.build(tip, true)
	m.accept(s)
	return s
}

func (m *bulkMiner) accept(s *share.Share) {
	m.Helper()
	if _, err := m.chain.Accept(s, m.now); err != nil {
		m.Fatalf("share at height %d: %v", s.Data.Height, err)
	}
}

// build makes a share on a tip, with the tip's uncles or without.
func (m *bulkMiner) build(tip *blockchain.Tip, uncles bool) *share.Share {
	m.Helper()
	m.made++
	at := uint32(m.header.Timestamp.Unix()) + 3600 + tip.NextHeight*12 // a little slow, so that it stays easy
	s := &share.Share{
		Header: wire.BlockHeader{
			Version: 0x20000000, PrevBlock: m.header.BlockHash(), Bits: m.params.Bitcoin.PowLimitBits,
			Timestamp: time.Unix(int64(m.header.Timestamp.Unix())+3600, 0),
		},
		Data: share.Data{
			Version: share.Version, Previous: tip.ID, Height: tip.NextHeight, Time: max(at, tip.MinTime), Bits: tip.NextBits,
			Anchor: tip.NextAnchor, Count: tip.NextCount, Work: tip.NextWork, Uncles: tip.Uncles,
			Payee: chaingen.Script(int(m.made*m.made) % m.payees), BitcoinHeight: 1, CoinbaseValue: 312_500_000,
			Class: share.Class144, Tag: []byte("p2pool"), WitnessCommitment: make([]byte, share.WitnessCommitmentSize),
		},
		Branch: make([]chainhash.Hash, 12),
	}
	for i := range s.Branch {
		binary.LittleEndian.PutUint64(s.Branch[i][i:], m.made*0x9e3779b97f4a7c15)
		s.Branch[i] = chainhash.HashH(s.Branch[i][:])
	}
	if tip.Empty {
		s.Data.Anchor = s.Data.Time
	}
	if !uncles && len(tip.Uncles) > 0 {
		m.Fatal("a sibling of a share with uncles has other sums")
	}
	binary.LittleEndian.PutUint64(s.Extranonce[4:], m.made)
	result, err := m.chain.Payouts(tip.ID, s.Header.Bits, s.Data.CoinbaseValue, s.Data.Class)
	if err != nil {
		m.Fatal(err)
	}
	s.SetCoinbase(&m.params.ChainID, result.Finder, result.Payouts)
	for {
		if _, err := s.CheckSanity(&m.params.ChainID); err == nil {
			return s
		}
		s.Header.Nonce++
	}
}

// HeadersBack and Invalid make the miner a Bitcoin node.
func (m *bulkMiner) HeadersBack(context.Context, chainhash.Hash, int) ([]wire.BlockHeader, uint32, error) {
	return []wire.BlockHeader{m.header}, 0, nil
}

func (m *bulkMiner) Invalid(context.Context, chainhash.Hash) (bool, error) { return false, nil }
