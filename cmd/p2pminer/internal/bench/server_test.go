package bench

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/cmd/p2pminer/internal/poolserver"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/stratum"
)

// source is a stratum.Source whose work can be changed.
type source struct {
	mu      sync.Mutex
	work    *fixedWork
	changed chan struct{}
}

// fixedWork is work with one job.
type fixedWork struct{ job mining.Job }

func (w *fixedWork) PrevBlock() chainhash.Hash { return w.job.PrevBlock }
func (w *fixedWork) Tip() *blockchain.Tip      { return new(blockchain.Tip) }
func (w *fixedWork) Job([]byte, share.Class) (*mining.Job, error) {
	job := w.job
	return &job, nil
}

func newSource() *source {
	s := &source{changed: make(chan struct{}, 1)}
	s.set(1, 1)
	return s
}

// set changes the work: its Bitcoin block, and what is in its coinbase.
func (s *source) set(block, tip byte) {
	now := uint32(time.Now().Unix())
	s.mu.Lock()
	s.work = &fixedWork{mining.Job{
		PrevBlock: chainhash.Hash{block}, Version: 0x20000000, Bits: 0x207fffff,
		Time: now, MinTime: now - 600, MaxTime: now + 7000,
		Head: bytes.Repeat([]byte{tip}, 300), Coinb2: make([]byte, 4), Branch: make([]chainhash.Hash, 12),
		ShareTarget: target.FromDifficulty(1), BlockTarget: target.FromDifficulty(10),
	}}
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *source) Work() stratum.Work {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.work
}

func (s *source) Reason() string { return "" }

func (s *source) Watch(ctx context.Context, changed func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
			changed()
		}
	}
}

func (s *source) Submit(context.Context, *mining.Job, mining.Solution) (mining.Outcome, error) {
	return mining.Outcome{}, nil
}

// serve runs the node's own server.
func serve(t *testing.T) (*source, *stratum.Server, string) {
	t.Helper()
	s := newSource()
	server, addr := poolserver.Serve(t, stratum.Config{Source: s, MinDifficulty: 1e-9})
	return s, server, addr
}

// small is a configuration for tests.
func small(mode Mode, addr string) Config {
	return Config{
		Mode: mode, Addr: addr, Pass: "x", UserAgent: "test/1", Connections: 50, Parallel: 20, Timeout: 10 * time.Second,
		Depth: 1, Duration: 400 * time.Millisecond, Difficulty: 1e-9, Prepare: 20 * time.Millisecond, Threads: 2,
		settle: 50 * time.Millisecond,
	}
}

func mustRun(t *testing.T, cfg Config) *Report {
	t.Helper()
	rep, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := rep.WriteTable(&b); err != nil {
		t.Error(err)
	}
	t.Log("\n" + b.String())
	return rep
}

// allAccepted is what every run against a server in order must show.
func allAccepted(t *testing.T, rep *Report, connections uint64) {
	t.Helper()
	if l := rep.Logins; l.Succeeded != connections || len(l.Failed) > 0 || l.Latency.Count != connections || l.Latency.P50 <= 0 {
		t.Errorf("logins %+v", l)
	}
	if len(rep.Lost) > 0 || rep.BytesIn == 0 || rep.BytesOut == 0 {
		t.Errorf("lost %v, %f bytes in, %f out", rep.Lost, rep.BytesIn, rep.BytesOut)
	}
	s := rep.Submits
	if s == nil {
		return
	}
	if s.Sent == 0 || s.Accepted != s.Sent || s.Answered != s.Sent || s.Unanswered+s.HeldBack+s.Unsolved != 0 ||
		s.Latency.Count != s.Sent || s.Latency.Max < s.Latency.P50 || s.LatencyDue.Max < s.Latency.P50 {
		t.Errorf("submissions %+v", s)
	}
}

