package netsync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// TestTipDuringHandshake: a share that is found while the version messages are on
// their way reaches the new peer, though nobody mines another for an hour.
func TestTipDuringHandshake(t *testing.T) {
	for name, dialerMines := range map[string]bool{"dialer": true, "listener": false} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			a, b := s.node("a", message.LowLatency), s.node("b", message.LowLatency)
			a.chain.Extend(10, 1)
			b.chain.Extend(10, 1) // the same
			s.connect(a, b)
			miner := b
			if dialerMines {
				miner = a
			}
			miner.mine(2)
			took := s.runUntil(time.Second, "both have it", s.oneTip)
			t.Logf("it took %v at %v of delay", took, s.delay)
			if n := miner.sent[message.CmdInv]; n != 1 {
				t.Errorf("%d invs", n)
			}
		})
	}
}

// TestTipTold: the tip is announced exactly if the version message didn't name it,
// the peer doesn't have it, and there is one.
func TestTipTold(t *testing.T) {
	chain := new(fakechain.Chain)
	chain.Extend(3, 1)
	tip, height, work := chain.Tip()
	stale := chainhash.Hash{1}
	tests := map[string]struct {
		chain  *fakechain.Chain
		told   chainhash.Hash
		theirs message.Version
		want   bool
	}{
		"told":       {chain, tip, message.Version{}, false},
		"stale":      {chain, stale, message.Version{}, true},
		"first":      {chain, chainhash.Hash{}, message.Version{}, true},
		"theirs too": {chain, stale, message.Version{Best: tip, Height: height, Work: work}, false},
		"empty":      {new(fakechain.Chain), stale, message.Version{}, false},
	}
	for name, test := range tests {
		m := New(Config{Chain: test.chain})
		got := m.Connected(time.Unix(1, 0), 1, true, &test.theirs, test.told)
		if len(got) == 0 != !test.want {
			t.Errorf("%s: %v", name, got)
		}
		if test.want {
			s, _ := got[0].(*Send)
			if inv, ok := s.Message.(*message.Inv); !ok || len(inv.IDs) != 1 || inv.IDs[0] != tip {
				t.Errorf("%s: %v", name, got[0])
			}
		}
	}
}
