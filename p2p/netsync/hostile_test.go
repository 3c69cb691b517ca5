package netsync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// slack is how far behind miners may be, as in cmd/p2poold.
const slack = 3

// proven reports whether a node is behind by what was proven.
func (n *simNode) proven() bool {
	pr := n.m.Progress(n.now)
	return pr.Proven && pr.Offered > pr.Height+slack
}

// junk returns ids that nobody has.
func junk(salt, n int) []chainhash.Hash {
	ids := make([]chainhash.Hash, n)
	for i := range ids {
		ids[i] = chainhash.Hash{9, byte(i), byte(i >> 8), byte(salt), byte(salt >> 8)}
	}
	return ids
}

// copyChain gives b the chain of a.
func copyChain(t *testing.T, a, b *simNode) {
	t.Helper()
	for _, id := range a.chain.AfterLocator(nil, chainhash.Hash{}, 1<<20) {
		raw, err := a.chain.Share(id)
		if err != nil {
			t.Fatal(err)
		}
		sh, err := share.Decode(raw)
		if err == nil {
			err = b.chain.Accept(sh)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestClaimHoldsNothing: an inbound peer that claims all work of the world and
// has nothing proves no sync, ends the first attempt and costs few sessions,
// also if it comes back whenever it is thrown out.
func TestClaimHoldsNothing(t *testing.T) {
	for _, how := range []string{"junk ids", "silent", "relays"} {
		s := newSim(t)
		a, liar, honest := s.node("a", message.LowLatency), s.node("liar", message.LowLatency), s.node("honest", message.LowLatency)
		a.chain.Extend(10, 1)
		copyChain(t, a, honest)
		salt := 0
		liar.answer = func(from PeerID, m message.Message) {
			switch r := m.(type) {
			case *message.GetLocator:
				if how != "silent" {
					salt++
					liar.send(from, &message.Inv{IDs: junk(salt, message.MaxInv)})
				}
			case *message.GetShares:
				if how == "junk ids" {
					liar.send(from, &message.NotFound{IDs: r.IDs})
				}
			}
		}
		s.connect(a, honest)
		at := s.connect(liar, a)
		sessions := 0
		for i := range 6 * 60 { // an hour, a share every 10 s
			if how == "relays" { // the liar passes a new share on, a little before the honest node
				next := honest.chain.Next(1)
				for id, l := range liar.links {
					if l.up {
						liar.send(id, &message.Inv{IDs: []chainhash.Hash{next.ID()}})
						liar.send(id, &message.Shares{Raw: [][]byte{next.Encode()}})
					}
				}
				s.run(100 * time.Millisecond)
			}
			honest.mine(1)
			for range 10 {
				s.run(time.Second)
				if a.proven() {
					t.Fatalf("%s: the claim is proven: %+v", how, a.m.Progress(s.now))
				}
				if a.m.session != nil && a.m.session.peer.inbound {
					sessions++
				}
			}
			if i == 6 && !a.m.Progress(s.now).Attempted {
				t.Errorf("%s: the first attempt doesn't end", how)
			}
			if !liar.links[at].up {
				at = s.connect(liar, a)
			}
		}
		if _, height, _ := a.chain.Tip(); height < 9+359 {
			t.Errorf("%s: height %d", how, height)
		}
		t.Logf("%s: %d s of sessions with the liar, %d junk lists", how, sessions, salt)
		if how == "junk ids" && salt > 7 {
			t.Errorf("%s: %d sessions in an hour", how, salt)
		}
	}
}

// TestDrip: the session's peer has none of what it names and says so one id at a
// time, or delivers one real share in a while. An honest peer has its turn soon.
func TestDrip(t *testing.T) {
	for _, real := range []bool{false, true} {
		s := newSim(t)
		a, drip, honest := s.node("a", message.LowLatency), s.node("drip", message.LowLatency), s.node("honest", message.LowLatency)
		ids := honest.chain.Extend(3000, 1)
		drip.answer = func(from PeerID, m message.Message) {
			switch r := m.(type) {
			case *message.GetLocator:
				if real {
					drip.send(from, &message.Inv{IDs: ids[:message.MaxInv]})
				} else {
					drip.send(from, &message.Inv{IDs: junk(1, message.MaxInv)})
				}
			case *message.GetShares:
				for i, id := range r.IDs {
					var answer message.Message = &message.NotFound{IDs: []chainhash.Hash{id}}
					if raw, err := honest.chain.Share(id); err == nil {
						answer = &message.Shares{Raw: [][]byte{raw}}
					}
					drip.after(time.Duration(i+1)*29*time.Second, func() { drip.send(from, answer) })
				}
			}
		}
		s.connect(drip, a)
		s.run(time.Second)
		s.connect(a, honest)
		took := s.runUntil(12*time.Hour, "sync", func() bool { return a.chain.Len() == 3000 })
		if took > SessionTimeout+10*time.Second {
			t.Errorf("real shares %v: the sync was held up for %v", real, took)
		}
	}
}

// TestSlowSessionAlone: a slow peer is kept while there is no other to sync from.
func TestSlowSessionAlone(t *testing.T) {
	s := newSim(t)
	a, slow := s.node("a", message.LowLatency), s.node("slow", message.LowLatency)
	slow.chain.Extend(12, 1)
	slow.answer = func(from PeerID, m message.Message) {
		switch r := m.(type) {
		case *message.GetLocator:
			slow.send(from, &message.Inv{IDs: slow.chain.AfterLocator(r.Locator, r.Stop, int(r.Max))})
		case *message.GetShares:
			for i, id := range r.IDs {
				raw, _ := slow.chain.Share(id)
				slow.after(time.Duration(i+1)*20*time.Second, func() { slow.send(from, &message.Shares{Raw: [][]byte{raw}}) })
			}
		}
	}
	s.connect(a, slow)
	s.runUntil(5*time.Minute, "sync", func() bool { return a.chain.Len() == 12 })
	if a.m.Stats().Stalls != 0 {
		t.Errorf("%+v", a.m.Stats())
	}
}

// TestProvenSync: a sync from an honest peer is proven while it lasts, and no
// longer.
func TestProvenSync(t *testing.T) {
	s := newSim(t)
	fresh, old := s.node("fresh", message.LowLatency), s.node("old", message.LowLatency)
	old.chain.Extend(5000, 1)
	if pr := fresh.m.Progress(s.now); pr.Attempted || pr.Proven {
		t.Errorf("before: %+v", pr)
	}
	s.connect(fresh, old)
	for !s.oneTip() {
		s.run(10 * time.Millisecond)
		_, height, _ := fresh.chain.Tip()
		switch pr := fresh.m.Progress(s.now); {
		case pr.Attempted:
			t.Fatalf("the attempt ended early: %+v", pr)
		case height > provenShares && height < 4990 && !fresh.proven():
			t.Fatalf("not proven: %+v", pr)
		}
	}
	s.run(time.Second)
	if pr := fresh.m.Progress(s.now); pr.Proven || pr.Offered != 4999 || !pr.Attempted {
		t.Errorf("after: %+v", pr)
	}

	// A session that stops bringing shares is proven for a while only.
	s = newSim(t)
	fresh, old = s.node("fresh", message.LowLatency), s.node("old", message.LowLatency)
	old.chain.Extend(5000, 1)
	s.connect(fresh, old)
	s.runUntil(time.Minute, "half a sync", func() bool { return fresh.chain.Len() > 1000 })
	s.lose = func(*simNode, *simNode, message.Message) bool { return true }
	s.run(ProvenInterval / 2)
	if !fresh.proven() {
		t.Error("not proven right after the last share")
	}
	s.run(ProvenInterval)
	if fresh.proven() {
		t.Error("proven long after the last share")
	}
}

// released makes a Manager with three peers whose chain holds an orphan, a share
// of peer 1. Peer 2 sends a copy of it, then peer 1 the missing parent, before the
// copy is judged. Announce is told of the orphan.
func released(t *testing.T, copied func(*share.Share) *share.Share) (m *Manager, c *fakechain.Chain, now time.Time, orphan, other *share.Share) {
	t.Helper()
	c = new(fakechain.Chain)
	m = New(Config{Chain: c, Mode: message.LowLatency})
	now = time.Unix(1_700_000_000, 0)
	for id := PeerID(1); id <= 3; id++ {
		m.Connected(now, id, false, &message.Version{Protocol: 1, Mode: message.LowLatency}, chainhash.Hash{})
	}
	c.Extend(1, 1)
	parent := c.Next(1)
	orphan = fakechain.New(parent.ID(), 2, 1)
	m.Receive(now, 1, &message.Shares{Raw: [][]byte{orphan.Encode()}})
	m.Verdict(now, 1, orphan, c.Accept(orphan))
	other = copied(orphan)
	m.Receive(now, 2, &message.Shares{Raw: [][]byte{other.Encode()}})
	m.Receive(now, 1, &message.Shares{Raw: [][]byte{parent.Encode()}})
	m.Verdict(now, 1, parent, c.Accept(parent))
	if !m.Passed(orphan.ID()) {
		t.Error("a share whose verdict is awaited would be announced")
	}
	return m, c, now, orphan, other
}

// publishes counts the Publish actions for a share.
func publishes(actions []Action, id chainhash.Hash) (n int) {
	for _, a := range actions {
		if p, ok := a.(*Publish); ok && p.ID == id {
			n++
		}
	}
	return n
}

// TestReleasedOrphan: an orphan that becomes valid while a copy of it waits for
// its verdict is relayed once, whatever happens to the copy.
func TestReleasedOrphan(t *testing.T) {
	same := func(s *share.Share) *share.Share { return s }
	for _, test := range []struct {
		name   string
		copied func(*share.Share) *share.Share
		judged bool
	}{
		{"duplicate", same, true},
		{"forgery", fakechain.Forge, true},
		{"sender gone", same, false},
	} {
		m, c, now, orphan, other := released(t, test.copied)
		id := orphan.ID()
		var out []Action
		if test.judged {
			out = m.Verdict(now, 2, other, c.Accept(other))
		} else {
			m.Disconnected(now, 2)
			out = m.Unverified(now, []*share.Share{other})
		}
		if publishes(out, id) != 1 {
			t.Errorf("%s: %v", test.name, out)
		}
		// Another copy comes in between.
		m.Receive(now, 1, &message.Shares{Raw: [][]byte{orphan.Encode()}})
		if m.Passed(id) {
			t.Errorf("%s: not to be announced", test.name)
		}
		out = m.Announce(now, id, orphan.Encode())
		if len(out) != 1 || out[0].(*Send).To != 3 {
			t.Errorf("%s: announced by %v", test.name, out)
		}
		if out = m.Verdict(now, 1, orphan, c.Accept(orphan)); publishes(out, id) != 0 || !m.Passed(id) {
			t.Errorf("%s: announced twice", test.name)
		}
		if out = m.Announce(now, id, orphan.Encode()); len(out) != 0 {
			t.Errorf("%s: announced twice", test.name)
		}
	}

	// The hook may be later than the verdict on the copy.
	c := new(fakechain.Chain)
	m := New(Config{Chain: c, Mode: message.LowLatency})
	now := time.Unix(1_700_000_000, 0)
	m.Connected(now, 1, false, &message.Version{Mode: message.LowLatency}, chainhash.Hash{})
	m.Connected(now, 2, false, &message.Version{Mode: message.LowLatency}, chainhash.Hash{})
	first := c.Next(1)
	m.Receive(now, 1, &message.Shares{Raw: [][]byte{first.Encode()}})
	c.Accept(first) // by another path
	m.Verdict(now, 1, first, c.Accept(first))
	if out := m.Announce(now, first.ID(), first.Encode()); len(out) != 1 {
		t.Errorf("a late announcement: %v", out)
	}
}
