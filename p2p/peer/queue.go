package peer

import (
	"sync"

	"github.com/p2poold/p2poold/p2p/message"
)

const (
	// MaxQueueBytes is the soft limit on what waits to be sent: 512 KiB. Answers
	// (SendWait) are held back while more is waiting.
	MaxQueueBytes = 512 << 10
	// queueSlack is what announcements (Send) may add beyond the soft limit,
	// 256 KiB, some 300 shares or an hour of the sharechain, before the peer is
	// given up as too slow. With one answer of up to 128 KiB a peer costs at most
	// 896 KiB, so 125 peers that don't read cost less than 112 MiB.
	queueSlack = 256 << 10
	// MaxQueueMessages bounds the queue's length whatever the messages' sizes.
	MaxQueueMessages = 2048
	// writeBatch is how much is put into one write: a segment-sized write per
	// announcement would waste system calls in bursts. 64 KiB.
	writeBatch = 64 << 10
)

// sendQueue holds the messages on their way to the writer goroutine. All
// methods are safe for concurrent use.
type sendQueue struct {
	mu    sync.Mutex
	msgs  []message.Message
	count int // queued or being written
	bytes int // of the frames queued or being written

	wake chan struct{} // capacity 1: something was pushed
	room chan struct{} // capacity 1: something was written
}

func newSendQueue() *sendQueue {
	return &sendQueue{wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// frameSize is the message's length on the wire with v1; v2 adds nine bytes more.
func frameSize(m message.Message) int { return message.HeaderSize + m.Size() }

// push queues the message unless more than limit bytes, or too many messages,
// are waiting.
func (q *sendQueue) push(m message.Message, limit int) bool {
	q.mu.Lock()
	ok := q.bytes <= limit && q.count < MaxQueueMessages
	if ok {
		q.msgs = append(q.msgs, m)
		q.count++
		q.bytes += frameSize(m)
	}
	q.mu.Unlock()
	if ok {
		signal(q.wake)
	}
	return ok
}

// pop removes the next messages, as many as make up a write batch but at least
// one, nil if there are none. They count as waiting until release.
func (q *sendQueue) pop() []message.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.msgs) && size < writeBatch {
		size += frameSize(q.msgs[n])
		n++
	}
	batch := q.msgs[:n:n]
	if q.msgs = q.msgs[n:]; len(q.msgs) == 0 {
		q.msgs = nil // the batch keeps the array; don't append behind it
	}
	return batch
}

// release takes written messages off the books.
func (q *sendQueue) release(batch []message.Message) {
	q.mu.Lock()
	for _, m := range batch {
		q.bytes -= frameSize(m)
	}
	q.count -= len(batch)
	q.mu.Unlock()
	signal(q.room)
}

// signal sets a flag channel of capacity 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
