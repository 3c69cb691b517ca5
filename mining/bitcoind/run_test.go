package bitcoind

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcjson"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// patience bounds the wait for anything that a test expects.
const patience = 20 * time.Second

// runner is a Client whose Run is under way.
type runner struct {
	*Client
	templates chan *mining.Template
	health    chan Health
	stop      func()
}

// startRun runs a client until the test ends, and checks then that Run returned the
// context's error and left no goroutine of rpcclient behind.
func startRun(t *testing.T, cfg Config, change func(*timing)) *runner {
	t.Helper()
	return startRunWith(t, cfg, func(*mining.Template) {}, change)
}

// startRunWith is startRun with another who gets each template.
func startRunWith(t *testing.T, cfg Config, also func(*mining.Template), change func(*timing)) *runner {
	t.Helper()
	r := &runner{templates: make(chan *mining.Template, 1000), health: make(chan Health, 1000)}
	var inside sync.Mutex
	exclusive := func() func() {
		if !inside.TryLock() {
			t.Error("two callbacks at once")
			return func() {}
		}
		return inside.Unlock
	}
	cfg.OnTemplate = func(tmpl *mining.Template) { defer exclusive()(); r.templates <- tmpl; also(tmpl) }
	if onTip := cfg.OnTip; onTip != nil {
		cfg.OnTip = func(tip Tip) { defer exclusive()(); onTip(tip) }
	}
	cfg.OnHealth = func(h Health) { defer exclusive()(); r.health <- h }
	r.Client = newClient(t, cfg)
	if change != nil {
		change(&r.timing)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Run returned %v", err)
			}
		case <-time.After(patience):
			t.Error("Run doesn't return")
		}
		wantNoGoroutines(t)
	})
	t.Cleanup(r.stop)
	return r
}

// wantNoGoroutines checks that no goroutine stays in rpcclient or in this package's own
// code. rpcclient doesn't wait for one of its goroutines, which is about to end.
func wantNoGoroutines(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		stacks := string(buf[:runtime.Stack(buf, true)])
		left := slices.IndexFunc([]string{"rpcclient.(*Client)", "bitcoind.(*Client).attempt", "longpollLoop"},
			func(fn string) bool { return strings.Contains(stacks, fn) })
		if left < 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a goroutine is left:\n%s", stacks)
		}
	}
}

// wait returns the next value from ch.
func wait[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
		panic("unreachable")
	}
}

// waitTemplate waits for a template on the given block.
func (r *runner) waitTemplate(t *testing.T, parent chainhash.Hash) *mining.Template {
	t.Helper()
	for {
		if tmpl := wait(t, r.templates, "template"); tmpl.PrevBlock == parent {
			return tmpl
		}
	}
}

// waitHealth waits for a report with the given outcome.
func (r *runner) waitHealth(t *testing.T, ok bool) Health {
	t.Helper()
	for {
		if h := wait(t, r.health, "health"); h.OK == ok {
			return h
		}
	}
}

// waitCalls waits until the node has had so many calls of a method.
func waitCalls(t *testing.T, f *bitcoindtest.Fake, method string, count int) {
	t.Helper()
	for deadline := time.Now().Add(patience); f.Calls(method) < count; {
		if time.Now().After(deadline) {
			t.Fatalf("%d calls of %s, want %d", f.Calls(method), method, count)
		}
		runtime.Gosched()
	}
}

// TestRunLongpoll checks that longpolling alone brings new blocks and new transactions.
func TestRunLongpoll(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	r := startRun(t, Config{URL: f.URL()}, func(tm *timing) { tm.poll = time.Hour })
	r.waitTemplate(t, *chaincfg.RegressionNetParams.GenesisHash)
	if h := r.waitHealth(t, true); h.Reason != "" {
		t.Errorf("healthy, but %q", h.Reason)
	}
	for range 3 {
		r.waitTemplate(t, f.Mine(1))
	}
	old := r.Template()
	f.TouchMempool()
	if tmpl := r.waitTemplate(t, old.PrevBlock); tmpl.LongPollID == old.LongPollID {
		t.Error("the same template again")
	}
}

// TestRunPoll checks that polling alone brings new blocks, and refreshes templates.
func TestRunPoll(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, true)
	f.SetFaults(bitcoindtest.Faults{Template: func(m map[string]any) { delete(m, "longpollid") }})
	r := startRun(t, Config{URL: f.URL()}, func(tm *timing) { tm.refresh = 100 * time.Millisecond })
	r.waitTemplate(t, *chaincfg.RegressionNetParams.GenesisHash)
	tip := f.Mine(1)
	first := r.waitTemplate(t, tip)
	if again := r.waitTemplate(t, tip); !again.Received.After(first.Received) {
		t.Error("no refreshed template")
	}
}

// TestRunAbandonsFewLongpolls checks that a longpoll which timed out isn't repeated for
// the same template: it would still occupy a thread of Bitcoin Core.
func TestRunAbandonsFewLongpolls(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	r := startRun(t, Config{URL: f.URL()}, func(tm *timing) {
		tm.longpoll, tm.refresh = 10*time.Millisecond, 20*time.Millisecond
	})
	r.waitHealth(t, true)
	waitCalls(t, f, "getbestblockhash", 30)

	// One call from the check, one longpoll; refreshes at every second poll or fewer.
	if templates, polls := f.Calls("getblocktemplate"), f.Calls("getbestblockhash"); templates > polls+2 {
		t.Errorf("%d templates asked in %d polls", templates, polls)
	}
	f.Mine(1)
	r.waitTemplate(t, f.Mine(1))
}

