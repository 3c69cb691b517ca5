package netsync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// withUncles extends a chain by n shares, every third with an uncle.
func withUncles(c *fakechain.Chain, n int) {
	for i := range n {
		_, height, work := c.Tip()
		if i%3 != 2 || work.IsZero() || height < 2 {
			c.Extend(1, 1)
			continue
		}
		parent := c.Locator()[1]
		uncle := fakechain.New(parent, height, 99)
		if err := c.Accept(uncle); err != nil {
			panic(err)
		}
		if err := c.Accept(c.Next(1, uncle.ID())); err != nil {
			panic(err)
		}
	}
}

func TestSyncFromGenesis(t *testing.T) {
	s := newSim(t)
	old, fresh := s.node("old", message.LowLatency), s.node("fresh", message.LowLatency)
	fresh.announceAll = true // must not flood the old node during the sync
	withUncles(old.chain, 5000)
	s.connect(fresh, old)
	s.run(200 * time.Millisecond)
	if pr := fresh.m.Progress(s.now); !pr.Syncing || pr.BestHeight != 4999 || pr.Peers != 1 {
		t.Errorf("at the start: %+v", pr)
	}
	s.runUntil(20*time.Second, "sync", s.oneTip)
	s.run(time.Second)
	if pr := fresh.m.Progress(s.now); pr.Syncing || pr.Height != 4999 {
		t.Errorf("at the end: %+v", pr)
	}
	if got, want := fresh.chain.Accepts(), old.chain.Len(); got != want {
		t.Errorf("%d shares were verified for a chain of %d", got, want)
	}
	// Rounds of 2,000 ids, and the last one to see that there is nothing more.
	if got, want := fresh.sent[message.CmdGetLocator], old.chain.Len()/2000+2; got != want {
		t.Errorf("%d getlocators, want %d", got, want)
	}
	if got := fresh.sent[message.CmdShares] + fresh.sent[message.CmdInv]; got > 1 {
		t.Errorf("%d announcements during a sync", got)
	}
	if st := fresh.m.Stats(); st.Undecided != 0 || st.Ignored != 0 {
		t.Errorf("%+v", st)
	}
}

// TestSyncDuringMining: the chain grows while a new node syncs.
func TestSyncDuringMining(t *testing.T) {
	for _, mode := range []message.RelayMode{message.LowBandwidth, message.LowLatency} {
		s := newSim(t)
		old, fresh := s.node("old", mode), s.node("fresh", mode)
		s.node("other", mode)
		withUncles(old.chain, 2500)
		s.connect(fresh, old)
		s.connect(s.nodes[2], old)
		for range 100 {
			s.run(100 * time.Millisecond)
			old.mine(1)
		}
		s.runUntil(20*time.Second, "sync", s.oneTip)
	}
}

// TestLongerBranch: a node with a long chain of its own meets a longer one that
// shares nothing with it but the start. The new branch has less work than the
// own one for more than one round.
func TestLongerBranch(t *testing.T) {
	s := newSim(t)
	a, b := s.node("a", message.LowLatency), s.node("b", message.LowLatency)
	first := a.chain.Next(1)
	a.chain.Accept(first)
	b.chain.Accept(first)
	a.chain.Extend(5000, 2)
	b.chain.Extend(5001, 3)
	s.connect(a, b)
	s.runUntil(30*time.Second, "the longer branch wins", s.oneTip)

	// Once more where the other branch is there already but for its end: the
	// rounds bring known ids only until then.
	s = newSim(t)
	c, d := s.node("c", message.LowLatency), s.node("d", message.LowLatency)
	for _, n := range []*simNode{c, d} {
		n.chain.Accept(first)
		n.chain.Extend(5000, 2)
	}
	id, h := first.ID(), uint32(0)
	for range 5010 {
		h++
		sh := fakechain.New(id, h, 3)
		id = sh.ID()
		d.chain.Accept(sh)
		if h < 5000 {
			c.chain.Accept(sh)
		}
	}
	s.connect(c, d)
	s.runUntil(30*time.Second, "the end of the branch", s.oneTip)
}

// TestMissingParents: a peer sends a share far above what we have.
func TestMissingParents(t *testing.T) {
	for _, gap := range []int{1, 2, 15, 16, 17, 40, 99, 150, 3000} {
		for _, mode := range []message.RelayMode{message.LowBandwidth, message.LowLatency} {
			s := newSim(t)
			a, b := s.node("a", mode), s.node("b", mode)
			withUncles(a.chain, 50)
			s.connect(a, b)
			s.runUntil(5*time.Second, "first sync", s.oneTip)
			withUncles(a.chain, gap) // unannounced
			a.mine(1)
			took := s.runUntil(20*time.Second, "gap closed", s.oneTip)
			if gap <= ChaseParents && took > time.Second {
				t.Errorf("gap of %d closed after %v", gap, took)
			}
			if len(a.m.peers) != 1 {
				t.Errorf("gap of %d cost the connection", gap)
			}
		}
	}
}

// TestPartitionHeals: a and c mine apart, then b connects them.
func TestPartitionHeals(t *testing.T) {
	s := newSim(t)
	a, b, c := s.node("a", message.LowLatency), s.node("b", message.LowBandwidth), s.node("c", message.LowLatency)
	first := a.chain.Next(1)
	for _, n := range s.nodes {
		n.chain.Accept(first)
	}
	s.connect(b, c)
	a.mine(700)
	c.mine(300)
	s.run(time.Minute)
	s.connect(a, b)
	// c learns of a's branch only through b.
	if took := s.runUntil(time.Minute, "one tip", s.oneTip); took > 10*time.Second {
		t.Errorf("healed after %v", took)
	}
}

