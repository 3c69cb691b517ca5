package p2p

import (
	"errors"
	"net"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/peer"
)

// TestJoinPruned: nodes join from one that has forgotten the start of its chain,
// one after the other, and mine on together.
func TestJoinPruned(t *testing.T) {
	noLeaks(t)
	old := new(fakechain.Chain)
	old.Extend(6000, 1)
	old.Prune(1000)
	a := start(t, old, nil)
	b := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "b syncs", sameTip(a, b))
	c := start(t, new(fakechain.Chain), dialing(b))
	eventually(t, "c syncs", sameTip(a, b, c))
	for i, s := range []*testServer{a, b, c} {
		s.mine(5, uint32(10+i))
		eventually(t, "shares are relayed", sameTip(a, b, c))
	}
	for _, s := range []*testServer{b, c} {
		// Some are undecided if the peer announced its tip before it answered.
		if st := s.Stats(); s.chain.Len() != 5015 || st.Invalid != 0 || s.chain.Longest() > verifyChunk {
			t.Errorf("%d shares, at most %d at a time, %+v", s.chain.Len(), s.chain.Longest(), st)
		}
	}

	// b is away for longer than a keeps shares.
	b.stop()
	eventually(t, "a notices", func() bool { return a.ConnectedCount() == 0 })
	a.mine(8000, 20)
	old.Prune(8000)
	b = start(t, b.chain, dialing(a))
	eventually(t, "b is back", sameTip(a, b))
	b.mine(1, 30)
	eventually(t, "and is heard", sameTip(a, b))
}

// stranger is a connection to a server with nothing but the handshake behind it.
type stranger struct {
	net.Conn
	t *testing.T
	s *testServer
	r *message.Reader
}

func meet(t *testing.T, s *testServer) *stranger {
	t.Helper()
	conn := dial(t, s)
	m := &stranger{conn, t, s, message.NewReader(conn, s.cfg.Params.Magic)}
	m.send(&message.Version{Protocol: 1, Nonce: 1, ChainID: s.cfg.Params.ChainID, Mode: message.LowLatency})
	m.next()
	m.send(&message.VerAck{})
	m.next()
	return m
}

func (m *stranger) send(msg message.Message) {
	m.t.Helper()
	frame, err := message.AppendFrame(nil, m.s.cfg.Params.Magic, msg)
	if err == nil {
		_, err = m.Write(frame)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *stranger) next() {
	m.t.Helper()
	if _, err := m.r.Next(); err != nil {
		m.t.Fatal(err)
	}
}

// line makes n shares in a row from the first of a chain on.
func line(n int) (list []*share.Share, raw [][]byte) {
	var parent chainhash.Hash
	for h := range n {
		s := fakechain.New(parent, uint32(h), 5)
		parent = s.ID()
		list, raw = append(list, s), append(raw, s.Encode())
	}
	return list, raw
}

// TestInvalidInBatch: of a hundred shares at once the fortieth is forged. Those
// before it count, its sender goes, and nobody is blamed for those after it.
func TestInvalidInBatch(t *testing.T) {
	const forged, sent = 40, 100
	list, raw := line(sent)
	raw[forged] = fakechain.Forge(list[forged]).Encode()
	a := start(t, new(fakechain.Chain), nil)
	honest := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "connected", func() bool { return a.ConnectedCount() == 1 })
	bad := meet(t, a)
	eventually(t, "and the bad one", func() bool { return a.ConnectedCount() == 2 })
	bad.send(&message.Shares{Raw: raw})
	eventually(t, "the sender is gone", func() bool { return a.ConnectedCount() == 1 })
	eventually(t, "the valid ones are relayed", func() bool { return honest.chain.Len() == forged })
	st := a.Stats()
	if a.chain.Len() != forged || st.Valid != forged || st.Invalid != 1 || st.Undecided != verifyChunk-forged-1 || st.Stalls != 0 {
		t.Errorf("%d shares, %+v", a.chain.Len(), st)
	}
	if got := a.chain.Accepts(); got != verifyChunk {
		t.Errorf("%d shares were judged, want one chunk of %d", got, verifyChunk)
	}
	// The honest node has the real one, and can send those above as well.
	for _, s := range list[forged:] {
		// The other node, whose orphans are free now, may be faster.
		if err := honest.chain.Accept(s); err != nil && !errors.Is(err, blockchain.ErrDuplicate) {
			t.Fatal(err)
		}
		honest.Announce(s.ID())
	}
	eventually(t, "all others come from the honest node", func() bool { return a.chain.Len() == sent })
	if a.ConnectedCount() != 1 || a.Stats().Invalid != 1 {
		t.Errorf("%d peers, %+v", a.ConnectedCount(), a.Stats())
	}
}

// TestGoneBetweenChunks: a peer that goes while its shares are judged costs the
// chunk under way and no more. What was not judged may come again.
func TestGoneBetweenChunks(t *testing.T) {
	const sent = 3 * verifyChunk
	list, raw := line(sent)
	chain := new(fakechain.Chain)
	var a *testServer
	chain.OnAccept = func(s *share.Share) {
		if s.ID() == list[0].ID() {
			a.mu.Lock()
			defer a.mu.Unlock()
			for _, p := range a.peers {
				p.Disconnect(peer.ReasonConnection, nil)
			}
		}
	}
	a = start(t, chain, nil)
	meet(t, a).send(&message.Shares{Raw: raw})
	eventually(t, "one chunk is judged", func() bool { return chain.Accepts() > 0 && a.ConnectedCount() == 0 })
	if st := a.Stats(); chain.Accepts() != verifyChunk || chain.Len() != verifyChunk || st.Valid != verifyChunk {
		t.Errorf("%d judged, %d valid, %+v", chain.Accepts(), chain.Len(), st)
	}
	again := meet(t, a)
	again.send(&message.Shares{Raw: raw[verifyChunk:]})
	eventually(t, "the others", func() bool { return a.Stats().Valid == sent })
	if st := a.Stats(); chain.Len() != sent || st.Ignored+st.Invalid+st.Undecided != 0 {
		t.Errorf("%+v", st)
	}
}
