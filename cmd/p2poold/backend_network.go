package main

import (
	"context"
	"fmt"

	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// NetworkInfo implements rpcserver.NetworkBackend.
func (b backend) NetworkInfo(context.Context) (*rpcserver.NetworkInfo, error) {
	now := b.n.peers.NetworkInfo()
	info := &rpcserver.NetworkInfo{
		UserAgent: userAgent(), ProtocolVersion: message.ProtocolVersion,
		Services:    fmt.Sprintf("%016x", uint64(b.n.peers.Services())),
		Connections: now.Inbound + now.Outbound, ConnectionsIn: now.Inbound, ConnectionsOut: now.Outbound,
		LocalAddresses: []rpcserver.LocalAddress{},
	}
	for _, n := range now.Networks {
		info.Networks = append(info.Networks, rpcserver.NetworkState{
			Name: networkName(n.Network), Limited: n.Limited, Reachable: n.Reachable,
			Proxy: n.Proxy, Isolated: n.Isolated, ConnectionsIn: n.Inbound, ConnectionsOut: n.Outbound,
		})
	}
	for _, a := range now.Local {
		info.LocalAddresses = append(info.LocalAddresses, rpcserver.LocalAddress{
			Address: a.Addr.String(), Network: networkName(a.Addr.Network()), Source: string(a.Source),
		})
	}
	info.PortMapping = portMapping(b.n.peers.PortMapping())
	return info, nil
}

func portMapping(now p2p.PortMappingInfo) rpcserver.PortMapping {
	m := rpcserver.PortMapping{Enabled: now.Enabled, Protocol: now.Protocol, Port: int(now.Port), Error: now.Err}
	if now.Addr.IsValid() {
		m.Address = now.Addr.String()
	}
	return m
}

// networkName returns a network's name in RPC, as in Bitcoin Core.
func networkName(n netaddr.Network) string {
	if n == 0 {
		return "not_publicly_routable"
	}
	return n.String()
}
