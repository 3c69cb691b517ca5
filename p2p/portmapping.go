package p2p

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/portmap"
)

// PortMapping says how to have the router forward the port that the node listens on.
// The zero value leaves the router alone.
type PortMapping struct {
	UPnP, NATPMP bool
}

// mapping is what the router forwards.
type mapping struct {
	mapper *portmap.Mapper // nil: nothing is asked for
	now    portmap.Mapping
	addr   netaddr.Addr // where others reach this node by it; invalid: not known
}

// mapPort has the port mapped until the context ends.
func (s *Server) mapPort(ctx context.Context) {
	want := s.cfg.Mapping
	to, ok := s.mappable()
	if !ok || !want.UPnP && !want.NATPMP {
		return
	}
	m := portmap.New(portmap.Config{
		UPnP: want.UPnP, NATPMP: want.NATPMP, Port: to.Port(), Local: to.Addr(),
		OnChange: s.setMapping, Log: s.cfg.Log,
	})
	s.mu.Lock()
	s.mapping.mapper = m
	s.mu.Unlock()
	_ = m.Run(ctx) // nil
}

// CanBeMapped reports whether a router can forward to an address to listen on,
// "host:port": if it is one of IPv4, or all of this machine's. Names are not looked
// up and count as such.
func CanBeMapped(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host != "localhost"
	}
	ip = ip.Unmap()
	return ip.IsUnspecified() || ip.Is4() && !ip.IsLoopback()
}

// mappable returns the first address listened on that a router can forward to; an
// invalid Addr in it stands for all of this machine's.
func (s *Server) mappable() (netip.AddrPort, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Those of hidden services come last.
	for _, l := range s.listeners[:min(len(s.listeners), len(s.cfg.Listen))] {
		tcp, ok := l.Addr().(*net.TCPAddr)
		if !ok || !CanBeMapped(tcp.String()) {
			continue
		}
		ip := tcp.AddrPort().Addr().Unmap()
		if ip.IsUnspecified() {
			ip = netip.Addr{}
		}
		return netip.AddrPortFrom(ip, uint16(tcp.Port)), true
	}
	return netip.AddrPort{}, false
}

// setMapping takes note of what the router forwards, and tells the peers soon. An
// address that the router has no longer is forgotten: whoever plays the router must
// not be able to have this node avoid more than one address of others.
func (s *Server) setMapping(now portmap.Mapping) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, f := &s.mapping, s.finder
	if m.addr.IsValid() {
		delete(f.own, m.addr)
	}
	m.now, m.addr = now, netaddr.Addr{}
	a := netaddr.FromAddrPort(netip.AddrPortFrom(now.Addr, now.Port))
	if a.IsRoutable() && !f.own[a] {
		m.addr = a
		f.addOwn(a)
	}
	f.gossip.announceSoon(time.Now())
}

// mappedTo returns the announcement of the router's address to peers of a kind, nil
// if there is none. Behind a proxy it is told to nobody, unlike an address that the
// operator names: it would say who is behind the proxy. The caller holds the lock.
func (s *Server) mappedTo(kind identity) message.Message {
	if kind != clearnet || !s.mapping.addr.IsValid() {
		return nil
	}
	return &message.Addr{List: []netaddr.Record{{
		Addr: s.mapping.addr, Services: uint64(s.services()), Seen: uint32(time.Now().Unix()),
	}}}
}

// publicPort returns the port on which others reach this node: the router's, or the
// one listened on. The caller holds the lock.
func (s *Server) publicPort(listening int) uint16 {
	if port := s.mapping.now.Port; port != 0 {
		return port
	}
	return uint16(listening)
}

// announceSoon has all peers told of this node by the next tick.
func (g *gossip) announceSoon(now time.Time) {
	for _, p := range g.peers {
		p.ownAt = now
	}
}

// PortMappingInfo is what became of Config.Mapping, for the RPC.
type PortMappingInfo struct {
	Enabled  bool   // it was asked for, and the node listens
	Protocol string // "NAT-PMP" or "UPnP"; empty: there is no mapping
	Port     uint16 // on the router; 0: there is no mapping
	// Addr is the router's address on the Internet; invalid: there is no mapping, or
	// the router does not tell it, or it is a private one.
	Addr netip.Addr
	Err  string // why the last attempt failed; empty: it did not
}

// PortMapping returns what the router forwards.
func (s *Server) PortMapping() PortMappingInfo {
	s.mu.Lock()
	m := s.mapping.mapper
	s.mu.Unlock()
	if m == nil {
		return PortMappingInfo{}
	}
	state := m.State()
	info := PortMappingInfo{Enabled: true, Protocol: state.Protocol, Port: state.Port, Addr: state.Addr}
	if state.Err != nil {
		info.Err = state.Err.Error()
	}
	return info
}
