package stratum

import (
	"errors"
	"net"
	"sync"
	"time"
)

// Limits of what waits for a client.
const (
	// maxQueued is how many bytes may wait to be written: two of the largest
	// notifies, whose coinbase has 50 kB, or hundreds of small ones. A client that
	// lets more pile up does not read.
	maxQueued = 512 << 10
	// keptBuffer is the largest buffer that an idle connection keeps.
	keptBuffer = 4 << 10
	// writeTimeout is the longest that one write may take.
	writeTimeout = 30 * time.Second
	// lingerTimeout is how long the last words to a client may take.
	lingerTimeout = 5 * time.Second
)

// errSlowReader ends a connection whose client does not read what it is sent.
var errSlowReader = errors.New("client does not read its messages")

// outbox is the write queue of one connection. Senders never block: they add
// to a buffer that the connection's own writer empties. Safe for concurrent use.
type outbox struct {
	conn net.Conn
	wake chan struct{} // capacity 1

	mu        sync.Mutex
	pending   []byte
	finishing bool // write what is pending, then close
	overflown bool
}

func newOutbox(conn net.Conn) *outbox {
	return &outbox{conn: conn, wake: make(chan struct{}, 1)}
}

// send queues a copy of b. When the queue is full it closes the connection.
func (o *outbox) send(b []byte) {
	if len(b) == 0 {
		return
	}
	o.mu.Lock()
	if o.finishing || o.overflown {
		o.mu.Unlock()
		return
	}
	if len(o.pending)+len(b) > maxQueued {
		o.overflown = true
		o.mu.Unlock()
		o.conn.Close()
		return
	}
	o.pending = append(o.pending, b...)
	o.mu.Unlock()
	o.signal()
}

// finish lets the writer end once everything queued so far is written.
func (o *outbox) finish() {
	o.mu.Lock()
	o.finishing = true
	o.mu.Unlock()
	o.conn.SetWriteDeadline(time.Now().Add(lingerTimeout)) // also for a write that hangs now
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default: // the writer has not yet looked since the last signal
	}
}

// run writes until finish or a failure, then closes the connection.
func (o *outbox) run() error {
	defer o.conn.Close()
	var spare []byte
	for range o.wake {
		o.mu.Lock()
		batch, last := o.pending, o.finishing
		o.pending = spare[:0]
		overflown := o.overflown
		o.mu.Unlock()
		if overflown {
			return errSlowReader
		}
		if !last {
			o.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		}
		if len(batch) > 0 {
			if _, err := o.conn.Write(batch); err != nil {
				return o.failure(err)
			}
		}
		if last {
			return nil
		}
		if spare = batch[:0]; cap(spare) > keptBuffer {
			spare = nil
		}
	}
	return nil
}

// failure tells a client that does not read from other ends of a connection.
func (o *outbox) failure(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var timeout net.Error
	if o.overflown || (errors.As(err, &timeout) && timeout.Timeout()) {
		return errSlowReader
	}
	return err
}
