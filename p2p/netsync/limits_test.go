package netsync

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// checkLimits verifies the Manager's limits and its books.
func checkLimits(t testing.TB, m *Manager) {
	t.Helper()
	if len(m.wants) > MaxWants || len(m.peers) > MaxPeers || len(m.announced.set)+len(m.awaited.set)+len(m.released.set) > 3*maxJudged {
		t.Fatalf("%d wants, %d peers, %d announced, %d awaited, %d released", len(m.wants), len(m.peers),
			len(m.announced.set), len(m.awaited.set), len(m.released.set))
	}
	wants, syncs := make(map[*peerState]int), make(map[*peerState]int)
	live, size := 0, 0
	window := make(map[*want]bool)
	if m.session != nil {
		for _, w := range m.session.window.order {
			window[w] = true
		}
	}
	for id, w := range m.wants {
		if w.id != id || w.peer == nil || w.peer.gone || w.state == wantOver {
			t.Fatalf("want %v is broken: %+v", id, w)
		}
		wants[w.peer]++
		if (w.share != nil) != (w.sync && w.state >= wantArrived) || w.share == nil && w.size > 0 {
			t.Fatalf("want %v has the wrong share: %+v", id, w)
		}
		size += w.size
		if w.sync {
			syncs[w.peer]++
			live++
			switch {
			case !window[w]:
				t.Fatal("a session's want outlives it")
			case w.state == wantQueued && m.session.peer != w.peer, m.isRoot(w) && m.session.peer != w.peer:
				t.Fatalf("want %v names another than the session's peer: %+v", id, w)
			}
		}
	}
	checkWindow(t, m, live, size)
	for _, p := range m.order {
		if p.wants != wants[p] || p.syncWants != syncs[p] || p.wants > MaxSyncWants+MaxAnnounced {
			t.Fatalf("peer %d is booked with %d/%d wants, has %d/%d", p.id, p.wants, p.syncWants, wants[p], syncs[p])
		}
		if len(p.requests) > MaxRequests || len(p.known.set) > MaxKnown || len(p.known.ring) > MaxKnown {
			t.Fatalf("peer %d has %d requests, %d known", p.id, len(p.requests), len(p.known.set))
		}
		for _, r := range p.requests {
			if len(r.pending) == 0 || len(r.pending) > MaxBatch {
				t.Fatalf("peer %d has a request of %d", p.id, len(r.pending))
			}
		}
	}
}

// checkWindow verifies that the session's window has so many wants and bytes.
func checkWindow(t testing.TB, m *Manager, live, size int) {
	t.Helper()
	if len(m.flight) > MaxBatch || m.patience < minPatience || m.patience > maxPatience {
		t.Fatalf("%d shares are out to be verified, patience is %v", len(m.flight), m.patience)
	}
	if m.session == nil {
		return
	}
	win := &m.session.window
	if win.live != live || live > MaxSyncWants || win.bytes != size || size > MaxWindowBytes || len(win.order) > 3*MaxSyncWants {
		t.Fatalf("the window has %d wants and %d bytes, its books say %d and %d, length %d", live, size, win.live, win.bytes, len(win.order))
	}
	if i := slices.IndexFunc(win.order, func(w *want) bool { return w.inWindow() && w.state == wantQueued }); i >= 0 && i < win.next {
		t.Fatalf("want %d is passed over, the next is %d", i, win.next)
	}
}

// FuzzManager drives a Manager with arbitrary events: three bytes each, what
// happens, to which peer, with which share. It must keep its limits and books,
// send within the messages' limits, and repeat itself for the same input.
func FuzzManager(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 1, 5, 8, 0, 0, 9, 1, 5})
	f.Add([]byte{0, 0, 9, 0, 1, 9, 2, 0, 7, 2, 1, 7, 10, 0, 40, 3, 1, 7, 4, 0, 7, 10, 0, 40, 1, 0, 0})
	f.Add([]byte{0, 0, 9, 3, 0, 9, 3, 0, 8, 5, 0, 7, 6, 0, 3, 7, 0, 3, 10, 0, 200, 10, 0, 200})
	f.Fuzz(func(t *testing.T, events []byte) {
		first := fuzzRun(t, events)
		if again := fuzzRun(t, events); first != again {
			t.Fatal("two runs differ")
		}
	})
}

