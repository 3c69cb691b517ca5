package stratum

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Limits of what waits for a client.
const (
	// maxQueued is how many bytes may wait to be written: two of the largest
	// notifies, whose coinbase has 50 kB, or hundreds of small ones. A client that
	// lets more pile up does not read.
	maxQueued = 512 << 10
	// maxQueuedEarly is the same before the first job. The answers of a login have 2 kB;
	// all else that is asked for by then is not worth much memory.
	maxQueuedEarly = 16 << 10
	// maxHeld is how many bytes are held at most when the outbox is corked: a hundred answers,
	// while the reader's buffer has 20 submissions. What is held can always be queued.
	maxHeld = 4 << 10
	// writeTimeout is the longest that one write may take.
	writeTimeout = 30 * time.Second
	// lingerTimeout is how long the last words to a client may take.
	lingerTimeout = 5 * time.Second
)

// Errors that end a connection.
var (
	errSlowReader = errors.New("client does not read its messages")
	errTimeUp     = errors.New("client is silent")
	errServerEnds = errors.New("the server ends")
)

// outbox is what is written to one connection, in the order of send. Senders
// never wait: what the system does not take at once is queued, and a goroutine
// writes it, which lives as long as there is a queue. So a client that reads costs
// neither a goroutine nor a buffer.
//
// What is sent is written at once, unless the outbox is corked: then it is held, to be
// written in one piece. The connection's reader corks it while it has the client's next
// line at hand, and alone uncorks it; it never waits for anything in between. The system
// call of a write costs as much as the whole rest of a submission. Safe for concurrent use.
type outbox struct {
	conn    net.Conn
	raw     syscall.RawConn // to write without waiting; nil: everything is queued
	try     func(fd uintptr)
	all     *queues     // of the server
	dropped atomic.Bool // by all

	mu        sync.Mutex
	trial     []byte   // that try is to write, and then what is left of it
	failed    error    // of try
	held      *message // nil unless corked
	pending   []byte   // the queue
	inFlight  int      // bytes that the writer has taken of it
	limit     int      // of both together
	writing   bool     // a goroutine writes
	corked    bool
	finishing bool  // nothing is accepted any more
	err       error // why the connection was closed
	done      sync.WaitGroup
}

func newOutbox(conn net.Conn, all *queues) *outbox {
	o := &outbox{conn: conn, raw: rawConn(conn), all: all, limit: maxQueuedEarly}
	o.try = func(fd uintptr) { // kept, lest each write allocates it
		n, err := tryWrite(fd, o.trial)
		o.trial, o.failed = o.trial[n:], err
	}
	return o
}

// send writes or holds b, or queues a copy of what is not taken at once. When the queue
// is full it closes the connection.
func (o *outbox) send(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.finishing || o.err != nil || len(b) == 0:
	case o.corked:
		o.hold(b)
	default:
		o.put(b)
	}
}

// hold keeps a copy of b to be written with what is sent next. It MUST be called with the
// mutex held.
func (o *outbox) hold(b []byte) {
	if o.held == nil {
		o.held = newMessage()
	}
	o.held.text = append(o.held.text, b...)
	if len(o.held.text) >= maxHeld {
		o.putHeld()
	}
}

// putHeld MUST be called with the mutex held.
func (o *outbox) putHeld() {
	if m := o.held; m != nil {
		o.held = nil
		o.put(m.text)
		messages.Put(m)
	}
}

// cork makes what is sent from now on wait until uncork, flush or finish. Only the reader
// may call it, and MUST uncork before it does anything that may wait.
func (o *outbox) cork() {
	o.mu.Lock()
	o.corked = true
	o.mu.Unlock()
}

// uncork writes what is held, and makes what is sent from now on be written at once.
func (o *outbox) uncork() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.corked = false
	o.putHeld()
}

// flush writes what is held. It is for what must not wait for the reader, which may have
// lost its processor.
func (o *outbox) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.putHeld()
}

// put writes b or queues a copy of what is not taken at once. It MUST be called with the
// mutex held, and nothing held back.
func (o *outbox) put(b []byte) {
	if o.raw != nil && !o.writing {
		if b = o.write(b); o.err != nil {
			return
		}
	}
	switch {
	case len(b) == 0:
		return
	case o.inFlight+len(o.pending)+len(b) > o.limit:
		o.abort(errSlowReader)
		return
	case !o.all.add(o, len(b)):
		o.abort(errQueuesFull)
		return
	}
	o.pending = append(o.pending, b...)
	if !o.writing {
		o.writing = true
		o.done.Go(o.drain)
	}
}

// message is one under construction. There are no more of them than are being sent.
type message struct{ text []byte }

var messages = sync.Pool{New: func() any { return new(message) }}

// newMessage returns an empty message.
func newMessage() *message {
	m := messages.Get().(*message)
	m.text = m.text[:0]
	return m
}

// sendOff sends a message, which belongs to nobody after that.
func (o *outbox) sendOff(m *message) {
	o.send(m.text)
	messages.Put(m)
}

// write writes what is taken at once and returns the rest. It MUST be called with
// the mutex held and nobody else writing, whose message it would cut in two.
func (o *outbox) write(b []byte) []byte {
	o.trial = b
	err := o.raw.Control(o.try) // Write would get ready to wait, which costs more than the try
	if err == nil {
		err = o.failed
	}
	if err != nil {
		o.abort(err)
	}
	b, o.trial = o.trial, nil
	return b
}

// cut closes the connection at once.
func (o *outbox) cut(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.abort(err)
}

// abort closes the connection without waiting. It MUST be called with the mutex
// held.
func (o *outbox) abort(err error) {
	if o.err == nil {
		if o.dropped.Load() {
			err = errQueuesFull
		}
		o.err = err
	}
	o.all.remove(o, len(o.pending))
	o.pending, o.held = nil, nil
	o.conn.Close() // see portmux.Conn: it does not say goodbye to who does not listen
}

// drain writes the queue until it is empty or the connection fails.
func (o *outbox) drain() {
	for {
		batch := o.take()
		if batch == nil {
			return
		}
		if _, err := o.conn.Write(batch); err != nil {
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				err = errSlowReader
			}
			o.mu.Lock()
			o.abort(err)
			o.mu.Unlock()
		}
	}
}

// take returns the queue, nil if there is nothing to write any more.
func (o *outbox) take() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all.remove(o, o.inFlight)
	batch := o.pending
	o.pending, o.inFlight = nil, len(batch)
	if batch == nil || o.err != nil {
		o.writing = false
		if !o.finishing {
			o.conn.SetWriteDeadline(time.Time{}) // or it would end what is written at once
		}
		return nil
	}
	if !o.finishing {
		o.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
	return batch
}

// finish writes what is held and queued, for a few seconds at most, and closes the
// connection. It returns why the connection was closed before, if it was.
func (o *outbox) finish() error {
	o.mu.Lock()
	o.putHeld()
	o.finishing = true
	if o.writing {
		o.conn.SetWriteDeadline(time.Now().Add(lingerTimeout)) // also for a write that hangs now
	}
	o.mu.Unlock()
	o.done.Wait()
	o.conn.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
