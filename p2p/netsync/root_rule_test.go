package netsync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// rooting is a Manager with an empty chain and two peers, of which the first is
// asked in a session, and the chain of 290 shares that they have.
type rooting struct {
	*Manager
	t          *testing.T
	now        time.Time
	own, other *fakechain.Chain
	ids        []chainhash.Hash
}

func newRooting(t *testing.T) *rooting {
	r := &rooting{t: t, now: time.Unix(1_700_000_000, 0), own: new(fakechain.Chain), other: new(fakechain.Chain)}
	r.Manager = New(Config{Chain: r.own, Mode: message.LowLatency})
	r.other.Extend(300, 1)
	r.other.Prune(10)
	r.ids = r.other.AfterLocator(nil, chainhash.Hash{}, 1000)
	id, height, work := r.other.Tip()
	v := &message.Version{Protocol: 1, Best: id, Height: height, Work: work}
	r.Connected(r.now, 1, false, v, chainhash.Hash{})
	r.Connected(r.now, 2, false, v, chainhash.Hash{})
	return r
}

func (r *rooting) inv(from PeerID, ids []chainhash.Hash) {
	r.Receive(r.now, from, &message.Inv{IDs: ids})
}

// deliver has a peer send a share, the chain judge it, and returns what was offered
// as a root.
func (r *rooting) deliver(from PeerID, i int) chainhash.Hash {
	r.t.Helper()
	raw, err := r.other.Share(r.ids[i])
	if err != nil {
		r.t.Fatal(err)
	}
	return r.judge(r.Receive(r.now, from, &message.Shares{Raw: [][]byte{raw}}))
}

// judge has the chain judge what is to be verified, and what then follows in the
// window, and returns what was offered as a root.
func (r *rooting) judge(actions []Action) (root chainhash.Hash) {
	for _, a := range actions {
		v, ok := a.(*Verify)
		if !ok {
			continue
		}
		if v.Root != (chainhash.Hash{}) {
			root = v.Root
		}
		for i, err := range r.own.AcceptAll(v.Shares, v.Root) {
			if next := r.judge(r.Verdict(r.now, v.From, v.Shares[i], err)); next != (chainhash.Hash{}) {
				root = next
			}
		}
	}
	return root
}

// none has a peer send a share that must not be offered as a root.
func (r *rooting) none(what string, from PeerID, i int) {
	r.t.Helper()
	if r.deliver(from, i) != (chainhash.Hash{}) {
		r.t.Errorf("%s is offered as a root", what)
	}
}

func (r *rooting) root(what string, from PeerID, i int) {
	r.t.Helper()
	if got := r.deliver(from, i); got != r.ids[i] {
		r.t.Errorf("%s is not offered as a root but %v", what, got)
	}
}

// TestRootOnlyInSession: a share is offered as a root only if it began the first
// inv of a session and was asked of that session's peer.
func TestRootOnlyInSession(t *testing.T) {
	r := newRooting(t)
	r.none("a share before any inv", 1, 0)
	r.inv(1, r.ids[280:281]) // an announcement overtakes the answer
	r.inv(2, r.ids)
	r.none("the first id of another peer's inv", 2, 0)
	r.inv(1, r.ids[:200])
	r.none("the same from another peer", 2, 0)
	r.none("a new tip", 1, 280)
	r.none("the second id", 1, 1)
	r.none("a share that was not asked for", 1, 250)
	r.root("the first id", 1, 0)
	r.none("the root for the second time", 1, 0)
	if id, _, _ := r.own.Tip(); id != r.ids[1] {
		t.Errorf("tip %v", id)
	}

	// Later sessions.
	r.Disconnected(r.now, 1)
	if r.session == nil || r.session.peer.id != 2 {
		t.Fatal("no session with peer 2")
	}
	r.none("a share before the session's inv", 2, 100)
	r.inv(2, nil)
	if r.session != nil {
		t.Fatal("the session lasts")
	}
	r.inv(2, r.ids[90:])
	r.none("a share outside of a session", 2, 90)

	// Of two copies under way only the one that was asked for is.
	r = newRooting(t)
	r.inv(1, r.ids)
	raw, err := r.other.Share(r.ids[0])
	if err != nil {
		t.Fatal(err)
	}
	msg := &message.Shares{Raw: [][]byte{raw}}
	if v := r.Receive(r.now, 1, msg)[0].(*Verify); v.Root != r.ids[0] {
		t.Error("the root is not offered")
	}
	if v := r.Receive(r.now, 1, msg)[0].(*Verify); v.Root == r.ids[0] {
		t.Error("a copy of the root is offered")
	}

	// A later round names no root.
	r = newRooting(t)
	first := fakechain.New(chainhash.Hash{}, 0, 9)
	r.inv(1, []chainhash.Hash{first.ID()})
	r.Receive(r.now, 1, &message.Shares{Raw: [][]byte{first.Encode()}})
	r.Verdict(r.now, 1, first, r.own.Accept(first))
	r.inv(1, r.ids)
	r.none("the first id of a second round", 1, 0)
}

// TestFirstIDNotFound: a session that brings shares goes on, whatever became of the
// first id.
func TestFirstIDNotFound(t *testing.T) {
	r := newRooting(t)
	first := fakechain.New(chainhash.Hash{}, 0, 9)
	r.inv(1, []chainhash.Hash{{1}, first.ID()})
	r.Receive(r.now, 1, &message.Shares{Raw: [][]byte{first.Encode()}})
	r.Verdict(r.now, 1, first, r.own.Accept(first))
	r.Receive(r.now, 1, &message.NotFound{IDs: []chainhash.Hash{{1}}})
	if s := r.session; s == nil || s.peer.id != 1 || s.total != 1 || s.peer.locator.IsZero() {
		t.Errorf("session %+v", s)
	}
}

// TestRootStaysWithPeer: the root is not asked of others when its peer is slow, and
// nothing above it is when the chain refuses it, though they know it all.
func TestRootStaysWithPeer(t *testing.T) {
	r := newRooting(t)
	r.inv(2, r.ids[:MaxAnnounced])
	r.inv(1, r.ids)
	r.dropClaim(r.peers[2]) // else it would be synced from
	asked := make(map[chainhash.Hash]bool)
	for range 2 * RelayTimeout / TickInterval {
		r.now = r.now.Add(TickInterval)
		for _, a := range r.Tick(r.now) {
			if s, ok := a.(*Send); ok && s.To == 2 {
				for _, id := range s.Message.(*message.GetShares).IDs {
					asked[id] = true
				}
			}
		}
	}
	if asked[r.ids[0]] || !asked[r.ids[1]] {
		t.Errorf("asked of the other peer: root %v, the next share %v", asked[r.ids[0]], asked[r.ids[1]])
	}
	r.root("the late root", 1, 0)

	r = newRooting(t)
	r.inv(2, r.ids[:MaxAnnounced])
	r.inv(1, r.ids)
	raw, err := r.other.Share(r.ids[0])
	if err != nil {
		t.Fatal(err)
	}
	v := r.Receive(r.now, 1, &message.Shares{Raw: [][]byte{raw}})[0].(*Verify)
	for _, a := range r.Verdict(r.now, 1, v.Shares[0], r.own.Accept(v.Shares[0])) {
		if s, ok := a.(*Send); ok && s.Message.Command() == message.CmdGetShares {
			t.Errorf("peer %d is asked on", s.To)
		}
	}
	if len(r.wants) > 0 || r.session == nil || r.session.peer.id != 2 {
		t.Errorf("%d wants are left, session %+v", len(r.wants), r.session)
	}
}
