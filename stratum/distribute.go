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
	// broadcastGap is the least time between two works that are brought to the sessions.
	// What comes in it goes out together, unless it is a new Bitcoin block, which makes all
	// work before it worthless. Share tips that move so fast exist on a young regtest chain
	// only.
	broadcastGap = 50 * time.Millisecond
	// fanBatch is how many sessions a goroutine of fanOut takes at once: some 0.2 ms
	// of work.
	fanBatch = 16
	// patience bounds how long what is queued may hold up the others who are to get the same
	// work: two processors encrypt the largest jobs of 10,000 sessions meanwhile.
	patience = 2 * time.Second
	// paceBatch and paceRest are how many sessions are served at once by work that is not
	// urgent, which takes a millisecond, and how long they then rest: it takes half of one
	// processor at most, and leaves the rest to the answers that miners wait for.
	paceBatch, paceRest = 64, time.Millisecond
)

// distribute brings new work to the sessions.
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
	wg.Go(func() { s.watchTime(ctx, notice) })
	s.deliverAll(ctx, changed)
}

// deliverAll brings the source's newest work to all sessions that do not have it, after
// each change.
//
// A new Bitcoin block is told on all processors: a device works for nothing until it has
// the new job, while the answer to what it hands in can wait. On two processors 10,000
// miners have a job after 0.1 s. With other work it is the answers that cannot wait, and
// the sessions are served batch by batch: 10,000 miners have it after 0.4 s. What is found
// in the meantime on the share tip before counts as an uncle, with nine tenths of its work;
// with a share every 10 s that costs a miner 0.2 s/10 s/10 of his reward, 0.2 %. When
// there is newer work by then, the rest get that at once, and after them those who have
// had the older.
func (s *Server) deliverAll(ctx context.Context, changed <-chan struct{}) {
	var deliver func(*session)
	var due []*session // who may lack the newest work, in the order in which they are served
	newer := false     // there may be newer work than that
	var gap, rest <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			newer = true
		case <-gap:
			gap = nil
		case <-rest:
			rest = nil
		}
		if newer && (gap == nil || isUrgent(s.cfg.Source.Work(), s.work.Load().work)) {
			newer = false
			if adopted, urgent := s.adopt(); adopted {
				deliver = s.sparingly(func(sess *session) { sess.deliver(time.Now()) })
				if urgent {
					s.urge(deliver)
					due = nil
				} else {
					due = lineUp(due, s.sessions())
				}
				gap = time.After(broadcastGap)
			}
		}
		if rest == nil && len(due) > 0 {
			n := min(paceBatch, len(due))
			for _, sess := range due[:n] {
				deliver(sess)
			}
			due, rest = due[n:], time.After(paceRest)
		}
	}
}

// lineUp appends those of all who are not in line.
func lineUp(line, all []*session) []*session {
	if len(line) == 0 {
		return all
	}
	waiting := make(map[*session]bool, len(line))
	for _, sess := range line {
		waiting[sess] = true
	}
	return append(line, slices.DeleteFunc(all, func(sess *session) bool { return waiting[sess] })...)
}

// adopt makes the source's newest work current, unless it is already.
func (s *Server) adopt() (adopted, urgent bool) {
	work, current := s.cfg.Source.Work(), s.work.Load()
	var reason string
	if work == nil {
		reason = s.cfg.Source.Reason()
	}
	if work == current.work && reason == current.reason {
		return false, false
	}
	s.work.Store(newWorkset(work, s.cfg.Payees, reason))
	return true, isUrgent(work, current.work)
}

// isUrgent reports whether devices work for nothing, or not at all, until they have work:
// it builds on another Bitcoin block than the old one, or there was none.
func isUrgent(work, old Work) bool {
	return work != nil && (old == nil || work.PrevBlock() != old.PrevBlock())
}

// sparingly returns f for use with all sessions, one after the other or at once: it waits
// while too much is queued for those before.
func (s *Server) sparingly(f func(*session)) func(*session) {
	makeWay := s.queues.makeWay(patience)
	return func(sess *session) {
		makeWay()
		f(sess)
	}
}

// urge brings the newest work to all sessions on all processors. Those to whom it can be
// written at once come first: what goes out over TLS is encrypted by goroutines that want the
// processors too, and may have to be waited for.
func (s *Server) urge(deliver func(*session)) {
	sessions, plain := s.sessions(), 0
	for i, sess := range sessions {
		if sess.out.raw != nil {
			sessions[i], sessions[plain] = sessions[plain], sess
			plain++
		}
	}
	fanOut(sessions[:plain], deliver)
	fanOut(sessions[plain:], deliver)
}

// fanOut calls f for all sessions, on all processors.
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

// paced calls f for all sessions, with rests in between. It ends early when rest returns
// false.
func paced(sessions []*session, f func(*session), rest func(time.Duration) bool) {
	for i, sess := range sessions {
		if i > 0 && i%paceBatch == 0 && !rest(paceRest) {
			return
		}
		f(sess)
	}
}

// watchTime makes the sessions' time pass, and calls notice now and then, should a change
// of the work ever go unnoticed.
func (s *Server) watchTime(ctx context.Context, notice func()) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	rest := func(d time.Duration) bool { return pause(ctx, d) == nil }
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			notice()
			s.report(now)
			s.deps.parking.sweep(s.tip(), now)
			paced(s.sessions(), s.sparingly(tick), rest)
		}
	}
}

// tick makes a session look at the time, and closes its connection if that is up.
func tick(sess *session) {
	if sess.tick(time.Now()) {
		sess.out.cut(errTimeUp)
	}
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
