package main

import (
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/netsync"
)

func TestHoldReason(t *testing.T) {
	const catchingUp = "the node is catching up with the sharechain"
	const firstPeer = "the node waits for its first peer"
	tests := []struct {
		name  string
		p     netsync.Progress
		named bool
		up    time.Duration
		want  string
	}{
		{"alone", netsync.Progress{}, false, 0, ""},
		{"no peer yet", netsync.Progress{}, true, firstPeerWait - 1, firstPeer},
		{"no peer comes", netsync.Progress{}, true, firstPeerWait, ""},
		{"first sync under way", netsync.Progress{Peers: 1, Syncing: true}, true, firstSyncWait - 1, catchingUp},
		{"first sync without end", netsync.Progress{Peers: 1, Syncing: true, BestHeight: 1e6}, true, firstSyncWait, ""},
		{"first sync has ended", netsync.Progress{Peers: 1, Attempted: true}, true, time.Second, ""},
		{"first sync has ended, a claim stays", netsync.Progress{Peers: 1, Attempted: true, Syncing: true, BestHeight: 1e6}, true, time.Second, ""},
		{"mere claim", netsync.Progress{Peers: 2, Attempted: true, Syncing: true, BestHeight: 1e6, Offered: 2000}, true, time.Hour, ""},
		{"long first sync", netsync.Progress{Peers: 1, Syncing: true, Proven: true, Height: 10, Offered: 14}, true, time.Hour, catchingUp},
		{"proven later", netsync.Progress{Peers: 1, Attempted: true, Proven: true, Height: 10, Offered: 2010}, true, time.Hour, catchingUp},
		{"almost there", netsync.Progress{Peers: 1, Attempted: true, Proven: true, Height: 10, Offered: 10 + syncSlack}, true, time.Hour, ""},
		{"great heights", netsync.Progress{Peers: 1, Attempted: true, Proven: true, Height: 1<<32 - 1, Offered: 1<<32 - 1}, true, time.Hour, ""},
	}
	for _, test := range tests {
		if got := holdReason(test.p, test.named, test.up); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
