package bench

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/p2poold/p2poold/cmd/p2pminer/internal/pow"
)

// Phases of a run, in their order.
const (
	phaseLogin int32 = iota
	phaseSettle
	phasePrepare
	phaseMeasure
	phaseDrain // answers may still come
	phaseClose
)

// Times of a run.
const (
	// lookEvery is how often the run looks at how far the loops are.
	lookEvery = 5 * time.Millisecond
	// tellEvery is how often it says so.
	tellEvery = 5 * time.Second
	// settleTime is between the last login and the first look at the server's memory:
	// a garbage collection may follow many logins.
	settleTime = time.Second
	// longestLogin bounds the logins all together, beside the time that their rate
	// takes.
	longestLogin = 10 * time.Minute
	// shortDrain is how long answers may still take when the run was interrupted.
	shortDrain = time.Second
)

// run is one run of the load generator. What is not marked otherwise does not change
// while the loops run.
type run struct {
	cfg     *Config
	server  netip.AddrPort
	sources []netip.Addr // empty: whatever the system takes
	epoch   time.Time    // of all times
	began   int64        // when the first login was due
	board   *board
	loops   []*loop

	phase      atomic.Int32
	start, end atomic.Int64 // of submitting or being idle; 0: not yet
	counters
}

// Run puts the load on the server and returns what was measured, also when ctx ends
// first. An error means that nothing was done.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	server, err := resolve(ctx, cfg.Addr, cfg.Permitted)
	if err != nil {
		return nil, err
	}
	if err := allowFiles(cfg.total()); err != nil {
		return nil, err
	}
	r := &run{cfg: &cfg, server: server, sources: sources(&cfg, server), epoch: time.Now(), board: new(board)}
	r.board.loggedIn = r.connected.Load
	if err := r.makeLoops(); err != nil {
		return nil, err
	}
	samples, err := newSampler(cfg.PID)
	if err != nil {
		r.closePollers()
		return nil, err
	}
	var wg sync.WaitGroup
	r.began = r.now()
	for _, l := range r.loops {
		wg.Go(l.work)
	}
	interrupted := r.phases(ctx, samples)
	r.phase.Store(phaseClose)
	wg.Wait()
	if cfg.PID != 0 {
		r.wait(ctx, r.cfg.settle, func() bool { return false }) // the server notices that all have gone
	}
	samples.take(atExit)
	return r.report(samples, interrupted), nil
}

func (r *run) makeLoops() error {
	for i := range r.cfg.Threads {
		l := &loop{run: r, index: i, next: i, hasher: pow.NewHasher()}
		var err error
		if l.poller, err = newPoller(l); err != nil {
			r.closePollers()
			return err
		}
		r.loops = append(r.loops, l)
	}
	return nil
}

func (r *run) closePollers() {
	for _, l := range r.loops {
		l.poller.close()
	}
}

// phases takes the loops from one phase to the next and reports whether ctx ended
// before the last.
func (r *run) phases(ctx context.Context, s *sampler) (interrupted bool) {
	s.take(atStart)
	logins := longestLogin
	if r.cfg.LoginRate > 0 {
		logins += time.Duration(float64(r.cfg.total()) / r.cfg.LoginRate * float64(time.Second))
	}
	r.wait(ctx, logins, func() bool { return r.finishedLogins() >= int64(r.cfg.total()) })
	r.phase.Store(phaseSettle)
	if r.cfg.Mode != Cycle {
		r.wait(ctx, r.cfg.settle, func() bool { return false })
	}
	s.take(atLoggedIn)
	if r.cfg.Mode == Cycle || r.cfg.Mode == Login {
		return ctx.Err() != nil
	}
	if r.cfg.submits() && r.cfg.Prepare > 0 {
		r.phase.Store(phasePrepare)
		r.wait(ctx, r.cfg.Prepare, func() bool { return r.prepared.Load() == int64(len(r.loops)) })
		runtime.GC() // not in the middle of what comes
	}
	if ctx.Err() != nil {
		return true
	}
	s.take(atBegin)
	now := r.now()
	r.end.Store(now + int64(r.cfg.Duration))
	r.start.Store(now)
	r.phase.Store(phaseMeasure)
	r.wait(ctx, r.cfg.Duration, func() bool { return r.connected.Load() == 0 })
	r.end.Store(min(r.now(), r.end.Load()))
	r.phase.Store(phaseDrain)
	s.answers = r.answers.Load()
	s.take(atEnd)
	if r.cfg.submits() {
		r.drain(ctx)
	}
	return ctx.Err() != nil
}

// drain waits for the last answers, not for long if the user does.
func (r *run) drain(ctx context.Context) {
	wait := r.cfg.Timeout
	if ctx.Err() != nil {
		wait = min(wait, shortDrain)
		ctx = context.WithoutCancel(ctx)
	}
	r.wait(ctx, wait, func() bool { return r.pending.Load() <= 0 })
}

// wait returns when done says so, the time is over, or ctx is done.
func (r *run) wait(ctx context.Context, limit time.Duration, done func() bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	told := time.Now()
	for !done() {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if now.Sub(told) >= tellEvery {
				told = now
				r.tell()
			}
		}
	}
}

// tell says how far the run is.
func (r *run) tell() {
	if r.cfg.Progress == nil {
		return
	}
	switch r.phase.Load() {
	case phaseLogin:
		r.cfg.Progress(fmt.Sprintf("logging in: %d of %d done, %d failed", r.finishedLogins(), r.cfg.total(), r.failed.Load()))
	case phasePrepare:
		r.cfg.Progress("looking for solutions")
	case phaseMeasure, phaseDrain:
		line := fmt.Sprintf("%d connected", r.connected.Load())
		if r.cfg.submits() {
			line += fmt.Sprintf(", %d submitted, %d answered, %d rejected", r.sent.Load(), r.answers.Load(), r.rejected.Load())
		}
		r.cfg.Progress(line)
	}
}

func (r *run) finishedLogins() int64 {
	return r.counters.loggedIn.Load() + r.failed.Load() + r.dropped.Load()
}

// now is the time since the epoch, in nanoseconds.
func (r *run) now() int64 { return int64(time.Since(r.epoch)) }

// measuring reports whether a time is in the part of the run that counts.
func (r *run) measuring(t int64) bool {
	start := r.start.Load()
	return start != 0 && t >= start && t < r.end.Load()
}

// kindOf says what a client is for. Of Cycle's some break off in each way that
// clients do.
func (r *run) kindOf(number int) kind {
	switch {
	case number >= r.cfg.Connections:
		return mute
	case r.cfg.Mode != Cycle:
		return whole
	}
	return [...]kind{whole, whole, whole, whole, whole, dropAtOnce, dropInLine, dropEarly}[number%8]
}

// source is the local address for a client.
func (r *run) source(number int) (addr netip.Addr) {
	if len(r.sources) > 0 {
		addr = r.sources[number%len(r.sources)]
	}
	return addr
}