// fuzzRun returns a hash over all that the Manager did.
func fuzzRun(t *testing.T, events []byte) chainhash.Hash {
	shares := make([]*share.Share, 0, 40) // a chain of 30, branches off it
	var parent chainhash.Hash
	for h := range uint32(30) {
		shares = append(shares, fakechain.New(parent, h, 1))
		parent = shares[h].ID()
	}
	for i := range 10 {
		shares = append(shares, fakechain.New(shares[2*i].ID(), uint32(2*i+1), 2, shares[2*i+1].ID()))
	}
	m := New(Config{Chain: new(fakechain.Chain), Mode: message.LowLatency})
	now := time.Unix(1_700_000_000, 0)
	ids := make(map[byte]PeerID)
	var last PeerID
	var log []byte
	for len(events) >= 3 {
		what, who, arg := events[0]%11, events[1]%4, events[2]
		events = events[3:]
		s := shares[int(arg)%len(shares)]
		if what == 0 {
			last++
			ids[who] = last
		}
		now = now.Add(time.Duration(arg) * time.Millisecond)
		actions := fuzzEvent(m, now, what, ids[who], arg, s)
		checkLimits(t, m)
		log = append(log, fuzzActions(t, m, now, actions)...)
	}
	return chainhash.HashH(log)
}

// fuzzEvent makes one event happen.
func fuzzEvent(m *Manager, now time.Time, what byte, id PeerID, arg byte, s *share.Share) []Action {
	sid := s.ID()
	switch what {
	case 0:
		v := &message.Version{Protocol: 1, Height: uint32(arg), Best: sid, Mode: message.RelayMode(arg % 2)}
		v.Work.SetUint64(uint64(arg))
		return m.Connected(now, id, arg%3 == 0, v, chainhash.Hash{})
	case 1:
		return m.Disconnected(now, id)
	case 2:
		inv := &message.Inv{}
		for i := range int(arg) * 20 {
			h := chainhash.Hash{arg}
			binary.LittleEndian.PutUint32(h[1:], uint32(i))
			inv.IDs = append(inv.IDs, h)
		}
		return m.Receive(now, id, inv)
	case 3:
		return m.Receive(now, id, &message.Inv{IDs: []chainhash.Hash{s.Data.Previous, sid}})
	case 4:
		return m.Receive(now, id, &message.Shares{Raw: [][]byte{s.Encode()}})
	case 5:
		return m.Receive(now, id, &message.Shares{Raw: [][]byte{fakechain.Forge(s).Encode(), make([]byte, arg)}})
	case 6:
		return m.Receive(now, id, &message.NotFound{IDs: []chainhash.Hash{sid, s.Data.Previous}})
	case 7:
		return m.Receive(now, id, &message.SetMode{Mode: message.RelayMode(arg % 2)})
	case 8:
		return m.Announce(now, sid, s.Encode())
	case 9:
		missing := &blockchain.UndecidedError{MissingShares: []chainhash.Hash{s.Data.Previous, {arg}}}
		return m.Verdict(now, id, s, []error{nil, missing, share.RuleError{}, message.ErrField}[arg%4])
	default:
		return m.Tick(now.Add(time.Duration(arg) * time.Second))
	}
}

// fuzzActions carries out the shares' part of the actions and returns a record
// of all.
func fuzzActions(t *testing.T, m *Manager, now time.Time, actions []Action) (log []byte) {
	for _, a := range actions {
		switch a := a.(type) {
		case *Send:
			frame, err := message.AppendFrame(nil, 0, a.Message)
			if err != nil {
				t.Fatal(err)
			}
			log = append(append(log, byte(a.To)), frame...)
		case *Publish:
			log = append(log, a.ID[:]...)
		case *Disconnect:
			log = append(log, "disconnect"...)
		case *Verify:
			errs := m.chain.(*fakechain.Chain).AcceptAll(a.Shares, a.Root)
			log = append(log, a.Root[:]...)
			for i, s := range a.Shares {
				log = append(log, fuzzActions(t, m, now, m.Verdict(now, a.From, s, errs[i]))...)
				checkLimits(t, m)
			}
		}
	}
	return log
}

func TestKnownSet(t *testing.T) {
	k := newKnownSet(3)
	id := func(i byte) chainhash.Hash { return chainhash.Hash{i} }
	for i := range byte(10) {
		k.add(id(i))
		k.add(id(i))
		if !k.has(id(i)) || i >= 3 && k.has(id(i-3)) || i >= 2 && !k.has(id(i-2)) {
			t.Fatalf("after %d: %v", i, k.set)
		}
	}
	k.remove(id(9))
	if k.has(id(9)) || len(k.set) != 2 {
		t.Error("remove doesn't")
	}
	for i := range byte(100) {
		k.add(id(i))
		k.remove(id(i))
		k.add(id(i))
		if len(k.set) > 3 || len(k.ring) > 3 {
			t.Fatal("over the limit")
		}
	}
}
