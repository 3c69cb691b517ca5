package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/decred/slog"

	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// TestClockVerdicts: what follows from which clocks differ.
func TestClockVerdicts(t *testing.T) {
	const s, m, h = time.Second, time.Minute, time.Hour
	now := time.Unix(1_800_000_000, 0)
	type e = clockEvidence
	tests := []struct {
		name       string
		e          e
		hold, warn string // parts of the texts, "" for none
	}{
		{"nothing known", e{}, "", ""},
		{"all agree", e{bitcoin: 2 * s, knowsBitcoin: true, peers: -3 * s, count: 8}, "", ""},
		{"within what shares may be", e{bitcoin: 90 * s, knowsBitcoin: true, peers: 90 * s, count: 8}, "", ""},
		{"behind both", e{bitcoin: 91 * s, knowsBitcoin: true, peers: 120 * s, count: 8}, "clock is behind, say", "Bitcoin node's by +91 s, those of 8 other nodes by +120 s"},
		{"ahead of both", e{bitcoin: -2 * m, knowsBitcoin: true, peers: -2 * m, count: 3}, "clock is ahead, say", "-120 s"},
		{"they contradict one another", e{bitcoin: 5 * m, knowsBitcoin: true, peers: -5 * m, count: 8}, "", "+300 s"},
		{"peers are with us", e{bitcoin: 59 * m, knowsBitcoin: true, peers: 0, count: 8}, "", "+3540 s"},
		{"peers are with us, the Bitcoin node is very wrong", e{bitcoin: -61 * m, knowsBitcoin: true, peers: 0, count: 8}, "differ by more than 10 minutes", "-3660 s"},
		{"no peers, a little", e{bitcoin: 10 * m, knowsBitcoin: true, peers: 10 * m, count: 2}, "", "+600 s"},
		{"no peers, much", e{bitcoin: 10*m + s, knowsBitcoin: true}, "set whichever is wrong", "+601 s"},
		{"peers alone, within ten minutes", e{bitcoin: 0, knowsBitcoin: true, peers: 10 * m, count: 8}, "", ""},
		{"peers alone", e{bitcoin: 0, knowsBitcoin: true, peers: 70 * m, count: 8}, "", "8 other nodes by +4200 s"},
		{"peers alone, nothing else known", e{peers: -70 * m, count: 8}, "", "-4200 s"},
		{"peers alone, few", e{peers: -70 * m, count: 2}, "", ""},
		{"before Bitcoin's last blocks", e{past: now.Add(s)}, "time before that of Bitcoin's last blocks", "+1 s"},
		{"after them", e{past: now.Add(-s)}, "", ""},
		{"a slow clock that the Bitcoin node shares", e{bitcoin: 0, knowsBitcoin: true, peers: 2 * h, count: 8, past: now.Add(h)}, "time before", "+3600 s"},
	}
	for _, test := range tests {
		test.e.tolerance, test.e.now = 90*s, now
		hold, warn := test.e.judge()
		if (hold == "") != (test.hold == "") || !strings.Contains(hold, test.hold) || (warn == "") != (test.warn == "") || !strings.Contains(warn, test.warn) {
			t.Errorf("%s: %q, %q", test.name, hold, warn)
		}
	}
}

// TestTimejacking: a hundred and fourteen inbound peers whose clocks are off by 70
// minutes change nothing, outbound ones cause a warning, and only where the Bitcoin node
// says the same work stops: then the attack would succeed if peers were believed alone.
func TestTimejacking(t *testing.T) {
	now := time.Now()
	peers := make([]p2p.PeerInfo, 114)
	for i := range peers {
		peers[i] = p2p.PeerInfo{Inbound: true, ClockOffset: 70 * 60, Network: netaddr.IPv4, Connected: now.Add(-time.Hour)}
	}
	for range 8 {
		peers = append(peers, p2p.PeerInfo{ClockOffset: 1, Network: netaddr.IPv4, Connected: now.Add(-time.Hour)})
	}
	judge := func(bitcoin time.Duration) (string, string) {
		e := clockEvidence{tolerance: 90 * time.Second, bitcoin: bitcoin, knowsBitcoin: true, now: now}
		e.peers, e.count = peersClock(peers, now)
		return e.judge()
	}
	if hold, warn := judge(0); hold != "" || warn != "" {
		t.Errorf("inbound peers cause %q, %q", hold, warn)
	}
	for i := range peers {
		peers[i].Inbound = false
	}
	if hold, warn := judge(0); hold != "" || warn == "" {
		t.Errorf("outbound peers cause %q, %q", hold, warn)
	}
	if hold, _ := judge(70 * time.Minute); hold == "" {
		t.Error("with the Bitcoin node on their side nothing happens")
	}
}

