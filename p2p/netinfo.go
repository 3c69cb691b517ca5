package p2p

import (
	"cmp"
	"slices"

	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// NetworkInfo describes the ways into the networks, for the RPC.
type NetworkInfo struct {
	Networks []NetworkState // in the order of BIP 155
	Local    []LocalAddr    // this node's addresses as others reach them, sorted by text
	// Inbound and Outbound are the peers, those included whose network is not known.
	Inbound, Outbound int
}

// NetworkState describes one network.
type NetworkState struct {
	Network   netaddr.Network
	Limited   bool   // excluded by the operator: dialed only if an address is named
	Reachable bool   // dialed for found addresses
	Proxy     string // SOCKS5 proxy that leads there, host:port; empty: none
	Isolated  bool   // each connection has a login of its own there
	// Inbound and Outbound are the peers of this network.
	Inbound, Outbound int
}

// LocalAddr is an address of this node.
type LocalAddr struct {
	Addr   netaddr.Addr
	Source AddrSource
}

// AddrSource says where the node has an address of its own from.
type AddrSource string

// The sources.
const (
	FromOperator AddrSource = "externalip" // named by the operator
	FromOneself  AddrSource = "selfdial"   // somebody told of it, and it led here
	FromRouter   AddrSource = "portmap"    // of the router that forwards the port
)

// Services returns what this node offers its peers.
func (s *Server) Services() message.Services { return s.services() }

// NetworkInfo returns the ways into the networks.
func (s *Server) NetworkInfo() NetworkInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	var info NetworkInfo
	for _, n := range []netaddr.Network{netaddr.IPv4, netaddr.IPv6, netaddr.TorV3, netaddr.I2P, netaddr.CJDNS} {
		proxy := s.dialer.Proxy(n)
		info.Networks = append(info.Networks, NetworkState{
			Network: n, Limited: s.dialer.Limited(n), Reachable: s.dialer.Automatic(n),
			Proxy: proxy, Isolated: proxy != "" && n != netaddr.I2P,
		})
	}
	for _, p := range s.peers {
		in, out := 0, 1
		if p.Inbound() {
			in, out = 1, 0
		}
		info.Inbound, info.Outbound = info.Inbound+in, info.Outbound+out
		for i := range info.Networks {
			if n := &info.Networks[i]; n.Network == dialer.RemoteOf(p.RemoteAddr()).Net {
				n.Inbound, n.Outbound = n.Inbound+in, n.Outbound+out
			}
		}
	}
	for a := range s.finder.own {
		source := FromOneself
		switch {
		case slices.Contains(s.cfg.Discovery.External, a):
			source = FromOperator
		case a == s.mapping.addr:
			source = FromRouter
		}
		info.Local = append(info.Local, LocalAddr{a, source})
	}
	slices.SortFunc(info.Local, func(a, b LocalAddr) int { return cmp.Compare(a.Addr.String(), b.Addr.String()) })
	return info
}
