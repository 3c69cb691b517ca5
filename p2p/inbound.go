package p2p

import (
	"errors"
	"hash/maphash"
	"net"
	"net/netip"
	"time"

	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/eviction"
	"github.com/p2poold/p2poold/p2p/peer"
)

// Limits on inbound connections beside Config.MaxInbound.
const (
	// MaxPerHost is the number of inbound connections from one host, an IPv4 address
	// or an IPv6 /64: the nodes of a household or an office behind one address.
	MaxPerHost = 8
	// maxPendingHidden is the number of inbound connections through one hidden
	// service that may be in their handshake: nobody's address is known there, so that
	// four that idle would shut everybody out, and through Tor a handshake takes
	// seconds. 16 leave the slots to others all the same.
	maxPendingHidden = 16
	// groupShare is which part of the inbound slots one address group gets: one in
	// eight, as of the outbound connections. Of 114 slots that is 14.
	groupShare = 8
	// maxLeaving is the number of connections that have been told to go and are not
	// gone yet: they end within milliseconds, but for those whose shares are being
	// verified. More newcomers are turned away.
	maxLeaving = 8
)

// Why a connection is turned away.
var (
	errManyPending = errors.New("too many handshakes of its address group are under way")
	errManyOfHost  = errors.New("its host has enough connections")
	errManyOfGroup = errors.New("its address group has enough connections")
	errNobodyToGo  = errors.New("all inbound slots are taken by peers worth keeping")
	errManyLeaving = errors.New("those that make room have not gone yet")
)

// callers keeps account of the inbound connections. Server.mu guards it.
type callers struct {
	seed maphash.Seed // of the groups' hashes
	list map[*caller]struct{}
}

// caller is an inbound connection, from accept to its end.
type caller struct {
	addr        string             // host:port
	host, group string             // what the limits go by
	exempt      bool               // from those per host and group
	hidden      bool               // through a hidden service of this node
	merit       eviction.Candidate // all but what changes with time
	peer        *peer.Peer         // nil: not made yet
	news        time.Time          // when it last brought a valid share that was new
	pending     bool               // its handshake is under way
	leaving     bool               // it has been told to go
}

func newCallers() callers {
	return callers{seed: maphash.MakeSeed(), list: make(map[*caller]struct{})}
}

// admit books an inbound connection, if need be in the place of another. The error
// says why there is no room for it.
func (s *Server) admit(now time.Time, addr net.Addr) (*caller, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.describe(now, addr)
	if err := s.callers.check(c, s.cfg.MaxInbound); err != nil {
		return nil, err
	}
	live, leaving := s.callers.count()
	if live >= s.cfg.MaxInbound {
		if leaving >= maxLeaving {
			return nil, errManyLeaving
		}
		victim := s.victim()
		if victim == nil {
			return nil, errNobodyToGo
		}
		victim.leave()
	}
	s.callers.list[c] = struct{}{}
	return c, nil
}

// describe returns what there is to know of a newcomer.
//
// What comes from this machine, or from a hidden service of this node, is exempt
// from the limits per host and group: there, one address stands for all nodes that
// come over Tor or I2P, for the operator's other nodes, and on regtest for the whole
// network. It says nothing about who they are. The number of slots holds for them
// too, and eviction sees one group in them, of which a part is set aside.
func (s *Server) describe(now time.Time, addr net.Addr) *caller {
	host, local := addrHost(addr)
	hidden := hiddenCaller(addr)
	network := dialer.RemoteOf(addr).Net
	c := &caller{addr: addr.String(), host: host, group: addrGroup(addr), hidden: hidden, pending: true}
	if hidden {
		c.group = network.String() // the address is different for each connection
	}
	white := s.whitelisted(addr)
	c.exempt = white || local || hidden
	c.merit = eviction.Candidate{
		Protected: white, Group: maphash.String(s.callers.seed, c.group),
		Network: network, Local: local, Connected: now,
	}
	return c
}

// check compares a newcomer with the limits per host and group.
func (l *callers) check(c *caller, slots int) error {
	host, group, pending := 0, 0, 0
	for o := range l.list {
		if o.leaving {
			continue
		}
		if o.host == c.host {
			host++
		}
		if o.group == c.group {
			group++
			if o.pending {
				pending++
			}
		}
	}
	handshakes := MaxPendingPerGroup
	if c.hidden {
		handshakes = maxPendingHidden
	}
	switch {
	case c.merit.Protected:
		return nil
	case pending >= handshakes:
		return errManyPending
	case c.exempt:
		return nil
	case host >= MaxPerHost:
		return errManyOfHost
	case group >= max(MaxPerHost, slots/groupShare):
		return errManyOfGroup
	}
	return nil
}

// count returns the number of connections, and of those besides that have been told
// to go.
func (l *callers) count() (live, leaving int) {
	for c := range l.list {
		if c.leaving {
			leaving++
		}
	}
	return len(l.list) - leaving, leaving
}

// victim returns the connection to let go, nil if all are worth keeping.
func (s *Server) victim() *caller {
	var list []*caller
	var merits []eviction.Candidate
	for c := range s.callers.list {
		if c.leaving {
			continue
		}
		m := c.merit
		m.Share, m.Discouraged = c.news, s.discouraged(c.addr)
		if c.peer != nil {
			m.Ping = c.peer.Stats().MinPing
		}
		list, merits = append(list, c), append(merits, m)
	}
	if i, ok := eviction.Select(merits); ok {
		return list[i]
	}
	return nil
}

// leave tells a connection to go.
func (c *caller) leave() {
	c.leaving = true
	if c.peer != nil {
		c.peer.Disconnect(peer.ReasonEvicted, nil)
	}
}

// attach notes the peer of a connection before it runs.
func (c *caller) attach(p *peer.Peer) {
	c.peer = p
	if c.leaving {
		c.leave()
	}
}

// noteNews notes that a peer brought a valid share that was new.
func (l *callers) noteNews(now time.Time, p *peer.Peer) {
	for c := range l.list {
		if c.peer == p {
			c.news = now
		}
	}
}

// addrHost returns the part of an address that one host is likely to have all of,
// the address of IPv4 and the /64 of IPv6, and whether it is this machine.
func addrHost(addr net.Addr) (host string, local bool) {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String(), false
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is4() || ip.IsLoopback() {
		return ip.String(), ip.IsLoopback()
	}
	prefix, _ := ip.Prefix(64) // cannot fail: an IPv6 address without a zone
	return prefix.String(), false
}
