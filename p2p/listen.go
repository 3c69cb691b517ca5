package p2p

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/p2poold/p2poold/p2p/dialer"
)

// acceptRetry is the wait after a failed accept, as when the process is out of
// file descriptors.
const acceptRetry = 100 * time.Millisecond

// Bind opens the listening sockets. Run does it too; calling it before tells
// early of a port that is taken, and makes Addr known. Whoever calls Bind must
// call Run afterwards, which closes the sockets.
func (s *Server) Bind() error {
	s.door.list() // is read before anybody asks for it with the lock held
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners != nil {
		return nil
	}
	err := s.open()
	if err != nil {
		for _, l := range s.listeners {
			l.Close()
		}
		s.listeners = nil
	}
	return err
}

// open opens the listening sockets, those of hidden services last. The caller holds
// the lock.
func (s *Server) open() error {
	for _, addr := range s.cfg.Listen {
		l, err := s.cfg.NetListen("tcp", addr)
		if err != nil {
			return listenError(addr, err)
		}
		s.listeners = append(s.listeners, l)
	}
	for _, h := range s.cfg.Hidden {
		l, err := s.cfg.NetListen("tcp", h.Listen)
		if err != nil {
			return listenError(h.Listen, err)
		}
		s.listeners = append(s.listeners, dialer.Hidden(l, h.Network))
		s.cfg.Log.Infof("Connections to %s count as coming by %v", l.Addr(), h.Network)
	}
	return nil
}

func listenError(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("p2p port %s is already in use; another p2poold may be running; choose another with --listen", addr)
	}
	return fmt.Errorf("cannot listen for peers on %s: %w; choose another address with --listen", addr, err)
}

// Addr returns the address of the first listener, nil before Bind or if there are
// none but those of hidden services.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plainAddr()
}

// plainAddr is Addr for callers that hold the lock.
func (s *Server) plainAddr() net.Addr {
	if len(s.listeners) == 0 || len(s.cfg.Listen) == 0 {
		return nil
	}
	return s.listeners[0].Addr()
}

func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		l.Close()
	}
}

// accept takes connections until the listener is closed.
func (s *Server) accept(ctx context.Context, l net.Listener) {
	s.cfg.Log.Infof("Listening for peers on %s", l.Addr())
	for ctx.Err() == nil {
		conn, err := l.Accept()
		if err != nil {
			wait(ctx, acceptRetry)
			continue
		}
		if err := s.refusal(conn.RemoteAddr().String()); err != nil {
			s.cfg.Log.Debugf("Refused inbound peer %s: %v", conn.RemoteAddr(), err)
			conn.Close()
			continue
		}
		c, err := s.admit(time.Now(), conn.RemoteAddr())
		if err != nil {
			s.cfg.Log.Debugf("No room for inbound peer %s: %v", conn.RemoteAddr(), err)
			conn.Close()
			continue
		}
		s.wg.Go(func() { s.runInbound(ctx, conn, c) })
	}
}

// addrGroup returns the part of an address that one operator is likely to own
// all of: /16 of IPv4, /32 of IPv6.
func addrGroup(addr net.Addr) string {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String()
	}
	ip, bits := ap.Addr().Unmap(), 32
	if ip.Is4() {
		bits = 16
	}
	prefix, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return ip.String()
	}
	return prefix.String()
}

// wait sleeps, and reports whether the context still stands.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
