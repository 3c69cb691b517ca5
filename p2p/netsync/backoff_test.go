package netsync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// TestBackOff: a peer that claims more than it shows loses its claim at the end
// of the session and isn't chosen again for a while.
func TestBackOff(t *testing.T) {
	const now, never = 0, StallTimeout
	tests := []struct {
		name    string
		inbound bool
		inv     *message.Inv  // nil: none
		deny    time.Duration // between notfounds of one id; 0: of all at once
		from    int           // the first that is denied
		ends    time.Duration // when the session does
		pause   time.Duration // before the next
	}{
		{"silent", true, nil, never, 0, StallTimeout, ClaimBackoff},
		{"silent, dialed", false, nil, never, 0, StallTimeout, StaleInterval},
		{"has nothing", true, &message.Inv{}, never, 0, now, ClaimBackoff},
		{"has nothing, dialed", false, &message.Inv{}, never, 0, now, StaleInterval},
		{"denies all", true, &message.Inv{IDs: junk(1, 50)}, now, 0, now, ClaimBackoff},
		{"denies one at a time", true, &message.Inv{IDs: junk(1, 50)}, 10 * time.Second, 1, StallTimeout, ClaimBackoff},
		{"denies the root", true, &message.Inv{IDs: junk(1, 50)}, 10 * time.Second, 0, 10 * time.Second, ClaimBackoff},
	}
	for _, test := range tests {
		c := new(fakechain.Chain)
		c.Extend(10, 1)
		m := New(Config{Chain: c, Mode: message.LowLatency})
		at := time.Unix(1_700_000_000, 0)
		v := &message.Version{Height: 1_000_000, Mode: message.LowLatency}
		v.Work.Not()
		m.Connected(at, 1, test.inbound, v, chainhash.Hash{})
		p := m.peers[1]
		if pr := m.Progress(at); m.session == nil || pr.Attempted || pr.Proven || !pr.Syncing {
			t.Fatalf("%s: at first %+v", test.name, pr)
		}
		start := at
		if test.inv != nil {
			m.Receive(at, 1, test.inv)
			if test.deny == now {
				m.Receive(at, 1, &message.NotFound{IDs: test.inv.IDs})
			}
		}
		denied := 0
		for ; m.session != nil && at.Sub(start) < 2*SessionTimeout; m.Tick(at) {
			at = at.Add(TickInterval)
			if test.inv != nil && test.deny < never && at.Sub(start)%test.deny == 0 {
				m.Receive(at, 1, &message.NotFound{IDs: []chainhash.Hash{test.inv.IDs[test.from+denied]}})
				denied++
			}
		}
		if took := at.Sub(start); took != test.ends {
			t.Errorf("%s: the session ended after %v", test.name, took)
		}
		if pause := p.retryAt.Sub(at); pause != test.pause {
			t.Errorf("%s: backed off for %v", test.name, pause)
		}
		if pr := m.Progress(at); !p.claim.IsZero() || p.more || p.height != 9 || pr.Syncing || !pr.Attempted || pr.BestHeight != 9 {
			t.Errorf("%s: the claim stays: %+v", test.name, pr)
		}
		p.more = true // it sends a share far ahead
		if m.Tick(p.retryAt.Add(-1)); m.session != nil {
			t.Errorf("%s: chosen again too soon", test.name)
		}
		if m.Tick(p.retryAt); m.session == nil {
			t.Errorf("%s: never chosen again", test.name)
		}
	}
}

// TestAnotherWasFaster: a peer whose claim is met by what others sent meanwhile
// has broken no promise.
func TestAnotherWasFaster(t *testing.T) {
	c := new(fakechain.Chain)
	m := New(Config{Chain: c, Mode: message.LowLatency})
	at := time.Unix(1_700_000_000, 0)
	v := &message.Version{Height: 4, Mode: message.LowLatency}
	v.Work.SetUint64(5)
	m.Connected(at, 1, true, v, chainhash.Hash{})
	c.Extend(5, 1)
	m.Receive(at, 1, &message.Inv{})
	if p := m.peers[1]; m.session != nil || !p.retryAt.IsZero() {
		t.Errorf("backed off until %v", p.retryAt)
	}
}
