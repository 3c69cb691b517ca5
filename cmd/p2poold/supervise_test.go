package main

import (
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/netsync"
)

func TestHoldReason(t *testing.T) {
	const long = time.Hour
	private := circumstances{}
	public := circumstances{public: true}
	with := func(c circumstances, named bool, up time.Duration) circumstances {
		c.named, c.up = named, up
		return c
	}
	lonely := func(c circumstances) circumstances {
		c.lonely = true
		return c
	}
	type progress = netsync.Progress
	tests := []struct {
		name            string
		p               progress
		named           bool
		up              time.Duration
		private, public string // the reasons wanted
	}{
		{"alone", progress{}, false, 0, "", reasonNoPeers},
		{"alone for long", progress{}, false, long, "", reasonNoPeers},
		{"no peer yet", progress{}, true, firstPeerWait - 1, reasonFirstPeer, reasonFirstPeer},
		{"no peer comes", progress{}, true, firstPeerWait, "", reasonNoPeers},
		{"the first peers left before the sync had ended", progress{}, true, long, "", reasonNoPeers},
		{"the first peers left after it", progress{Attempted: true}, true, long, "", reasonNoPeers},
		{"first sync under way", progress{Peers: 1, Syncing: true}, true, firstSyncWait - 1, reasonCatchingUp, reasonCatchingUp},
		{"first sync without end", progress{Peers: 1, Syncing: true, BestHeight: 1e6}, true, firstSyncWait, "", reasonCatchingUp},
		{"first sync has ended", progress{Peers: 1, Attempted: true}, true, time.Second, "", ""},
		{"first sync has ended, a claim stays", progress{Peers: 1, Attempted: true, Syncing: true, BestHeight: 1e6}, true, time.Second, "", ""},
		{"mere claim", progress{Peers: 2, Attempted: true, Syncing: true, BestHeight: 1e6, Offered: 2000}, true, long, "", ""},
		{"long first sync", progress{Peers: 1, Syncing: true, Proven: true, Height: 10, Offered: 14}, true, long, reasonCatchingUp, reasonCatchingUp},
		{"proven later", progress{Peers: 1, Attempted: true, Proven: true, Height: 10, Offered: 2010}, true, long, reasonCatchingUp, reasonCatchingUp},
		{"almost there", progress{Peers: 1, Attempted: true, Proven: true, Height: 10, Offered: 10 + syncSlack}, true, long, "", ""},
		{"great heights", progress{Peers: 1, Attempted: true, Proven: true, Height: 1<<32 - 1, Offered: 1<<32 - 1}, true, long, "", ""},
		{"joining", progress{Peers: 1, Attempted: true, Joining: true, Height: 10, Offered: 10}, true, long, reasonCatchingUp, reasonCatchingUp},
	}
	for _, test := range tests {
		a, b := with(private, test.named, test.up), with(public, test.named, test.up)
		if test.p.Peers == 0 {
			a, b = lonely(a), lonely(b)
		}
		if got := holdReason(test.p, a); got != test.private {
			t.Errorf("%s, private: %q, want %q", test.name, got, test.private)
		}
		if got := holdReason(test.p, b); got != test.public {
			t.Errorf("%s, public: %q, want %q", test.name, got, test.public)
		}
	}
	if got := holdReason(progress{Attempted: true}, with(public, false, long)); got != "" {
		t.Errorf("the last peer has just gone: %q", got)
	}
}

func TestLonely(t *testing.T) {
	var c company
	now := time.Unix(1_700_000_000, 0)
	steps := []struct {
		after time.Duration
		peers int
		want  bool
	}{
		{0, 0, true}, {time.Hour, 0, true}, // never met anybody
		{time.Second, 2, false}, {time.Hour, 1, false},
		{time.Second, 0, false}, {lonelyWait - 1, 0, false}, {1, 0, true}, {time.Hour, 0, true},
		{time.Second, 1, false}, {time.Second, 0, false}, {lonelyWait, 0, true},
	}
	for i, step := range steps {
		now = now.Add(step.after)
		if got := c.lonely(now, step.peers); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
}

// TestSolo: a node without peers gives no work on a public pool, and says why to its
// miners and over RPC; with --solo it does.
func TestSolo(t *testing.T) {
	withHome(t)
	for _, pool := range []string{"main", "mini", "private"} {
		for _, args := range [][]string{nil, {"--solo"}} {
			cfg := mustLoad(t, append(args, "--network=signet", "--pool="+pool)...)
			public := cfg.params.Public() && !cfg.P2P.Solo
			if want := pool != "private" && args == nil; public != want {
				t.Errorf("pool %s with %v: %v", pool, args, public)
			}
		}
	}
	if !strings.HasPrefix(reasonNoPeers, "no peers: ") || !strings.Contains(reasonNoPeers, "--solo") {
		t.Errorf("%q", reasonNoPeers)
	}
}
