package main

import (
	"context"

	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/stratum"
)

// largestAddresses is how many addresses of miners getstratuminfo lists.
const largestAddresses = 20

// StratumInfo implements rpcserver.MiningBackend.
func (b backend) StratumInfo(context.Context) (*rpcserver.StratumInfo, error) {
	n := b.n
	port := n.stratum.Port(largestAddresses)
	limits := port.Counts.Limits
	info := &rpcserver.StratumInfo{
		Listen: []string{}, ListenTLS: []string{}, Largest: []rpcserver.StratumAddress{}, Names: []string{},
		Miners: n.stratum.Connections(), Connections: limits.Open, Pending: limits.Pending, HTTP: port.Counts.HTTPNow,
		MaxConnections: port.MaxConns, MaxPerIP: port.MaxPerAddress, Addresses: limits.Addresses,
		Counts: stratumCounts(&port),
	}
	for i, addr := range n.stratum.Addrs() {
		if i < len(n.cfg.Stratum.Listen) {
			info.Listen = append(info.Listen, addr.String())
		} else {
			info.ListenTLS = append(info.ListenTLS, addr.String())
		}
	}
	for _, a := range port.Largest {
		text := a.Prefix.String()
		if a.Prefix.IsSingleIP() {
			text = a.Prefix.Addr().String()
		}
		info.Largest = append(info.Largest, rpcserver.StratumAddress{Address: text, Connections: a.Open})
	}
	if n.tlsCert != nil {
		cert := n.tlsCert.Info()
		info.TLS, info.Fingerprint, info.NotAfter = true, cert.Fingerprint, cert.NotAfter.Unix()
		info.Names, info.SelfMade = append(info.Names, cert.Names...), cert.SelfMade
	}
	return info, nil
}

func stratumCounts(port *stratum.PortInfo) rpcserver.StratumCounts {
	c, l := &port.Counts, &port.Counts.Limits
	return rpcserver.StratumCounts{
		Accepted: l.Admitted, Full: l.Full, PerIP: l.AddressFull, TooFast: l.TooFast, Evicted: l.Evicted,
		TLS: c.Secured, TLSFailed: c.TLSFailed, HTTP: c.HTTP, Proxied: c.Proxied, ProxyFailed: c.NoProxy,
		Unknown: c.Unknown, Silent: c.Silent,
	}
}
