package peer

import (
	"slices"
	"sync"

	"github.com/p2poold/p2poold/p2p/message"
)

const (
	// MaxQueueBytes is how much of answers may wait to be sent for another one to be
	// made: 64 KiB. They are held back (SendWait) while more is waiting. It needs to
	// last only until the next one is read from the database: it is the kernel's
	// buffer that keeps a long link busy.
	MaxQueueBytes = 64 << 10
	// maxQueueNews is how much of announcements (Send) may wait, 256 KiB, some 300
	// shares or an hour of the sharechain, before the peer is given up as too slow.
	// What they say is in memory once for all peers.
	maxQueueNews = 256 << 10
	// MaxQueueMessages bounds the queue's length whatever the messages' sizes.
	MaxQueueMessages = 2048
	// writeBatch is how much is put into one write: a segment-sized write per
	// announcement would waste system calls in bursts. 64 KiB.
	writeBatch = 64 << 10
)

// queued is a message on its way to the writer goroutine.
type queued struct {
	message.Message
	size int  // of its frame, in bytes
	news bool // an announcement
	// large is its place among the large ones; nil: it has none.
	large *place
}

// sendQueue holds the messages on their way to the writer goroutine. All
// methods are safe for concurrent use.
type sendQueue struct {
	mu      sync.Mutex
	msgs    []queued
	count   int    // queued or being written
	answers int    // bytes of their frames, queued or being written
	news    int    // the same of announcements
	large   *place // of the large message queued or being written, one at most

	wake chan struct{} // capacity 1: something was pushed
	room chan struct{} // capacity 1: something was written
}

func newSendQueue() *sendQueue {
	return &sendQueue{wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// frameSize is the message's length on the wire with v1; v2 adds nine bytes more.
func frameSize(m message.Message) int { return message.HeaderSize + m.Size() }

// push queues the message unless more than the limit for its kind, or too many
// messages, are waiting.
func (q *sendQueue) push(m queued) bool {
	m.size = frameSize(m.Message)
	q.mu.Lock()
	ok := q.hasRoom(m.news)
	if ok {
		q.msgs = append(q.msgs, m)
		q.count++
		*q.bytesOf(m.news) += m.size
		if m.large != nil {
			q.large = m.large
		}
	}
	q.mu.Unlock()
	if ok {
		signal(q.wake)
	}
	return ok
}

// hasRoom reports whether another message may be pushed, for callers with the lock.
func (q *sendQueue) hasRoom(news bool) bool {
	limit := MaxQueueBytes
	if news {
		limit = maxQueueNews
	}
	return *q.bytesOf(news) <= limit && q.count < MaxQueueMessages
}

func (q *sendQueue) bytesOf(news bool) *int {
	if news {
		return &q.news
	}
	return &q.answers
}

// answerable reports whether there is room for an answer.
func (q *sendQueue) answerable() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.hasRoom(false)
}

// pop removes the next messages, as many as make up a write batch but at least
// one, nil if there are none. They count as waiting until release.
func (q *sendQueue) pop() []queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.msgs) && size < writeBatch {
		size += q.msgs[n].size
		n++
	}
	batch := q.msgs[:n:n]
	if q.msgs = q.msgs[n:]; len(q.msgs) == 0 {
		q.msgs = nil // the batch keeps the array; don't append behind it
	}
	return batch
}

// release takes written messages off the books and returns the place of the large
// one among them, if any, which must be given back.
func (q *sendQueue) release(batch []queued) (large *place) {
	q.mu.Lock()
	for _, m := range batch {
		*q.bytesOf(m.news) -= m.size
	}
	q.count -= len(batch)
	if slices.ContainsFunc(batch, func(m queued) bool { return m.large != nil }) {
		large, q.large = q.large, nil
	}
	q.mu.Unlock()
	signal(q.room)
	return large
}

// signal sets a flag channel of capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
