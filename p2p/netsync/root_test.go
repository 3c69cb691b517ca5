package netsync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// lowest returns the lowest share of a chain's main chain.
func lowest(c *fakechain.Chain) chainhash.Hash {
	return c.AfterLocator(nil, chainhash.Hash{}, 1)[0]
}

// wantRoot checks that a node's chain was offered one root, that of the peer.
func (n *simNode) wantRoot(from PeerID, id chainhash.Hash) {
	n.t.Helper()
	if len(n.roots) != 1 || n.roots[0] != (offeredRoot{from, id}) {
		n.t.Errorf("%s was offered the roots %v, want %v of %d", n.name, n.roots, id, from)
	}
}

// TestJoinPruned: a new node joins from one that has forgotten the start of its
// chain, and another from the new one. Every third share has an uncle, so the
// cut is made right above a share with one, below, and at its nephew.
func TestJoinPruned(t *testing.T) {
	for base := uint32(4400); base < 4403; base++ {
		s := newSim(t)
		old, fresh := s.node("old", message.LowLatency), s.node("fresh", message.LowLatency)
		withUncles(old.chain, 6500)
		old.chain.Prune(base)
		root := lowest(old.chain)
		at := s.connect(fresh, old)
		for !s.oneTip() {
			s.run(10 * time.Millisecond)
			if pr := fresh.m.Progress(s.now); pr.Height > base+2*provenShares && pr.Height < 6490 && !fresh.proven() {
				t.Fatalf("not proven: %+v", pr)
			}
			if s.now.Unix() > 1_700_000_060 {
				t.Fatalf("no sync: %s", s.tips())
			}
		}
		fresh.wantRoot(at, root)
		s.run(time.Second)
		if pr := fresh.m.Progress(s.now); pr.Syncing || !pr.Attempted || pr.Offered != 6499 {
			t.Errorf("at the end: %+v", pr)
		}
		// An uncle of the root's height has its parent below.
		if st := fresh.m.Stats(); st.Undecided > 1 || st.Ignored > 0 || len(fresh.m.wants) > 0 {
			t.Errorf("%+v", st)
		}

		third := s.node("third", message.LowBandwidth)
		at = s.connect(third, fresh)
		s.runUntil(30*time.Second, "the third node", s.oneTip)
		third.wantRoot(at, root)
		for _, n := range s.nodes {
			n.mine(3)
			s.runUntil(time.Second, "relay", s.oneTip)
		}
		if len(fresh.roots) > 1 || len(old.roots) > 0 {
			t.Errorf("roots %v and %v", fresh.roots, old.roots)
		}
	}
}

// TestReturnPruned: a node comes back after so long that its peers know nothing in
// its locator any more.
func TestReturnPruned(t *testing.T) {
	for _, mode := range []message.RelayMode{message.LowBandwidth, message.LowLatency} {
		s := newSim(t)
		old, back := s.node("old", mode), s.node("back", mode)
		withUncles(old.chain, 300)
		copyChain(t, old, back)
		withUncles(old.chain, 2500)
		old.chain.Prune(1000)
		root := lowest(old.chain)
		at := s.connect(back, old)
		s.runUntil(20*time.Second, "sync", s.oneTip)
		back.wantRoot(at, root)
		back.mine(1)
		s.runUntil(time.Second, "relay", s.oneTip)
	}
}

// TestBaseMovesUp: the peer mines and prunes on during the sync, faster than any
// real one.
func TestBaseMovesUp(t *testing.T) {
	for i := range time.Duration(5) {
		s := newSim(t)
		old, fresh := s.node("old", message.LowLatency), s.node("fresh", message.LowLatency)
		withUncles(old.chain, 2500)
		old.chain.Prune(999)
		s.connect(fresh, old)
		s.run(i * 60 * time.Millisecond)
		for base := uint32(1000); base < 1060; base++ {
			old.mine(1)
			old.chain.Prune(base)
			s.run(300 * time.Millisecond)
		}
		if !s.oneTip() {
			t.Errorf("start %d: %s, %d roots", i, s.tips(), len(fresh.roots))
		}
		if len(fresh.m.peers) != 1 || fresh.m.Stats().Invalid > 0 {
			t.Error("the peer was blamed")
		}
	}
}

// TestRootGone: the peer prunes the root between naming it and being asked for it.
func TestRootGone(t *testing.T) {
	for _, times := range []int{1, maxRestarts, 1000} {
		s := newSim(t)
		old, fresh := s.node("old", message.LowLatency), s.node("fresh", message.LowLatency)
		withUncles(old.chain, 4000)
		base, gone := uint32(1000), 0
		old.chain.Prune(base)
		s.lose = func(from, _ *simNode, m message.Message) bool {
			if inv, ok := m.(*message.Inv); ok && from == old && len(inv.IDs) > 1 && gone < times {
				gone++
				base++
				s.after(0, func() { old.chain.Prune(base) })
			}
			return false
		}
		s.connect(fresh, old)
		if times <= maxRestarts {
			s.runUntil(10*time.Second, "sync", s.oneTip)
			if got := fresh.sent[message.CmdGetLocator]; got != times+3 {
				t.Errorf("gone %d times: %d getlocators", times, got)
			}
			continue
		}
		// Three attempts, then a pause that grows to 8 minutes.
		s.run(time.Hour)
		if got, most := fresh.sent[message.CmdGetLocator], 12*(1+maxRestarts); got > most {
			t.Errorf("%d getlocators in an hour, want at most %d", got, most)
		}
		if got, most := fresh.sent[message.CmdGetShares], 12*(1+maxRestarts)*(MaxSyncRequests+MaxChases); got > most {
			t.Errorf("%d getshares in an hour, want at most %d", got, most)
		}
		if len(fresh.m.peers) != 1 || len(fresh.m.wants) > 0 || fresh.m.Stats().Stalls > 0 {
			t.Errorf("%d peers, %d wants, %+v", len(fresh.m.peers), len(fresh.m.wants), fresh.m.Stats())
		}
		times = 0
		s.runUntil(10*time.Minute, "sync", s.oneTip)
	}
}

// TestUndecidedRun: a session whose shares the chain can't place for whatever
// reason ends long before all of an inv was fetched.
func TestUndecidedRun(t *testing.T) {
	s := newSim(t)
	a, b := s.node("a", message.LowLatency), s.node("b", message.LowLatency)
	b.chain.Extend(message.MaxInv, 1)
	a.judge = waitsForBitcoin
	s.connect(a, b)
	s.run(StaleInterval - time.Second)
	if a.m.session != nil {
		t.Error("the session lasts")
	}
	if got, most := int(a.m.Stats().Undecided), maxUndecided+(MaxSyncRequests+1)*MaxBatch; got > most {
		t.Errorf("%d shares, want at most %d", got, most)
	}
	if len(a.m.peers) != 1 || len(a.m.wants) > 0 {
		t.Error("the peer was blamed")
	}
	a.judge = nil
	s.runUntil(time.Minute, "sync", s.oneTip)
}
