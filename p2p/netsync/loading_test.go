package netsync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// TestLoading: while its chain is being loaded a node has peers, answers their requests and
// asks for nothing. Then both sides learn what the other has, also where nothing new is
// found any more; who has asked in vain has to come back for that.
func TestLoading(t *testing.T) {
	for name, test := range map[string]struct {
		here, there int // shares
		asked       bool
	}{
		"behind": {3, 300, false}, "ahead": {300, 3, false}, "behind, asked": {3, 300, true}, "ahead, asked": {300, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			a, b := s.node("a", message.LowLatency), s.node("b", message.LowLatency)
			b.chain.Extend(test.there, 1)
			late := new(fakechain.Late)
			a.m = New(Config{Chain: late, Mode: message.LowLatency, Loading: true})
			id := s.connect(a, b)
			s.run(StaleInterval / 2)
			if test.asked {
				s.run(StaleInterval) // b asks everybody for news
			}
			if a.sent[message.CmdGetLocator]+a.sent[message.CmdGetShares] > 0 || b.sent[message.CmdGetLocator] > 0 != test.asked {
				t.Errorf("sent %v and %v", a.sent, b.sent)
			}
			if pr := a.m.Progress(s.now); pr.Peers != 1 || pr.Attempted || pr.Syncing {
				t.Errorf("%+v", pr)
			}
			if b.m.stats.Stalls > 0 {
				t.Error("it stalled")
			}
			a.chain.Extend(test.here, 1)
			late.Load(a.chain)
			a.do(a.m.Loaded(s.now))
			a.do(a.m.Loaded(s.now)) // once more changes nothing
			if a.links[id].up == test.asked {
				t.Errorf("the connection stands: %v", a.links[id].up)
			}
			if test.asked {
				s.connect(b, a)
			}
			s.runUntil(10*time.Second, "both have it", s.oneTip)
		})
	}
}

// TestLoadingNews: who has brought something while the chain was being loaded is asked for
// it, whatever it claimed when it came.
func TestLoadingNews(t *testing.T) {
	chain, now := new(fakechain.Chain), time.Unix(1, 0)
	for name, msg := range map[string]message.Message{
		"share": &message.Shares{Raw: [][]byte{chain.Next(1).Encode()}}, "id": &message.Inv{IDs: []chainhash.Hash{{1}}},
	} {
		late := new(fakechain.Late)
		m := New(Config{Chain: late, Loading: true})
		m.Connected(now, 1, true, &message.Version{}, chainhash.Hash{})
		if got := m.Receive(now, 1, msg); got != nil {
			t.Errorf("%s: %v", name, got)
		}
		late.Load(chain)
		got := m.Loaded(now)
		if len(got) != 1 || got[0].(*Send).Message.Command() != message.CmdGetLocator {
			t.Errorf("%s: %v", name, got)
		}
	}
}
