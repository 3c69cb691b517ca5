package p2p

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/budget"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// pushed makes a message of shares, each changed.
func pushed(list []*share.Share, change func(*share.Share) *share.Share) *message.Shares {
	m := new(message.Shares)
	for _, sh := range list {
		m.Raw = append(m.Raw, change(sh).Encode())
	}
	return m
}

// counts returns what sift has made of a message.
func counts(judge, announced message.Message) (judged, named int) {
	if m, ok := judge.(*message.Shares); ok {
		judged = len(m.Raw)
	}
	if m, ok := announced.(*message.Inv); ok {
		named = len(m.IDs)
	}
	return judged, named
}

// TestSift: the budget of an address group is for pushed shares that were dear to make.
func TestSift(t *testing.T) {
	const most = 10 // of a group at once
	list, _ := line(40)
	same := func(sh *share.Share) *share.Share { return sh }
	nothing := func(chainhash.Hash) bool { return false }
	now := time.Now()
	m := &meter{groups: budget.NewGroups(10 * time.Second)}
	chain := new(fakechain.Chain)
	sift := func(wants func(chainhash.Hash) bool, msg message.Message) (judged, named int) {
		return counts(m.sift(now, chain, wants, msg))
	}

	garbled := &message.Shares{Raw: slices.Repeat([][]byte{make([]byte, 100)}, len(list))}
	for name, junk := range map[string]*message.Shares{"garbled": garbled, "forged": pushed(list, fakechain.Forge)} {
		if judged, named := sift(nothing, junk); judged != len(list) || named != 0 {
			t.Errorf("%s shares: %d judged, %d named", name, judged, named)
		}
	}
	if judged, named := sift(nothing, pushed(list, fakechain.Ease)); judged != 0 || named != len(list) {
		t.Errorf("cheap shares: %d judged, %d named", judged, named)
	}
	if n := m.groups.Len(); n != 0 {
		t.Error("what cost nothing was charged to the group")
	}
	if judged, named := sift(nothing, pushed(list, same)); judged != most || named != len(list)-most {
		t.Errorf("dear shares: %d judged, %d named", judged, named)
	}
	if judged, _ := sift(nothing, pushed(list, same)); judged != 0 {
		t.Errorf("%d judged beyond the budget", judged)
	}
	last := list[len(list)-1].ID()
	if judged, named := sift(func(id chainhash.Hash) bool { return id == last }, pushed(list, same)); judged != 1 || named != len(list)-1 {
		t.Errorf("of one that is wanted and others: %d judged, %d named", judged, named)
	}
}

// meterFor returns the budget of a stranger's connection.
func (s *testServer) meterFor(m *stranger) (found *meter) {
	m.t.Helper()
	eventually(m.t, "the stranger has joined", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, p := range s.peers {
			if p.Addr() == m.LocalAddr().String() {
				found = meterOf(p)
			}
		}
		return found != nil
	})
	return found
}

// TestNamedFirst: a share that somebody else has named, and does not deliver, is judged
// when it is pushed, though the group's budget is used up.
func TestNamedFirst(t *testing.T) {
	noLeaks(t)
	a := start(t, new(fakechain.Chain), nil, inOneGroup)
	silent, pusher := meet(t, a), meet(t, a)
	list, raw := line(1)
	silent.send(&message.Inv{IDs: []chainhash.Hash{list[0].ID()}})
	eventually(t, "the share is wanted", func() bool { return a.wants(0, list[0].ID()) })
	m := a.meterFor(pusher)
	for m.groups.Allow(time.Now().Add(time.Hour), m.group) {
	}
	pusher.send(&message.Shares{Raw: raw})
	eventually(t, "it is judged", func() bool { return a.chain.Len() == 1 })
	if st := a.Stats(); st.Stalls != 0 {
		t.Errorf("not before the first stalled: %+v", st)
	}
}

// TestComesBack: a host that hangs up and comes back begins with what it had left,
// unless its address says nothing about who it is.
func TestComesBack(t *testing.T) {
	for _, exempt := range []bool{false, true} {
		noLeaks(t)
		a := start(t, new(fakechain.Chain), nil, func(s *Server) {
			s.budgets.exempt = func(net.Addr) bool { return exempt }
		})
		m := meet(t, a)
		spent := a.meterFor(m)
		spent.Served(time.Now(), time.Hour)
		spent.Verified(time.Now(), time.Hour, 1, 0)
		m.Close()
		eventually(t, "gone", func() bool { return a.ConnectedCount() == 0 })
		if exempt != (a.budgets.hosts.Len() == 0) {
			t.Errorf("exempt %v: %d hosts are remembered", exempt, a.budgets.hosts.Len())
		}
		back := a.meterFor(meet(t, a))
		const little = 0.05 // what it has to itself by now
		if now := time.Now(); exempt != (back.ServeRank(now) > little) || exempt != (back.VerifyRank(now) > little) {
			t.Errorf("exempt %v: %v s and %v s are left", exempt, back.ServeRank(now), back.VerifyRank(now))
		}
		a.stop()
	}
}
