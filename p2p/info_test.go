package p2p

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// TestPeerInfoOfVersion checks what comes from the peer's introduction: its tip
// of that moment, its clock, and when bytes went by.
func TestPeerInfoOfVersion(t *testing.T) {
	chain := new(fakechain.Chain)
	chain.Extend(3, 1)
	tip, _, _ := chain.Tip()
	a := start(t, chain, nil)
	began := time.Now()
	b := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "synced", sameTip(a, b))
	eventually(t, "connected", func() bool { return a.ConnectedCount() == 1 && b.ConnectedCount() == 1 })
	in, out := a.Peers()[0], b.Peers()[0]
	if out.Best != tip || in.Services != message.ServiceV2 || out.Services != message.ServiceV2 || !bytes.Equal(in.SessionID, out.SessionID) {
		t.Errorf("a sees %+v\nb sees %+v", in, out)
	}
	for _, p := range []PeerInfo{in, out} {
		if p.ClockOffset < -1 || p.ClockOffset > 1 || p.LastRecv.Before(began) || p.LastSend.Before(began) || p.LastRecv.After(time.Now()) {
			t.Errorf("%+v", p)
		}
	}
}

func TestClockOffset(t *testing.T) {
	ours := time.Unix(1_700_000_000, 900)
	for theirs, want := range map[int64]int64{
		1_700_000_000: 0, 1_700_000_600: 600, 1_699_999_999: -1, 0: 0, -1: -1_700_000_000,
		math.MinInt64: -1_700_000_000, math.MaxInt64: math.MaxInt64 - 1_700_000_000,
	} {
		if got := clockOffset(theirs, ours); got != want {
			t.Errorf("clockOffset(%d) = %d, want %d", theirs, got, want)
		}
	}
}