func TestPeersClock(t *testing.T) {
	now := time.Now()
	peer := func(offset int64) p2p.PeerInfo {
		return p2p.PeerInfo{ClockOffset: offset, Network: netaddr.IPv4, Connected: now}
	}
	tests := []struct {
		peers []p2p.PeerInfo
		want  time.Duration
		count int
	}{
		{nil, 0, 0},
		{[]p2p.PeerInfo{peer(5)}, 5 * time.Second, 1},
		{[]p2p.PeerInfo{peer(5), peer(100), peer(-1)}, 5 * time.Second, 3},
		{[]p2p.PeerInfo{peer(1), peer(4), peer(100), peer(-1)}, 2500 * time.Millisecond, 4},
		{[]p2p.PeerInfo{peer(1 << 62), peer(-1 << 62), {Network: netaddr.TorV3, Connected: now}}, -time.Second / 2, 2},
	}
	for i, test := range tests {
		if got, count := peersClock(test.peers, now); got != test.want || count != test.count {
			t.Errorf("%d: %v of %d, want %v of %d", i, got, count, test.want, test.count)
		}
	}
}

// TestClockWatch: peers are asked now and then.
func TestClockWatch(t *testing.T) {
	var c clockWatch
	asked := 0
	peers := func() []p2p.PeerInfo {
		asked++
		return []p2p.PeerInfo{{ClockOffset: int64(asked), Network: netaddr.IPv4}}
	}
	now := time.Unix(1_800_000_000, 0)
	for _, want := range []struct {
		after time.Duration
		asked int
	}{{0, 1}, {clockInterval - 1, 1}, {1, 2}, {time.Second, 2}, {time.Hour, 3}, {-time.Hour, 4}} {
		now = now.Add(want.after)
		if _, count := c.ask(peers, now); asked != want.asked || count != 1 {
			t.Errorf("asked %d times after %v, want %d", asked, want.after, want.asked)
		}
	}
}

// TestStepped: without a monotonic reading, as in this test, nothing is known of steps.
func TestStepped(t *testing.T) {
	now := time.Now()
	if got := stepped(now, now.Add(time.Minute)); got.Abs() > time.Microsecond {
		t.Errorf("a clock that was not set has stepped by %v", got)
	}
	if got := stepped(now.Round(0), now.Add(time.Minute)); got.Abs() > time.Microsecond {
		t.Errorf("stepped by %v", got)
	}
}

// TestDiskWatch: the floor holds work until there is clearly more room, and an unknown
// amount does not.
func TestDiskWatch(t *testing.T) {
	var free uint64
	var err error
	looks := 0
	d := &diskWatch{floor: 160 << 20, log: slog.Disabled, free: func(string) (uint64, error) { looks++; return free, err }}
	now := time.Unix(1_800_000_000, 0)
	for i, step := range []struct {
		free uint64 // MiB
		err  error
		low  bool
	}{
		{160, nil, false}, {159, nil, true}, {160, nil, true}, {169, nil, true}, {170, nil, false}, {160, nil, false}, {0, nil, true},
		{0, errors.New("no answer"), false}, {0, nil, true}, {1 << 30, nil, false},
	} {
		free, err = step.free<<20, step.err
		now = now.Add(diskInterval)
		got := d.low(now)
		if (got != "") != step.low || step.low && !strings.Contains(got, "less than 160 MiB are free") {
			t.Errorf("step %d: %q", i, got)
		}
		d.low(now.Add(diskInterval - 1))
	}
	if looks != 10 {
		t.Errorf("looked %d times", looks)
	}
	off := &diskWatch{free: func(string) (uint64, error) { t.Error("looked"); return 0, nil }}
	if got := off.low(now); got != "" {
		t.Error(got)
	}
}

// TestFreeSpace asks the real disk.
func TestFreeSpace(t *testing.T) {
	dir := t.TempDir()
	free, err := freeSpace(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil || free == 0 {
		t.Fatalf("%d, %v", free, err)
	}
	if _, err := freeSpace(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
	if spaceOf(1<<40, 1<<40) != 1<<64-1 || spaceOf(5, 4096) != 20480 || spaceOf(5, 0) != 0 {
		t.Error("wrong products")
	}
}

// TestBitcoinStates: every kind has words for miners that hold no address, and those in
// which work is a waste hold it.
func TestBitcoinStates(t *testing.T) {
	if bitcoinState(bitcoind.Health{OK: true}) != "" || bitcoinHold(bitcoind.Health{OK: true}) != "" {
		t.Error("a sound node has a state")
	}
	holds := []bitcoind.ErrorKind{bitcoind.ErrUnknownRule, bitcoind.ErrSyncing, bitcoind.ErrWrongNetwork, bitcoind.ErrTooOld}
	for kind, text := range bitcoinStates {
		h := bitcoind.Health{Kind: kind, Reason: "the Bitcoin node at 10.0.0.7:8332"}
		if bitcoinState(h) != text || (bitcoinHold(h) != "") != slices.Contains(holds, kind) {
			t.Errorf("%s: %q, %q", kind, bitcoinState(h), bitcoinHold(h))
		}
	}
	if bitcoinState(bitcoind.Health{Kind: bitcoind.ErrRPC}) == "" {
		t.Error("no words for an error without kind")
	}
}
