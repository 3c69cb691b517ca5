package lossynet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Times and limits of the model, from Linux and from package net, which sets the
// keep-alives of all TCP connections.
const (
	synRetry      = time.Second            // before the second SYN; it doubles
	rtoMin        = 200 * time.Millisecond // before the first retransmission; it doubles
	rtoMax        = 2 * time.Minute
	giveUp        = 924 * time.Second // of retransmissions (tcp_retries2)
	keepAlive     = 15 * time.Second  // between probes of an idle connection
	keepAliveDead = 10 * keepAlive    // without any answer

	// maxFlight is what one transmission carries, in bytes, and maxBuffer what either
	// end keeps.
	maxFlight = 64 << 10
	maxBuffer = 256 << 10
	// backlog is the number of connections nobody has accepted yet.
	backlog = 128
)

// Simulated returns a network in memory, on the clock of the caller's synctest bubble
// or the real one. Hosts share nothing with the machine: their ports are their own.
//
// A connection sends what waits as one packet, and waits for its acknowledgement, alone
// or with what the other end sends, before the next. Any of them may be lost; then the
// packet is sent again, after a time that doubles, until the kernel would give up. So a
// cut is noticed as late, and ended with as long a pause, as on a real link.
func Simulated(hosts int, seed uint64) *Network {
	n := newNetwork(hosts, seed)
	n.backend = &simulated{net: n, listeners: make(map[netip.AddrPort]*listener), conns: make(map[*conn]bool)}
	return n
}

// simulated holds what listens and what is connected. Its lock comes after those of
// the connections.
type simulated struct {
	net *Network

	mu        sync.Mutex
	listeners map[netip.AddrPort]*listener
	conns     map[*conn]bool // open ends
	port      uint16         // the last one given out
}

// nextPort returns a port from the dynamic range. The caller holds the lock.
func (s *simulated) nextPort() uint16 {
	const first, last = 32768, 60999 // as on Linux
	if s.port++; s.port < first || s.port > last {
		s.port = first
	}
	return s.port
}

func (s *simulated) listen(_ int, at netip.AddrPort) (net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Port() == 0 {
		at = netip.AddrPortFrom(at.Addr(), s.nextPort())
	}
	if s.listeners[at] != nil {
		return nil, opError("listen", at, syscall.EADDRINUSE)
	}
	l := &listener{sim: s, addr: at, conns: make(chan *conn, backlog), closed: make(chan struct{})}
	s.listeners[at] = l
	return l, nil
}

func opError(op string, at netip.AddrPort, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: net.TCPAddrFromAddrPort(at), Err: err}
}

// dial sends SYNs until one is answered.
func (s *simulated) dial(ctx context.Context, host int, to netip.AddrPort) (net.Conn, error) {
	peer, _ := hostOf(to.Addr())
	if peer < 0 || peer >= s.net.Len() {
		return nil, opError("dial", to, syscall.ENETUNREACH)
	}
	for pause := synRetry; ; pause *= 2 {
		there, ok := s.net.pass(host, peer)
		if back, heard := s.net.pass(peer, host); ok && heard {
			if err := sleep(ctx, there+back); err != nil {
				return nil, opError("dial", to, err)
			}
			return s.connect(host, peer, to)
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, opError("dial", to, err)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connect makes both ends of a connection.
func (s *simulated) connect(host, peer int, to netip.AddrPort) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[to]
	if l == nil || len(l.conns) == cap(l.conns) {
		return nil, opError("dial", to, syscall.ECONNREFUSED)
	}
	from := netip.AddrPortFrom(addrOf(host), s.nextPort())
	a, b := newPair(s, host, peer, from, to)
	s.conns[a], s.conns[b] = true, true
	l.conns <- b
	return a, nil
}

// forget is called when one end of a connection is closed or broken.
func (s *simulated) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *simulated) close() error {
	s.mu.Lock()
	var open []*conn
	for c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		c.fail(errors.New("the network is gone"))
	}
	return nil
}

// listener is a net.Listener of a simulated host.
type listener struct {
	sim    *simulated
	addr   netip.AddrPort
	conns  chan *conn
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, fmt.Errorf("accept %v: %w", l.addr, net.ErrClosed)
	}
}

// Close implements net.Listener. Nobody gets what was not accepted.
func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.sim.mu.Lock()
		delete(l.sim.listeners, l.addr)
		l.sim.mu.Unlock()
		for {
			select {
			case c := <-l.conns:
				c.Close()
			default:
				return
			}
		}
	})
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }
