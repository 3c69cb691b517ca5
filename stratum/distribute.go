package stratum

import (
	"context"
	"io"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

const (
	// tickEvery is how often sessions look at the time.
	tickEvery = time.Second
	// broadcastGap is the least time between two rounds of jobs. The first of a
	// burst is sent at once; what follows in the gap goes out together, unless it is
	// a new Bitcoin block, which makes all work before it worthless. Share tips that
	// move faster than that exist on a young regtest chain only.
	broadcastGap = 50 * time.Millisecond
	// fanBatch is how many sessions a goroutine of fanOut takes at once: some 0.1 ms
	// of work.
	fanBatch = 16
)

// distribute brings new work to the sessions and makes their time pass.
func (s *Server) distribute(ctx context.Context) {
	changed := make(chan struct{}, 1)
	notice := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.cfg.Source.Watch(ctx, notice) })

	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			s.refresh()
			if s.calm(ctx, changed) {
				notice()
			}
		case now := <-ticker.C:
			s.refresh() // should a change ever go unnoticed
			s.tick(now)
		}
	}
}

// calm waits for the gap to pass, and meanwhile sends out only what is urgent. It reports
// whether there was anything else.
func (s *Server) calm(ctx context.Context, changed <-chan struct{}) (more bool) {
	gap := time.NewTimer(broadcastGap)
	defer gap.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-gap.C:
			return more
		case <-changed:
			if onNewBlock(s.cfg.Source.Work(), s.work.Load().work) {
				s.refresh()
			} else {
				more = true
			}
		}
	}
}

// onNewBlock reports whether work builds on another Bitcoin block than old does.
func onNewBlock(work, old Work) bool {
	return work != nil && old != nil && work.PrevBlock() != old.PrevBlock()
}

// refresh makes the source's newest work current and sends it out, unless it is
// current already.
func (s *Server) refresh() {
	work, current := s.cfg.Source.Work(), s.work.Load()
	var reason string
	if work == nil {
		reason = s.cfg.Source.Reason()
	}
	if work == current.work && reason == current.reason {
		return
	}
	s.work.Store(newWorkset(work, s.cfg.Payees, reason))
	now := time.Now()
	fanOut(s.sessions(), func(sess *session) { sess.deliver(now) })
}

// fanOut calls f for all sessions, on all processors: a device works for nothing until it
// has the new job, while the answer to what it hands in can wait. On two processors 10,000
// miners have a job after 90 ms, on one of them after 120 ms.
func fanOut(sessions []*session, f func(*session)) {
	var next atomic.Int64
	work := func() {
		for {
			end := int(next.Add(fanBatch))
			if end-fanBatch >= len(sessions) {
				return
			}
			for _, sess := range sessions[end-fanBatch : min(end, len(sessions))] {
				f(sess)
			}
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(sessions)/fanBatch) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// tick closes the connections whose time is up.
func (s *Server) tick(now time.Time) {
	s.report(now)
	s.deps.parking.sweep(s.tip(), now)
	fanOut(s.sessions(), func(sess *session) {
		if sess.tick(now) {
			sess.out.cut(errTimeUp)
		}
	})
}

// tip is the Bitcoin block of the newest work, zero while there is none.
func (s *Server) tip() (tip chainhash.Hash) {
	if work := s.work.Load().work; work != nil {
		tip = work.PrevBlock()
	}
	return tip
}

// sessions returns a snapshot, so that no session is waited for under the lock. The
// order is another one each time.
func (s *Server) sessions() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.AppendSeq(make([]*session, 0, len(s.live)), maps.Keys(s.live))
}

// add makes a session known, unless the server ends.
func (s *Server) add(sess *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.live[sess] = struct{}{}
	}
	return !s.ended
}

func (s *Server) remove(sess *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, sess)
}

// end ends all connections when what is queued
// for them is written, or byeTimeout has passed. The function that it returns is to be
// called when all are gone.
func (s *Server) end() (done func() bool) {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	sessions := s.sessions()
	for _, sess := range sessions {
		sess.bye()
	}
	return time.AfterFunc(byeTimeout, func() {
		for _, sess := range sessions {
			sess.out.cut(errServerEnds)
		}
	}).Stop
}

func closeAll[C io.Closer](closers []C) {
	for _, c := range closers {
		c.Close()
	}
}

// Connections returns the number of open connections that speak Stratum, authorized or not.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live)
}

// Workers returns a snapshot of all workers remembered, by name.
func (s *Server) Workers() []WorkerInfo { return s.deps.registry.list(time.Now()) }

// Hashrate estimates the hashrate of all connections together, in hashes per
// second over five minutes, from the work that was accepted.
func (s *Server) Hashrate() float64 { return s.deps.registry.hashrate(time.Now()) }
