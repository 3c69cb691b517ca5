package netsync

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// TestFigures: the limits are those of the tables in docs/p2p.md. Other tests use the
// constants themselves, and would follow them anywhere.
func TestFigures(t *testing.T) {
	for _, f := range []struct {
		name      string
		got, want int
	}{
		{"peers", MaxPeers, 1_008},
		{"getshares under way with a peer", MaxRequests, 25},
		{"the same for a session", MaxSyncRequests, 4},
		{"batch", MaxBatch, 128},
		{"peers asked for one share", MaxTries, 4},
		{"ids wanted from one peer", MaxAnnounced, 256},
		{"ids wanted in all", MaxWants, 16_384},
		{"window", MaxSyncWants, 6_000},
		{"ids known to a peer", MaxKnown, 2_048},
		{"missing shares asked for", MaxMissing, 4},
		{"generations asked for", ChaseParents, 16},
		{"chases", MaxChases, 4},
		{"shares that await their verdict", maxJudged, 8_000},
		{"helpers", maxHelpers, 8},
		{"helpers that fail", maxFailures, 8},
		{"undecided shares in a row", maxUndecided, 512},
		{"shares of an answer", maxAnswerShares, 2_000},
		{"bytes of an answer", maxAnswerBytes, 1_000_000},
		{"part of an answer", answerChunk, 128 << 10},
	} {
		if f.got != f.want {
			t.Errorf("%s: %d, documented are %d", f.name, f.got, f.want)
		}
	}
	for _, f := range []struct {
		name      string
		got, want time.Duration
	}{
		{"relay", RelayTimeout, 5 * time.Second},
		{"stall", StallTimeout, 30 * time.Second},
		{"session", SessionTimeout, time.Minute},
		{"first sync", FirstSyncLimit, 2 * time.Minute},
		{"least patience", minPatience, 2 * time.Second},
		{"most patience", maxPatience, 64 * time.Second},
	} {
		if f.got != f.want {
			t.Errorf("%s: %v, documented are %v", f.name, f.got, f.want)
		}
	}
}

// TestTries: of ten peers that announce a share and then don't have it, four are asked.
func TestTries(t *testing.T) {
	m := New(Config{Chain: new(fakechain.Chain), Mode: message.LowBandwidth})
	now := time.Unix(1_700_000_000, 0)
	id := chainhash.Hash{1}
	asked := 0
	var follow func([]Action)
	follow = func(actions []Action) {
		for _, a := range actions {
			s, ok := a.(*Send)
			if !ok {
				continue
			}
			if r, ok := s.Message.(*message.GetShares); ok && asked < 100 {
				asked++
				defer func() { follow(m.Receive(now, s.To, &message.NotFound{IDs: r.IDs})) }()
			}
		}
	}
	for p := PeerID(1); p <= 10; p++ {
		m.Connected(now, p, false, &message.Version{Protocol: 1}, chainhash.Hash{})
	}
	var first []Action
	for p := PeerID(1); p <= 10; p++ {
		first = append(first, m.Receive(now, p, &message.Inv{IDs: []chainhash.Hash{id}})...)
	}
	follow(first)
	if asked != 4 {
		t.Errorf("%d peers were asked", asked)
	}
}
