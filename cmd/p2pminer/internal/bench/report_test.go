package bench

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A work is first seen by one connection, then by others; those that came later do
// not count, and what reached too few is not taken for a figure.
func TestSpread(t *testing.T) {
	var b board
	b.loggedIn = func() int64 { return 100 }
	for i, e := range []struct {
		block   bool
		first   int64
		reached int
		step    int64
	}{
		{false, 1000, 100, 10}, {false, 2000, 99, 5}, {false, 3000, 98, 5}, {true, 1000, 100, 7},
		{false, 999, 100, 1}, {false, 5000, 100, 1}, // before and after the time that counts
	} {
		event := b.event(e.block, e.first)
		for n := range e.reached {
			if d, ok := event.arrived(e.first-1, e.first+int64(n)*e.step); !ok || d != time.Duration(int64(n)*e.step) {
				t.Errorf("event %d: %v %v", i, d, ok)
			}
		}
		for _, ready := range []int64{0, e.first, e.first + 1} {
			if _, ok := event.arrived(ready, e.first+1e6); ok {
				t.Errorf("event %d counts a connection that had no work before, since %d", i, ready)
			}
		}
	}
	blocks, works := b.spreads(1000, 5000)
	if works.complete != 2 || works.incomplete != 1 || works.toLast.max != 990 || works.toLast.min != 490 ||
		blocks.complete != 1 || blocks.incomplete != 0 || blocks.toLast.max != 693 {
		t.Errorf("blocks %+v, works %+v", blocks, works)
	}
}

func TestJudge(t *testing.T) {
	in := func(s Submits) *Report { return &Report{Seconds: 10, Submits: &s, Processors: 2} }
	for name, c := range map[string]struct {
		rep   *Report
		busy  float64 // the loops
		all   float64 // the machine
		limit string
		says  string
	}{
		"nothing sent":  {in(Submits{Wanted: 100}), 0, 0, LimitNone, ""},
		"kept up":       {in(Submits{Wanted: 100, Sent: 1000, Late: Latency{P99: 1}}), 0.1, 0.3, LimitRate, "in time and answered"},
		"late answers":  {in(Submits{Wanted: 100, Sent: 1000, LatencyDue: Latency{P99: 2000}}), 0.1, 0.3, LimitServer, "or late"},
		"no answers":    {in(Submits{Wanted: 100, Sent: 1000, Unanswered: 500}), 0.1, 1, LimitServer, "500"},
		"held back":     {in(Submits{Wanted: 100, Sent: 500, HeldBack: 500}), 0.1, 1, LimitServer, "256"},
		"too hard":      {in(Submits{Wanted: 100, Sent: 500, Unsolved: 500}), 1, 1, LimitGenerator, "solution"},
		"one loop busy": {in(Submits{Wanted: 100, Sent: 700, Late: Latency{P99: 500}}), 0.99, 0.6, LimitGenerator, "--threads"},
		"all busy":      {in(Submits{Wanted: 100, Sent: 700, Late: Latency{P99: 500}}), 0.99, 0.99, LimitMachine, "all processors"},
		"others":        {in(Submits{Wanted: 100, Sent: 700, Late: Latency{P99: 500}}), 0.2, 0.5, LimitMachine, "moments"},
		"closed, busy":  {in(Submits{Sent: 700}), 0.99, 0.6, LimitGenerator, "--threads"},
		"closed":        {in(Submits{Sent: 700}), 0.5, 0.6, LimitServer, "--depth"},
	} {
		c.rep.Generator.Busy, c.rep.Machine = c.busy, c.all
		c.rep.judge()
		if c.rep.Limit != c.limit || !strings.Contains(c.rep.Because, c.says) {
			t.Errorf("%s: %q, %s", name, c.rep.Limit, c.rep.Because)
		}
	}
}

// A load test needs a permission for hosts of others.
func TestPermission(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "10.1.2.3": true, "192.168.0.1": true, "172.16.0.1": true,
		"fd00::1": true, "fe80::1": true, "169.254.0.1": true,
		"192.0.2.1": false, "8.8.8.8": false, "172.32.0.1": false, "2001:db8::1": false, "100.64.0.1": false, "0.0.0.0": false,
	} {
		if got := near(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if _, err := resolve(t.Context(), "192.0.2.1:3333", false); err == nil || !strings.Contains(err.Error(), "--permitted") {
		t.Errorf("error %v", err)
	}
	for addr, want := range map[string]string{"192.0.2.1:3333": "192.0.2.1:3333", "[::ffff:127.0.0.1]:1": "127.0.0.1:1"} {
		if got, err := resolve(t.Context(), addr, true); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v", addr, got, err)
		}
	}
}

func TestSources(t *testing.T) {
	for _, c := range []struct {
		server               string
		connections, sources int
		want                 int
	}{
		{"127.0.0.1:1", 1000, 0, 0}, {"127.0.0.1:1", 10_000, 0, 0}, {"127.0.0.1:1", 10_001, 0, 2}, {"127.0.0.1:1", 5, 7, 7},
		{"127.0.0.1:1", MaxConnections, 0, 100}, {"10.0.0.1:1", 50_000, 3, 0}, {"[::1]:1", 50_000, 3, 0},
	} {
		list := sources(&Config{Connections: c.connections, Sources: c.sources}, netip.MustParseAddrPort(c.server))
		if len(list) != c.want {
			t.Errorf("%+v: %v", c, list)
		}
		for _, addr := range list {
			if !addr.IsLoopback() {
				t.Errorf("%+v: %v", c, list)
			}
		}
	}
}