// At a rate, while work changes: what is sent is right, and it is all that is due.
func TestRate(t *testing.T) {
	src, _, addr := serve(t)
	cfg := small(Submit, addr)
	cfg.Rate, cfg.Connections, cfg.PID, cfg.Sources = 1000, 49, os.Getpid(), 3
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	go func() { // other share tips
		for tip := byte(2); ; tip++ {
			select {
			case <-ticker.C:
				src.set(1, tip)
			case <-t.Context().Done():
				return
			}
		}
	}()
	rep := mustRun(t, cfg)
	allAccepted(t, rep, 49)
	if s := rep.Submits; s.Sent < 390 || s.Sent > 400 || s.Late.Count != s.Sent { // the end may cut off some
		t.Errorf("%d submissions in 0.4 s", s.Sent)
	}
	if rep.Work.Events == 0 || rep.Work.ToLast.Max <= 0 || rep.Work.ToEach.Count < 48 || rep.Blocks.Events+rep.Blocks.Incomplete != 0 {
		t.Errorf("work %+v, blocks %+v", rep.Work, rep.Blocks)
	}
	if p := rep.Process; p == nil || p.ResidentBefore == 0 || p.FilesBefore == 0 || p.ThreadsAfter == 0 {
		t.Errorf("process %+v", p)
	}
}

// As fast as possible, while Bitcoin blocks come: only what was under way is stale.
func TestAsFastAsPossible(t *testing.T) {
	src, _, addr := serve(t)
	cfg := small(Submit, addr)
	cfg.Depth = 3
	block := time.AfterFunc(cfg.Prepare+cfg.settle+cfg.Duration/2, func() { src.set(2, 2) })
	defer block.Stop()
	rep := mustRun(t, cfg)
	s := rep.Submits
	stale := s.Rejected["stale-prevblk"]
	if s.Sent < 500 || s.Accepted+stale != s.Sent || stale > uint64(cfg.Connections*cfg.Depth) || s.Unanswered != 0 {
		t.Errorf("submissions %+v", s)
	}
	if rep.Blocks.Events+rep.Blocks.Incomplete > 1 {
		t.Errorf("blocks %+v", rep.Blocks)
	}
}

func TestIdleAndLogin(t *testing.T) {
	_, server, addr := serve(t)
	for _, mode := range []Mode{Idle, Login} {
		cfg := small(mode, addr)
		cfg.LoginRate, cfg.User = 500, "name.worker"
		rep := mustRun(t, cfg)
		allAccepted(t, rep, 50)
		if rep.Submits != nil || (rep.Seconds > 0) != (mode == Idle) || rep.Logins.Seconds < 0.09 {
			t.Errorf("%s: %+v", mode, rep)
		}
	}
	for _, w := range server.Workers() {
		if !strings.HasSuffix(w.Name, "worker") {
			t.Errorf("a worker named %q", w.Name)
		}
	}
}

// Logins of all kinds, broken off ones too, leave nothing behind.
func TestCycle(t *testing.T) {
	_, server, addr := serve(t)
	cfg := small(Cycle, addr)
	cfg.Connections = 400
	rep := mustRun(t, cfg)
	allAccepted(t, rep, 250)
	if rep.Logins.Dropped != 150 || rep.Logins.Started != 400 {
		t.Errorf("logins %+v", rep.Logins)
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(10 * time.Second); server.Connections() > 0; <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left", server.Connections())
		}
	}
}

// Clients that never read do not disturb the others.
func TestSlowReaders(t *testing.T) {
	_, _, addr := serve(t)
	cfg := small(Slow, addr)
	cfg.Rate = 500
	rep := mustRun(t, cfg)
	allAccepted(t, rep, 60)
	if rep.SlowReaders == nil || rep.SlowReaders.LoggedIn != defaultSlowReaders {
		t.Errorf("%+v", rep.SlowReaders)
	}
}

// A difficulty that cannot be met in time is not the server's fault, and is said.
func TestTooHard(t *testing.T) {
	_, _, addr := serve(t)
	cfg := small(Submit, addr)
	cfg.Difficulty, cfg.Connections, cfg.Rate = 0.5, 2, 50
	rep := mustRun(t, cfg)
	if rep.Limit != LimitGenerator || rep.Submits.Unsolved == 0 {
		t.Errorf("limit %q: %s", rep.Limit, rep.Because)
	}
}

// Who is interrupted tells what he has seen.
func TestInterrupted(t *testing.T) {
	_, _, addr := serve(t)
	cfg := small(Submit, addr)
	cfg.Rate, cfg.Duration = 500, time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	rep, err := Run(ctx, cfg)
	if err != nil || !rep.Interrupted || rep.Seconds > 5 {
		t.Fatalf("%v, %+v", err, rep)
	}
	allAccepted(t, rep, 50)
}
