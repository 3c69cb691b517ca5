package lossynet

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// conn is one end of a simulated connection. Both ends share one lock, which is held
// for moments only, and one condition, which is signalled at every change.
type conn struct {
	sim        *simulated
	host, peer int
	local      netip.AddrPort
	remote     netip.AddrPort
	other      *conn

	mu      *sync.Mutex
	changed *sync.Cond

	in     []byte // arrived and not yet read
	eof    bool   // nothing will arrive any more
	out    flight // what is under way to the other end
	err    error  // why the connection is broken
	closed bool   // by Close
	heard  time.Time
	alive  *time.Timer // of the next keep-alive

	readBy, writeBy deadline
}

// flight is what one end has written and the other has not acknowledged.
type flight struct {
	waiting []byte // from the first unacknowledged byte on
	done    bool   // the end of the stream was acknowledged

	// Of the transmission under way, if busy:
	busy    bool
	number  int       // of the transmission
	size    int       // bytes of waiting
	fin     bool      // with the end of the stream
	arrived bool      // its acknowledgement perhaps not
	refused bool      // by an end that is closed or broken
	since   time.Time // when it was first sent
	rto     time.Duration
	timer   *time.Timer // of the next retransmission
}

func newPair(s *simulated, host, peer int, from, to netip.AddrPort) (a, b *conn) {
	mu := new(sync.Mutex)
	changed := sync.NewCond(mu)
	now := time.Now()
	a = &conn{sim: s, host: host, peer: peer, local: from, remote: to, mu: mu, changed: changed, heard: now}
	b = &conn{sim: s, host: peer, peer: host, local: to, remote: from, mu: mu, changed: changed, heard: now}
	a.other, b.other = b, a
	mu.Lock()
	defer mu.Unlock()
	for _, c := range []*conn{a, b} {
		c.alive = time.AfterFunc(keepAlive, c.probe)
	}
	return a, b
}

// transmit sends what waits, unless a transmission is under way.
func (c *conn) transmit() {
	f := &c.out
	if f.busy || f.done || c.err != nil || len(f.waiting) == 0 && !c.closed {
		return
	}
	f.size = min(len(f.waiting), maxFlight)
	f.fin = c.closed && f.size == len(f.waiting)
	f.number++
	f.busy, f.arrived, f.refused = true, false, false
	f.rto, f.since = rtoMin, time.Now()
	c.attempt()
}

// attempt sends the transmission once. As any packet it acknowledges what has come
// from the other end.
func (c *conn) attempt() {
	f, theirs := &c.out, &c.other.out
	received, number := theirs.busy && theirs.arrived, theirs.number
	there, ok := c.sim.net.pass(c.host, c.peer)
	back, heard := c.sim.net.pass(c.peer, c.host)
	if ok {
		c.after(there, func() {
			if received && theirs.busy && theirs.number == number && c.other.err == nil {
				c.other.acknowledged()
			}
			if c.arrive(); heard {
				c.after(back, c.acknowledged)
			}
		})
	}
	f.timer = c.after(f.rto+2*there, c.retransmit)
	f.rto = min(2*f.rto, rtoMax)
}

// after calls f with the lock, if the same transmission is under way then.
func (c *conn) after(d time.Duration, f func()) *time.Timer {
	number := c.out.number
	return time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err == nil && c.out.busy && c.out.number == number {
			f()
		}
	})
}

// retransmit follows when no acknowledgement has come in time.
func (c *conn) retransmit() {
	if time.Since(c.out.since) >= giveUp {
		c.breakOff(syscall.ETIMEDOUT)
		return
	}
	c.attempt()
}

// arrive takes the transmission in at the other end. One for which there is no room
// comes again.
func (c *conn) arrive() {
	f, to := &c.out, c.other
	if f.refused = to.err != nil || to.closed && f.size > 0; f.refused || f.arrived || len(to.in) > maxBuffer {
		return
	}
	f.arrived = true
	to.in = append(to.in, f.waiting[:f.size]...)
	to.eof = to.eof || f.fin
	to.heard = time.Now()
	c.changed.Broadcast()
}

// acknowledged ends the transmission, if it did arrive.
func (c *conn) acknowledged() {
	f := &c.out
	c.heard = time.Now()
	switch {
	case f.refused:
		c.breakOff(syscall.ECONNRESET)
		return
	case !f.arrived:
		return
	}
	f.timer.Stop()
	if f.busy, f.done = false, f.fin; f.done {
		c.sim.forget(c)
	}
	if f.waiting = f.waiting[f.size:]; len(f.waiting) == 0 {
		f.waiting = nil
	}
	c.changed.Broadcast()
	c.transmit()
}

// probe sends a keep-alive, and ends a connection that was silent for too long.
func (c *conn) probe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || c.closed {
		return
	}
	c.alive.Reset(keepAlive)
	if c.out.busy || time.Since(c.heard) < keepAlive {
		return
	}
	if time.Since(c.heard) >= keepAliveDead {
		c.breakOff(syscall.ETIMEDOUT)
		return
	}
	there, ok := c.sim.net.pass(c.host, c.peer)
	back, heard := c.sim.net.pass(c.peer, c.host)
	if !ok || !heard {
		return
	}
	time.AfterFunc(there+back, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.heard = time.Now(); c.err == nil && c.other.err != nil {
			c.breakOff(syscall.ECONNRESET)
		}
	})
}

// breakOff ends this end. The other one does not know.
func (c *conn) breakOff(err error) {
	c.err = err
	c.alive.Stop()
	if c.out.timer != nil {
		c.out.timer.Stop()
	}
	c.changed.Broadcast()
	c.sim.forget(c)
}

func (c *conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.breakOff(err)
	}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case c.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(c.in) > 0:
			n := copy(b, c.in)
			if c.in = c.in[n:]; len(c.in) == 0 {
				c.in = nil
			}
			return n, nil
		case c.err != nil:
			return 0, opError("read", c.remote, c.err)
		case c.eof:
			return 0, io.EOF
		}
		c.changed.Wait()
	}
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for {
		switch {
		case c.closed:
			return n, net.ErrClosed
		case c.err != nil:
			return n, opError("write", c.remote, c.err)
		case c.writeBy.passed():
			return n, os.ErrDeadlineExceeded
		case len(b) == 0:
			return n, nil
		}
		if room := min(maxBuffer-len(c.out.waiting), len(b)); room > 0 {
			c.out.waiting = append(c.out.waiting, b[:room]...)
			b, n = b[room:], n+room
			c.transmit()
			continue
		}
		c.changed.Wait()
	}
}

// Close implements net.Conn. What was written goes on being sent.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	c.alive.Stop()
	c.readBy.set(c, time.Time{})
	c.writeBy.set(c, time.Time{})
	c.changed.Broadcast()
	c.transmit()
	return nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.local) }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }
