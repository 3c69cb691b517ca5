package netsync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// TestRelayLine: a share crosses a line of nodes, in one hop per delay on
// low-latency links and in three (inv, getshares, shares) on the others.
func TestRelayLine(t *testing.T) {
	tests := []struct {
		name  string
		modes [5]message.RelayMode
		hops  int
	}{
		{"low latency", [5]message.RelayMode{1, 1, 1, 1, 1}, 4},
		{"low bandwidth", [5]message.RelayMode{0, 0, 0, 0, 0}, 12},
		{"the lower of both sides", [5]message.RelayMode{1, 0, 1, 0, 1}, 12},
	}
	for _, test := range tests {
		s := newSim(t)
		for i, mode := range test.modes {
			n := s.node(string(rune('a'+i)), mode)
			n.announceAll = true
			if i > 0 {
				s.connect(s.nodes[i-1], n)
			}
		}
		s.run(200 * time.Millisecond)
		s.nodes[0].mine(1)
		s.run(time.Duration(test.hops)*s.delay - 1)
		if s.oneTip() {
			t.Errorf("%s: too fast", test.name)
		}
		s.run(1)
		if !s.oneTip() {
			t.Errorf("%s: not there after %d hops", test.name, test.hops)
		}
		s.run(time.Second)
		for _, n := range s.nodes {
			if got := n.sent[message.CmdShares] + n.sent[message.CmdInv]; got > 2 {
				t.Errorf("%s: %s sent %v", test.name, n.name, n.sent)
			}
			if n != s.nodes[0] && n.chain.Accepts() != 1 {
				t.Errorf("%s: %s verified %d shares", test.name, n.name, n.chain.Accepts())
			}
		}
	}
}

func TestSetMode(t *testing.T) {
	s := newSim(t)
	a, b := s.node("a", message.LowLatency), s.node("b", message.LowLatency)
	at := s.connect(a, b)
	s.run(time.Second)
	b.do(b.m.SetMode(s.now, message.LowBandwidth))
	s.run(time.Second)
	if st, ok := a.m.Peer(at); !ok || st.Mode != message.LowBandwidth {
		t.Errorf("%+v %v", st, ok)
	}
	a.mine(1)
	s.run(time.Second)
	if !s.oneTip() || a.sent[message.CmdInv] != 1 || a.sent[message.CmdShares] != 1 {
		t.Errorf("relayed by %v", a.sent)
	}
}

// mesh makes n nodes with about links connections each, modes mixed.
func mesh(s *sim, n, links int) {
	first := fakechain.New(chainhash.Hash{}, 0, 7)
	for i := range n {
		node := s.node(string(rune('a'+i)), message.RelayMode(i%2))
		node.announceAll = i%3 == 0
		node.chain.Accept(first)
		for range links / 2 {
			if i > 0 {
				s.connect(node, s.nodes[s.rng.IntN(i)])
			}
		}
	}
	s.run(time.Second)
}

// TestMeshMining: everybody mines, forks happen, in the end there is one tip.
func TestMeshMining(t *testing.T) {
	s := newSim(t)
	mesh(s, 10, 4)
	for range 300 {
		s.run(time.Duration(s.rng.ExpFloat64() * float64(300*time.Millisecond)))
		s.nodes[s.rng.IntN(len(s.nodes))].mine(1)
	}
	// Branches of equal work stay as they were first seen; the next share decides.
	s.run(time.Second)
	s.nodes[0].mine(3)
	s.runUntil(5*time.Second, "one tip", s.oneTip)
	for _, n := range s.nodes {
		if st := n.m.Stats(); st.Invalid != 0 || st.Stalls != 0 {
			t.Errorf("%s: %+v", n.name, st)
		}
	}
}

// TestLoss: three messages of ten get lost for ten minutes.
func TestLoss(t *testing.T) {
	s := newSim(t)
	mesh(s, 8, 6)
	s.lose = func(_, _ *simNode, m message.Message) bool { return s.rng.IntN(10) < 3 }
	for range 120 {
		s.run(5 * time.Second)
		s.nodes[s.rng.IntN(len(s.nodes))].mine(1)
	}
	s.lose = nil
	s.run(time.Second)
	s.nodes[0].mine(10) // well ahead of the branches that the loss has left
	took := s.runUntil(3*time.Minute, "one tip", s.oneTip)
	t.Logf("one tip after %v; %+v", took, s.nodes[0].m.Stats())
}

