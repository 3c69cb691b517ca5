package bench

import (
	"sync/atomic"
	"time"
)

// maxEvents bounds the events that the report can tell of.
const maxEvents = 1 << 14

// event is how one new work, or one new Bitcoin block, comes to the connections.
type event struct {
	block   bool
	due     int64        // connections that had work when the first of them got it
	first   int64        // when that was
	last    atomic.Int64 // when the newest of them got it
	reached atomic.Int64 // connections, of those that had work at first
}

// event makes one. MUST be called with the mutex held.
func (b *board) event(block bool, now int64) *event {
	e := &event{block: block, first: now, due: b.loggedIn()}
	if len(b.events) < maxEvents {
		b.events = append(b.events, e)
	}
	return e
}

// arrived notes that a connection, which had work since ready, has got it. It
// returns how long after the first one, or false if the event does not concern it.
func (e *event) arrived(ready, now int64) (time.Duration, bool) {
	if ready == 0 || ready >= e.first {
		return 0, false
	}
	e.reached.Add(1)
	for {
		last := e.last.Load()
		if last >= now || e.last.CompareAndSwap(last, now) {
			return time.Duration(now - e.first), true
		}
	}
}

// complete reports whether nearly all connections have got it: one in a hundred may
// have gone, or have come just then.
func (e *event) complete() bool { return e.reached.Load()*100 >= e.due*99 }

// spread is what the events between two points in time come to.
type spread struct {
	complete, incomplete int
	toLast               histogram // first to last connection, of complete events
}

// spreads sums up the events that began between from and to: those of blocks, and
// those of all work.
func (b *board) spreads(from, to int64) (blocks, works spread) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.first < from || e.first >= to || e.due == 0 {
			continue
		}
		s := &works
		if e.block {
			s = &blocks
		}
		if !e.complete() {
			s.incomplete++
			continue
		}
		s.complete++
		s.toLast.add(time.Duration(e.last.Load() - e.first))
	}
	return blocks, works
}
