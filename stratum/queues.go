package stratum

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// maxAllQueued bounds what waits to be written to all clients together, in bytes: some
// 300 of the largest notifies in hex. Clients that read leave hardly anything waiting,
// and who does not is dropped after writeTimeout.
const maxAllQueued = 64 << 20

// wayRest is how long makeWay waits until it looks again, and wayRests how often nothing may
// have been written before it gives up: in 10 ms, 10 MB are encrypted and written to clients
// that read.
const wayRest, wayRests = time.Millisecond, 10

// errQueuesFull ends the connection that has the most waiting.
var errQueuesFull = errors.New("too much waits for clients that do not read, most of it for this one")

// queues counts what waits in all outboxes of a server, and drops the client with the
// longest queue when that is too much: not the one whose message was the last straw, who
// may be an honest miner beside many that do not read. Safe for concurrent use. mu comes
// after that of the outbox.
type queues struct {
	max int

	mu    sync.Mutex
	total int
	gone  uint64          // bytes that do not wait any more, ever
	of    map[*outbox]int // no zeros
}

func newQueues(max int) *queues { return &queues{max: max, of: make(map[*outbox]int)} }

// add counts n bytes that o queues. It reports false, and counts nothing, if o is the one
// to be dropped; if another outbox is, that is done.
func (q *queues) add(o *outbox, n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.total+n > q.max {
		longest, most := o, q.of[o]+n
		for other, queued := range q.of {
			if queued > most {
				longest, most = other, queued
			}
		}
		if longest == o {
			return false
		}
		// Its mutex cannot be waited for here. That its connection is closed ends its
		// writer, which frees the queue.
		longest.dropped.Store(true)
		longest.conn.Close()
		q.total -= most
		delete(q.of, longest)
	}
	q.of[o] += n
	q.total += n
	return true
}

// remove counts n bytes of o's as gone. Those of one that was dropped are already.
func (q *queues) remove(o *outbox, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, q.of[o])
	q.total -= n
	q.gone += uint64(n)
	if q.of[o] -= n; q.of[o] == 0 {
		delete(q.of, o)
	}
}

// makeWay returns a function for who queues for many clients at a time. It waits while the
// queues are more than half full, so that a client who reads is not dropped for what its
// writer had no time to write; but not beyond max from now, nor after it was seen that
// nothing gets written, since those who have the most waiting do not read.
func (q *queues) makeWay(max time.Duration) func() {
	end := time.Now().Add(max)
	var stuck atomic.Bool
	return func() {
		full, gone := q.halfFull()
		for rests := 0; full && !stuck.Load() && time.Now().Before(end); {
			time.Sleep(wayRest)
			before := gone
			if full, gone = q.halfFull(); gone != before {
				rests = 0
			} else if rests++; rests == wayRests {
				stuck.Store(true)
			}
		}
	}
}

// halfFull also returns how many bytes have ever gone.
func (q *queues) halfFull() (full bool, gone uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.total > q.max/2, q.gone
}