// TestLostAnnouncement: nobody ever asks for a lost share but the safety net.
func TestLostAnnouncement(t *testing.T) {
	s := newSim(t)
	a, b := s.node("a", message.LowLatency), s.node("b", message.LowLatency)
	s.connect(a, b)
	s.run(time.Second)
	s.lose = func(_, _ *simNode, m message.Message) bool { return m.Command() == message.CmdShares }
	a.mine(1)
	s.run(time.Second)
	s.lose = nil
	if took := s.runUntil(time.Minute, "the lost share", s.oneTip); took > StaleInterval+5*time.Second {
		t.Errorf("found after %v", took)
	}
}

// TestSlowAnnouncer: the first to announce a share never delivers it; another
// does after RelayTimeout, and the first is dropped in the end.
func TestSlowAnnouncer(t *testing.T) {
	s := newSim(t)
	a, honest, slow := s.node("a", message.LowBandwidth), s.node("honest", message.LowBandwidth), s.node("slow", message.LowBandwidth)
	slow.answer = func(PeerID, message.Message) {}
	at := s.connect(a, slow)
	s.connect(a, honest)
	s.run(time.Second)
	next := honest.chain.Next(1)
	slow.send(1, &message.Inv{IDs: []chainhash.Hash{next.ID()}})
	s.run(10 * time.Millisecond)
	honest.chain.Accept(next)
	honest.announce(next.ID())
	if took := s.runUntil(time.Minute, "the share", s.oneTip); took > RelayTimeout+2*time.Second {
		t.Errorf("after %v", took)
	}
	s.runUntil(10*time.Minute, "the slow peer is dropped", func() bool { return !a.links[at].up })
}

// TestNotFound: the announcer says no, another has the share.
func TestNotFound(t *testing.T) {
	s := newSim(t)
	a, honest, no := s.node("a", message.LowBandwidth), s.node("honest", message.LowBandwidth), s.node("no", message.LowBandwidth)
	no.answer = func(from PeerID, m message.Message) {
		if r, ok := m.(*message.GetShares); ok {
			s.after(time.Second, func() { no.send(from, &message.NotFound{IDs: r.IDs}) })
		}
	}
	at := s.connect(a, no)
	s.connect(a, honest)
	s.run(100 * time.Millisecond)
	a.m.finishSession() // the unanswered one with no
	next := honest.chain.Next(1)
	no.send(1, &message.Inv{IDs: []chainhash.Hash{next.ID()}})
	s.run(10 * time.Millisecond)
	honest.chain.Accept(next)
	honest.announce(next.ID())
	if took := s.runUntil(time.Minute, "the share", s.oneTip); took > 2*time.Second {
		t.Errorf("after %v", took)
	}
	if !a.links[at].up {
		t.Error("an honest no cost the connection")
	}
	// Answers nobody asked for are ignored.
	no.send(1, &message.NotFound{IDs: []chainhash.Hash{{1}, {2}}})
	s.run(time.Second)
}

// TestForgedShare: the first to send a share sends a forgery under its id. The
// forger goes, the share arrives.
func TestForgedShare(t *testing.T) {
	s := newSim(t)
	a, honest, forger := s.node("a", message.LowBandwidth), s.node("honest", message.LowBandwidth), s.node("forger", message.LowBandwidth)
	var next *share.Share
	forger.answer = func(from PeerID, m message.Message) {
		if _, ok := m.(*message.GetShares); ok {
			forger.send(from, &message.Shares{Raw: [][]byte{fakechain.Forge(next).Encode()}})
		}
	}
	at := s.connect(a, forger)
	s.connect(a, honest)
	s.run(time.Second)
	next = honest.chain.Next(1)
	forger.send(1, &message.Inv{IDs: []chainhash.Hash{next.ID()}})
	s.run(10 * time.Millisecond)
	honest.chain.Accept(next)
	honest.announce(next.ID())
	s.runUntil(time.Second, "the share", s.oneTip)
	if a.links[at].up || a.m.Stats().Invalid != 1 {
		t.Error("the forger stays")
	}
}

// TestUndecodable: bytes that are no share end the connection.
func TestUndecodable(t *testing.T) {
	s := newSim(t)
	a, bad := s.node("a", message.LowLatency), s.node("bad", message.LowLatency)
	bad.answer = func(PeerID, message.Message) {}
	at := s.connect(a, bad)
	s.run(time.Second)
	bad.send(1, &message.Shares{Raw: [][]byte{make([]byte, 100)}})
	s.run(time.Second)
	if a.links[at].up || a.m.Stats().Invalid != 1 {
		t.Error("the peer stays")
	}
}

