package stratum

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/p2poold/p2poold/stratum/connlimit"
	"github.com/p2poold/p2poold/stratum/portmux"
)

// A connection's way in, before serve has it: its place among all, its protocol.

// keepAlive finds dead peers within some two minutes even if nothing is sent.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}

// ListenTCP is the usual Config.OpenListener.
func ListenTCP(ctx context.Context, addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1} // admit does it
	return lc.Listen(ctx, "tcp", addr)
}

// newMux makes what connections go through first.
func newMux(cfg *Config) (*connlimit.Limiter, *portmux.Mux) {
	limits := connlimit.New(connlimit.Config{Total: cfg.MaxConnections, PerAddress: cfg.MaxPerAddress, Exempt: cfg.Exempt})
	return limits, portmux.New(portmux.Config{
		Limits: limits, TLS: cfg.TLS, HTTP: cfg.HTTP, Proxies: cfg.Proxies, Log: cfg.Log,
		Timeout: handshakeTimeout - tickEvery, // no later than promised, as sessions end
	})
}

// listenerName names a listener in the log.
func listenerName(tlsOnly bool) string {
	if tlsOnly {
		return "Stratum over TLS"
	}
	return "Stratum"
}

// admit returns nil if there is no place for a connection, which is closed then.
func (s *Server) admit(socket net.Conn, tlsOnly bool) *portmux.Conn {
	if tcp, ok := socket.(*net.TCPConn); ok {
		// The listener does not say: it may be inherited, and have other settings.
		tcp.SetKeepAliveConfig(keepAlive)
	}
	c, err := s.mux.Admit(socket, tlsOnly)
	switch {
	case err == nil:
		return c
	case errors.Is(err, connlimit.ErrFull):
		s.warn("all %d places for miners are taken; see --maxminers", s.limits.Total())
	default:
		s.cfg.Log.Debugf("Connection from %v refused: %v", socket.RemoteAddr(), err)
	}
	return nil
}

// enter finds out what a connection speaks, and serves miners.
func (s *Server) enter(ctx context.Context, c *portmux.Conn) {
	switch err := c.Handshake(ctx); {
	case err == nil:
		s.serve(ctx, c)
	case !errors.Is(err, portmux.ErrHTTP):
		s.cfg.Log.Debugf("Connection from %v refused: %v", c.RemoteAddr(), err)
	}
}

// acceptedAt is when a connection was accepted: the time for the login begins there.
func acceptedAt(conn net.Conn) time.Time {
	if c, ok := conn.(interface{ Accepted() time.Time }); ok {
		return c.Accepted()
	}
	return time.Now()
}

// settle tells that the miner has logged in, or that there was no work for it: it has some
// minutes before its connection makes room for others, and jobs may wait for it.
func (o *outbox) settle() {
	o.mu.Lock()
	o.limit = maxQueued
	o.mu.Unlock()
	if c, ok := o.conn.(interface{ Settle() }); ok {
		c.Settle()
	}
}

// works tells that the miner has handed in good work.
func (o *outbox) works() {
	if c, ok := o.conn.(interface{ Work() }); ok {
		c.Work()
	}
}

// Files returns duplicates of the listening sockets, for another process that goes on
// listening: those of Config.Listen, then those of Config.ListenTLS. The caller closes
// them.
func (s *Server) Files() ([]*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var files []*os.File
	for _, l := range s.listeners {
		tcp, ok := l.(interface{ File() (*os.File, error) })
		if !ok {
			closeAll(files)
			return nil, fmt.Errorf("stratum: %T has no descriptor", l)
		}
		f, err := tcp.File()
		if err != nil {
			closeAll(files)
			return nil, fmt.Errorf("stratum: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

// PortInfo tells who is on the Stratum port.
type PortInfo struct {
	Counts        portmux.Counts
	MaxConns      int                 // places for connections
	MaxPerAddress int                 // of those, for one address
	Largest       []connlimit.Address // addresses with the most connections, exempt ones not included
}

// Port returns counts, limits and the n addresses with the most connections.
func (s *Server) Port(n int) PortInfo {
	return PortInfo{
		Counts: s.mux.Counts(), MaxConns: s.limits.Total(), MaxPerAddress: s.limits.PerAddress(),
		Largest: s.limits.Addresses(n),
	}
}