// TestSilentPeer: the peer that promises most never answers.
func TestSilentPeer(t *testing.T) {
	s := newSim(t)
	fresh, honest, silent := s.node("fresh", message.LowLatency), s.node("honest", message.LowLatency), s.node("silent", message.LowLatency)
	honest.chain.Extend(1000, 1)
	silent.answer = func(PeerID, message.Message) {}
	at := s.connect(fresh, silent)
	s.connect(fresh, honest)
	if took := s.runUntil(time.Minute, "sync", s.oneTip); took > StallTimeout+5*time.Second {
		t.Errorf("the silent peer held the sync up for %v", took)
	}
	s.runUntil(10*time.Minute, "the silent peer is dropped", func() bool { return !fresh.links[at].up })
	if st := fresh.m.Stats(); st.Stalls != MaxStalls || st.Invalid != 0 {
		t.Errorf("%+v", st)
	}
}

// TestSilentAfterInv: a peer names shares and never delivers them, or delivers
// others instead.
func TestSilentAfterInv(t *testing.T) {
	for _, others := range []bool{false, true} {
		for _, help := range []bool{false, true} {
			s := newSim(t)
			fresh, bad := s.node("fresh", message.LowLatency), s.node("bad", message.LowLatency)
			honest := s.node("honest", message.LowLatency)
			honest.chain.Extend(3000, 1)
			salt := uint32(1000)
			bad.answer = func(from PeerID, m message.Message) {
				switch r := m.(type) {
				case *message.GetLocator:
					bad.send(from, &message.Inv{IDs: honest.chain.AfterLocator(r.Locator, r.Stop, int(r.Max))})
				case *message.GetShares:
					for range r.IDs {
						salt++
						if others {
							raw := fakechain.New(chainhash.Hash{}, 0, salt).Encode()
							bad.send(from, &message.Shares{Raw: [][]byte{raw}})
						}
					}
				}
			}
			at := s.connect(fresh, bad)
			if help {
				s.connect(fresh, honest)
				s.runUntil(StallTimeout+10*time.Second, "sync", s.oneTip)
			} else {
				s.runUntil(2*(MaxStalls+1)*StallTimeout+time.Minute, "the bad peer is dropped", func() bool { return !fresh.links[at].up })
			}
		}
	}
}

// TestClaimLosesCredit: a peer that claims all work of the world and has nothing
// keeps nobody syncing.
func TestClaimLosesCredit(t *testing.T) {
	s := newSim(t)
	a, liar := s.node("a", message.LowLatency), s.node("liar", message.LowLatency)
	a.chain.Extend(10, 1)
	liar.answer = func(from PeerID, m message.Message) {
		if _, ok := m.(*message.GetLocator); ok {
			liar.send(from, &message.Inv{})
		}
	}
	s.connect(a, liar)
	s.run(75 * time.Millisecond)
	if !a.m.Progress(s.now).Syncing {
		t.Error("a claim isn't followed up")
	}
	s.run(time.Second)
	if pr := a.m.Progress(s.now); pr.Syncing || pr.BestHeight != 9 {
		t.Errorf("%+v", pr)
	}
	s.run(time.Hour)
	// Once for the claim, then the safety net.
	if got, most := a.sent[message.CmdGetLocator], 1+int(time.Hour/StaleInterval); got > most {
		t.Errorf("%d getlocators, want at most %d", got, most)
	}
}

// TestKnownRoundsEnd: a peer that repeats a full list of known ids for ever.
func TestKnownRoundsEnd(t *testing.T) {
	s := newSim(t)
	a, loop := s.node("a", message.LowLatency), s.node("loop", message.LowLatency)
	a.chain.Extend(message.MaxInv, 1)
	ids := a.chain.AfterLocator(nil, chainhash.Hash{}, message.MaxInv)
	loop.answer = func(from PeerID, m message.Message) {
		if _, ok := m.(*message.GetLocator); ok {
			loop.send(from, &message.Inv{IDs: ids})
		}
	}
	s.connect(a, loop)
	s.run(25 * time.Second)
	if got := a.sent[message.CmdGetLocator]; got != maxKnownRounds+1 {
		t.Errorf("%d rounds", got)
	}
}

// waitsForBitcoin judges shares while the Bitcoin node is behind.
func waitsForBitcoin(*share.Share) error {
	block := chainhash.Hash{1}
	return &blockchain.UndecidedError{Kind: blockchain.ErrMissingBitcoinBlock, MissingBlock: &block}
}

// TestWaitsForBitcoin: shares on a Bitcoin block we don't have yet are nobody's
// fault and are not downloaded again and again.
func TestWaitsForBitcoin(t *testing.T) {
	s := newSim(t)
	a, b := s.node("a", message.LowLatency), s.node("b", message.LowLatency)
	b.chain.Extend(100, 1)
	a.judge = waitsForBitcoin
	s.connect(a, b)
	s.run(time.Hour)
	if got := a.sent[message.CmdGetShares]; got > 15 || got < 5 {
		t.Errorf("%d requests in an hour", got)
	}
	if len(a.m.peers) != 1 || a.m.Stats().Invalid != 0 {
		t.Error("the peer was blamed")
	}
	a.judge = nil
	s.runUntil(10*time.Minute, "sync", s.oneTip)
}