// TestDuplicateFlood: the same share over and over is relayed once.
func TestDuplicateFlood(t *testing.T) {
	s := newSim(t)
	a, b, flood := s.node("a", message.LowLatency), s.node("b", message.LowLatency), s.node("flood", message.LowLatency)
	flood.answer = func(PeerID, message.Message) {}
	s.connect(a, flood)
	s.connect(a, b)
	s.run(time.Second)
	raw := a.chain.Next(5).Encode()
	many := &message.Shares{}
	for range 300 {
		many.Raw = append(many.Raw, raw)
	}
	for range 5 {
		flood.send(1, many)
	}
	s.run(time.Second)
	if !s.oneTip() || a.sent[message.CmdShares] != 1 || b.sent[message.CmdShares] != 0 {
		t.Errorf("a sent %v, b %v", a.sent, b.sent)
	}
	if st := a.m.Stats(); st.Valid != 1 || st.Ignored != 5*300-1 {
		t.Errorf("%+v", st)
	}
}

// TestInvFlood: ids without end cost bounded memory; a sync is still possible.
func TestInvFlood(t *testing.T) {
	s := newSim(t)
	a := s.node("a", message.LowLatency)
	var floods []*simNode
	for range 70 { // 70 × MaxAnnounced exceed what strangers may take of MaxWants
		f := s.node("flood", message.LowLatency)
		f.answer = func(from PeerID, m message.Message) {
			if _, ok := m.(*message.GetLocator); ok {
				f.send(from, &message.Inv{})
			}
		}
		s.connect(f, a)
		floods = append(floods, f)
	}
	s.run(time.Second)
	for range 3 {
		for _, f := range floods {
			inv := &message.Inv{IDs: make([]chainhash.Hash, message.MaxInv)}
			for i := range inv.IDs {
				for j := 0; j < 8; j++ {
					inv.IDs[i][j] = byte(s.rng.Uint32())
				}
			}
			f.send(1, inv)
		}
	}
	s.run(2 * time.Second)
	if got, most := len(a.m.wants), MaxWants-MaxSyncWants; got < most || got > most+MaxSyncWants {
		t.Errorf("%d wants", got)
	}
	honest := s.node("honest", message.LowLatency)
	honest.chain.Extend(3000, 1)
	s.connect(a, honest)
	// The session with one of the flood has to stall first; then comes the peer
	// that a has dialed itself.
	s.runUntil(StallTimeout+5*time.Second, "sync", func() bool { return a.chain.Len() == 3000 })
	s.run(10 * time.Minute)
	if len(a.m.wants) != 0 {
		t.Errorf("%d wants are left", len(a.m.wants))
	}
}

// TestOrphanFlood: shares whose parents nobody has are asked for a few times.
func TestOrphanFlood(t *testing.T) {
	s := newSim(t)
	a, flood := s.node("a", message.LowLatency), s.node("flood", message.LowLatency)
	flood.answer = func(from PeerID, m message.Message) {
		switch r := m.(type) {
		case *message.GetLocator:
			flood.send(from, &message.Inv{})
		case *message.GetShares:
			flood.send(from, &message.NotFound{IDs: r.IDs})
		}
	}
	at := s.connect(a, flood)
	s.run(time.Second)
	for i := range 1000 {
		orphan := fakechain.New(chainhash.Hash{1, byte(i), byte(i >> 8)}, 5, 1)
		flood.send(1, &message.Shares{Raw: [][]byte{orphan.Encode()}})
	}
	s.run(time.Minute)
	if got := a.sent[message.CmdGetShares]; got > MaxChases {
		t.Errorf("%d requests for invented parents", got)
	}
	if !a.links[at].up || a.m.Stats().Invalid != 0 {
		t.Error("undecided shares were held against the sender")
	}
}

func TestTooManyPeers(t *testing.T) {
	m := New(Config{Chain: new(fakechain.Chain)})
	now := time.Unix(0, 0)
	for id := PeerID(1); id <= MaxPeers; id++ {
		if got := m.Connected(now, id, true, &message.Version{}, chainhash.Hash{}); len(got) != 0 {
			t.Fatalf("peer %d: %v", id, got)
		}
	}
	got := m.Connected(now, MaxPeers+1, true, &message.Version{}, chainhash.Hash{})
	if len(got) != 1 {
		t.Fatalf("%v", got)
	}
	if d, ok := got[0].(*Disconnect); !ok || d.Misbehaviour {
		t.Errorf("%+v", got[0])
	}
	if got := m.Receive(now, MaxPeers+1, &message.Inv{}); len(got) != 0 {
		t.Errorf("a peer that was turned away is heard: %v", got)
	}
}
