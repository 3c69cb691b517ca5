package p2p

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/compact"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

// startingBlocks is the Bitcoin side of a node that waits for its first template.
type startingBlocks struct {
	template  atomic.Bool
	verdict   error // once there is one
	submitted atomic.Int64
}

func (b *startingBlocks) CheckBlock(*share.Share) error {
	if !b.template.Load() {
		return errors.New("no template")
	}
	return b.verdict
}
func (b *startingBlocks) SubmitBlock(*compact.Block) { b.submitted.Add(1) }

// waitingCount returns how many blocks wait at a server.
func (s *testServer) waitingCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

// TestBlockBeforeTemplate: a block that a node is told of before its first template is
// submitted, with what it lacks of its transactions, and passed on when that is there.
func TestBlockBeforeTemplate(t *testing.T) {
	noLeaks(t)
	finder := start(t, new(fakechain.Chain), nil)
	finder.mine(3, 1)
	block := finder.block(testTxs(t, 0, 30))
	finder.FoundBlock(block)
	var bitcoin startingBlocks
	n := start(t, new(fakechain.Chain), func(cfg *Config) { dialing(finder)(cfg); cfg.Blocks = &bitcoin })
	eventually(t, "the block waits", func() bool { return n.waitingCount() == 1 })
	var behind atomic.Int64
	next := start(t, new(fakechain.Chain), func(cfg *Config) { dialing(n)(cfg); cfg.Blocks = anyBlocks{&behind} })
	eventually(t, "a peer behind", func() bool { return next.ConnectedCount() == 1 && n.ConnectedCount() == 2 })

	n.SetTemplate(nil) // which Blocks doesn't know of
	eventually(t, "the block waits again", func() bool { return n.waitingCount() == 1 })
	bitcoin.template.Store(true)
	n.SetTemplate(testTxs(t, 0, 10))
	eventually(t, "both submit", func() bool { return bitcoin.submitted.Load() == 1 && behind.Load() == 1 })
	if n.waitingCount() > 0 {
		t.Error("it still waits")
	}
}

// TestNoBlockBeforeTemplate: whoever sent what turns out to be no block is disconnected.
func TestNoBlockBeforeTemplate(t *testing.T) {
	noLeaks(t)
	bitcoin := startingBlocks{verdict: share.RuleError{Kind: "ErrNoBlock", Description: "no block"}}
	n := start(t, new(fakechain.Chain), func(cfg *Config) { cfg.Blocks = &bitcoin })
	block := n.block(nil)
	p := dialRaw(t, n)
	p.send(&message.Block{Share: block.Share.Encode(), Coinbase: block.Coinbase})
	eventually(t, "it waits", func() bool { return n.waitingCount() == 1 })
	bitcoin.template.Store(true)
	n.SetTemplate(nil)
	p.closed()
}

// TestWaitingBlocksAreBounded: those with most work wait, one of each peer, and none of a
// peer that has gone.
func TestWaitingBlocksAreBounded(t *testing.T) {
	s, err := New(Config{Params: testParams(t, "main"), Chain: new(fakechain.Chain)})
	if err != nil {
		t.Fatal(err)
	}
	keep := func(from netsync.PeerID, hash byte) {
		s.keepBlock(waitingBlock{from: from, id: chainhash.Hash{chainhash.HashSize - 1: hash}})
	}
	expect := func(what string, want ...byte) {
		t.Helper()
		var got []byte
		for _, b := range s.waiting {
			got = append(got, b.id[chainhash.HashSize-1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: those wait with hashes %v, want %v", what, got, want)
		}
	}
	keep(1, 1)
	expect("a block of nobody")
	for id := range netsync.PeerID(10) {
		s.peers[id] = new(peer.Peer)
		keep(id, byte(10*(10-id)))
	}
	expect("one of each", 10, 20, 30, 40)
	keep(0, 200)
	expect("with least work", 10, 20, 30, 40)
	keep(9, 5)
	expect("another of a peer with most", 5, 20, 30, 40)
	keep(9, 35)
	expect("another of a peer with less", 5, 20, 30, 40)
	keep(0, 1)
	expect("with most work", 1, 5, 20, 30)
	s.dropBlocks(9)
	expect("a peer has gone", 1, 20, 30)
	s.retryBlocks()
	expect("the server doesn't run", 1, 20, 30)
}
