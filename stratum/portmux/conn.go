package portmux

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/p2poold/p2poold/stratum/connlimit"
)

// Conn is a connection on its way through the Mux and, if it speaks Stratum, a miner's.
// It is safe for concurrent use after Handshake, as a net.Conn is.
type Conn struct {
	net.Conn // what is read and written: the socket, or TLS on it

	mux      *Mux
	socket   net.Conn // the accepted connection
	tlsOnly  bool
	accepted time.Time
	slot     *connlimit.Slot
	client   net.Addr // from a PROXY header; nil: the socket's
	ahead    []byte   // read, not yet consumed; nil as soon as there is nothing
	polite   bool     // closes TLS as it should be closed
	evicted  atomic.Bool
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	if c.ahead == nil {
		return c.Conn.Read(b)
	}
	n := copy(b, c.ahead)
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		c.ahead = nil
	}
	return n, nil
}

// Buffered is the number of bytes that were read ahead: Read returns them before any that
// the descriptor has.
func (c *Conn) Buffered() int { return len(c.ahead) }

// Close implements net.Conn and gives the connection's place back. It never waits: what
// TLS says at the end of a connection could, for a client that does not read.
func (c *Conn) Close() error {
	var err error
	if c.polite {
		err = c.Conn.Close()
	} else {
		err = c.socket.Close()
	}
	c.slot.Release()
	return err
}

// evict ends a connection that makes room for another.
func (c *Conn) evict() {
	c.evicted.Store(true)
	c.socket.Close()
}

// RemoteAddr implements net.Conn: it is the client's address, also behind a proxy.
func (c *Conn) RemoteAddr() net.Addr {
	if c.client != nil {
		return c.client
	}
	return c.socket.RemoteAddr()
}

// Accepted is when the connection was accepted.
func (c *Conn) Accepted() time.Time { return c.accepted }

// Settle tells that the client has logged in, or could not work until now.
func (c *Conn) Settle() { c.slot.Settle() }

// Work tells that the client has handed in good work.
func (c *Conn) Work() { c.slot.Work() }

// errNoSocket says that what is read and written is not what the socket carries.
var errNoSocket = errors.New("the connection is encrypted or has no descriptor")

// SyscallConn implements syscall.Conn for connections without TLS. Reading is by Read while
// there is something Buffered.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if c.Conn != c.socket {
		return nil, errNoSocket
	}
	if sc, ok := c.socket.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errNoSocket
}

// addrOf returns the IP address of a network address, the zero one if it has none.
func addrOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}
