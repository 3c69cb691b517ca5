package p2p

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/p2poold/p2poold/p2p/lan"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/peer"
)

// Limits on the nodes of the local network.
const (
	// DefaultLAN is the number of connections to nodes found in the local network, as
	// many as to others. They come on top of those: whoever is in the local network
	// can claim any number of nodes there, and must not get the place of others.
	DefaultLAN = 8
	// maxPerLANHost is how many of them lead to one machine.
	maxPerLANHost = 2
	// lanAttempts is how often in a row a node is dialed in vain, with doubling pauses
	// in all for half a minute. Then its slot is free for others, until it is heard of
	// again.
	lanAttempts = 5
)

// search looks for nodes in the local network, and answers those that look for this
// one, until the context ends.
func (s *Server) search(ctx context.Context, found func(context.Context, netip.AddrPort)) {
	cfg := lan.Config{
		ChainID: s.cfg.Params.ChainID[:],
		OnFound: func(a netip.AddrPort) { found(ctx, a) },
		Log:     s.cfg.Log,
	}
	// Who listens on this machine only can't be reached from another.
	if tcp, ok := s.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		cfg.Port = uint16(tcp.Port)
	}
	_ = lan.New(cfg).Run(ctx) // nil
}

// foundInLAN connects to a node of the local network, unless there is a connection
// with it or there are enough of them.
func (s *Server) foundInLAN(ctx context.Context, found netip.AddrPort) {
	a := netaddr.FromAddrPort(found)
	s.mu.Lock()
	defer s.mu.Unlock()
	ofHost := 0
	for o := range s.lan {
		if o.WithPort(0) == a.WithPort(0) {
			ofHost++
		}
	}
	switch {
	case s.runCtx == nil, s.lan[a], len(s.lan) >= s.cfg.MaxLAN, ofHost >= maxPerLANHost:
	case s.finder.own[a], slices.Contains(s.connected(), a), s.unwanted(a):
	default:
		s.lan[a] = true
		s.wg.Go(func() { s.keepLAN(ctx, a) })
	}
}

// keepLAN dials a node of the local network until it does not answer any more.
func (s *Server) keepLAN(ctx context.Context, a netaddr.Addr) {
	defer func() {
		s.mu.Lock()
		delete(s.lan, a)
		s.mu.Unlock()
	}()
	pause := s.backoffMin
	for failures := 0; failures < lanAttempts; failures++ {
		end := s.dialAndRun(ctx, a.String(), link{kind: KindLAN, ready: func(*peer.Peer) {}})
		if ctx.Err() != nil {
			return
		}
		s.cfg.Log.Debugf("Peer %v of the local network: %v", a, end.err)
		s.punish(a.String(), end.err)
		if e, ok := errors.AsType[*peer.Error](end.err); ok {
			if e.Reason == peer.ReasonSelf {
				s.mu.Lock()
				s.finder.addOwn(a)
				s.mu.Unlock()
			}
			if e.Reason == peer.ReasonSelf || e.Reason == peer.ReasonDuplicate || e.Reason.Violation() {
				return
			}
		}
		if end.lived >= backoffReset {
			pause, failures = s.backoffMin, 0
		}
		if !wait(ctx, jitter(pause)) {
			return
		}
		pause = min(2*pause, backoffMax)
	}
}

// inLAN reports whether an outbound peer was found in the local network. The caller
// holds the lock.
func (s *Server) inLAN(p *peer.Peer) bool {
	a, err := netaddr.Parse(p.Addr(), 0)
	return err == nil && s.lan[a]
}