// TestRunOutage checks that Run reports an unreachable node, comes back by itself, and
// reports each change once.
func TestRunOutage(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	r := startRun(t, Config{URL: f.URL()}, nil)
	r.waitHealth(t, true)
	r.waitTemplate(t, *chaincfg.RegressionNetParams.GenesisHash)

	f.Down()
	h := wait(t, r.health, "health")
	if h.OK || h.Kind != ErrUnreachable || !strings.HasPrefix(h.Reason, "Bitcoin node unreachable since ") {
		t.Fatalf("got %+v", h)
	}
	if got := r.Health(); got != h {
		t.Errorf("Health says %+v", got)
	}
	tip := f.Mine(1)
	if err := f.Up(); err != nil {
		t.Fatal(err)
	}
	if h := wait(t, r.health, "health"); !h.OK {
		t.Fatalf("got %+v", h)
	}
	r.waitTemplate(t, tip)
	if n := f.Calls("getblockhash"); n < 2 {
		t.Errorf("the network was checked %d times, want once after each contact", n)
	}
}

// TestRunStartsWithoutNode checks that Run waits for a node that isn't there yet.
func TestRunStartsWithoutNode(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	f.Down()
	r := startRun(t, Config{URL: f.URL()}, nil)
	if h := wait(t, r.health, "health"); h.OK {
		t.Fatal("healthy without a node")
	}
	if err := f.Up(); err != nil {
		t.Fatal(err)
	}
	r.waitHealth(t, true)
}

// TestRunFaults checks, for each way in which a running node fails, that Run reports it
// and gets over it.
func TestRunFaults(t *testing.T) {
	tests := []struct {
		name   string
		faults bitcoindtest.Faults
		kind   ErrorKind
	}{
		{"password", bitcoindtest.Faults{Pass: "other"}, ErrAuth},
		{"server error", bitcoindtest.Faults{Status: 500, Body: "oops"}, ErrBadReply},
		{"busy", bitcoindtest.Faults{Status: 503}, ErrTimeout},
		{"warming up", bitcoindtest.Faults{Errors: map[string]*btcjson.RPCError{
			"getbestblockhash": btcjson.NewRPCError(btcjson.ErrRPCInWarmup, "Verifying blocks…")}}, ErrStarting},
		{"unknown rule", bitcoindtest.Faults{Template: func(m map[string]any) {
			m["rules"] = []string{"!newfork"}
		}}, ErrUnknownRule},
		{"bad template", bitcoindtest.Faults{Template: func(m map[string]any) { m["bits"] = "00000000" }}, ErrBadReply},
		{"silent", bitcoindtest.Faults{Delay: map[string]time.Duration{"getbestblockhash": time.Hour}}, ErrTimeout},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
			r := startRun(t, Config{URL: f.URL()}, func(tm *timing) {
				if test.kind == ErrTimeout {
					tm.call = 200 * time.Millisecond
				}
			})
			r.waitHealth(t, true)
			f.SetFaults(test.faults)
			f.Mine(1)
			if h := r.waitHealth(t, false); h.Kind != test.kind {
				t.Errorf("got %+v, want %v", h, test.kind)
			}
			f.SetFaults(bitcoindtest.Faults{})
			r.waitHealth(t, true)
			r.waitTemplate(t, f.Mine(1))
		})
	}
}

// TestRunOtherNetworkAfterOutage checks that a node that comes back is checked anew.
func TestRunOtherNetworkAfterOutage(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	r := startRun(t, Config{URL: f.URL()}, nil)
	r.waitHealth(t, true)
	f.Down()
	r.waitHealth(t, false)
	f.SetFaults(bitcoindtest.Faults{Raw: map[string]string{
		"getblockhash": `{"result":"` + chaincfg.MainNetParams.GenesisHash.String() + `"}`}})
	if err := f.Up(); err != nil {
		t.Fatal(err)
	}
	if h := r.waitHealth(t, false); h.Kind != ErrWrongNetwork {
		t.Fatalf("got %+v", h)
	}
}

// TestRunStopsDuringLongpoll checks that Run returns at once though a longpoll hangs.
func TestRunStopsDuringLongpoll(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	r := startRun(t, Config{URL: f.URL()}, nil)
	r.waitHealth(t, true)
	waitCalls(t, f, "getblocktemplate", 2)
	start := time.Now()
	r.stop()
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
}

// TestDeliverDropsLateAnswer checks that an answer asked for before a longpoll brought
// another block doesn't replace what the longpoll brought, and that one that would take
// us back counts only if the node is there now.
func TestDeliverDropsLateAnswer(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	var got []*mining.Template
	c := newClient(t, Config{URL: f.URL(), OnTemplate: func(tmpl *mining.Template) { got = append(got, tmpl) }})
	older := &mining.Template{PrevBlock: *chaincfg.RegressionNetParams.GenesisHash, Height: 1}
	newer := &mining.Template{PrevBlock: chainhash.Hash{2}, Height: 2}
	elsewhere := &mining.Template{PrevBlock: chainhash.Hash{3}, Height: 2}
	asked := time.Now().Add(-time.Second)
	ctx := t.Context()
	c.deliver(ctx, older, asked, SourcePoll)
	c.deliver(ctx, newer, time.Time{}, SourceLongpoll)
	c.deliver(ctx, older, asked, SourcePoll)
	c.deliver(ctx, elsewhere, time.Now(), SourcePoll)
	if c.Template() != newer || len(got) != 2 {
		t.Fatal("a late answer was delivered")
	}
	c.deliver(ctx, older, time.Now().Add(time.Second), SourcePoll)
	if c.Template() != older || len(got) != 3 {
		t.Fatal("a fresh answer was dropped")
	}
}
