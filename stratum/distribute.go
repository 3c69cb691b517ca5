package stratum

import (
	"context"
	"io"
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	// tickEvery is how often sessions look at the time.
	tickEvery = time.Second
	// broadcastGap is the least time between two rounds of jobs. The first of a
	// burst is sent at once; what follows in the gap goes out together, unless it is
	// a new Bitcoin block, which makes all work before it worthless. Share tips that
	// move faster than that exist on a young regtest chain only.
	broadcastGap = 50 * time.Millisecond
	// yieldEvery is after how many jobs the distributor lets their writers run. On
	// a machine with few or busy processors the first would else wait for the last.
	yieldEvery = 16
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
	now := time.Now()
	s.work.Store(newWorkset(work, s.cfg.Payees, reason))
	delivered := 0
	for _, sess := range s.sessions() {
		sess.deliver(now)
		if delivered++; delivered%yieldEvery == 0 {
			runtime.Gosched()
		}
	}
}

// tick closes the connections whose time is up.
func (s *Server) tick(now time.Time) {
	for conn, sess := range s.sessions() {
		if sess.tick(now) {
			conn.Close()
		}
	}
}

// sessions returns a snapshot, so that no session is waited for under the lock.
func (s *Server) sessions() map[net.Conn]*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot := make(map[net.Conn]*session, len(s.conns))
	for conn, sess := range s.conns {
		snapshot[conn] = sess
	}
	return snapshot
}

// reserve makes room for a connection unless the limit is reached.
func (s *Server) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.cfg.MaxConnections {
		return false
	}
	s.open++
	return true
}

func (s *Server) add(conn net.Conn, sess *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[conn] = sess
}

func (s *Server) remove(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
	s.open--
}

func closeAll[C io.Closer](closers []C) {
	for _, c := range closers {
		c.Close()
	}
}

// Connections returns the number of open connections, authorized or not.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// Workers returns a snapshot of all workers seen since the start, by name.
func (s *Server) Workers() []WorkerInfo { return s.deps.registry.list(time.Now()) }

// Hashrate estimates the hashrate of all connections together, in hashes per
// second over about ten minutes, from the work that was accepted.
func (s *Server) Hashrate() float64 { return s.deps.registry.hashrate(time.Now()) }
