package bench

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// portsPerSource is how many connections one local address gets. Linux takes 28,232
// ports by default, of which each stays busy for a minute after its connection.
const portsPerSource = 10_000

// resolve returns the server's address. It is resolved once, so that all connections
// go to what was looked at. A host that is neither here nor in a private network needs
// a permission: this is an attack on everybody who did not ask for it.
func resolve(ctx context.Context, addr string, permitted bool) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ip := ips[0].Unmap()
	if !permitted && !near(ip) {
		return netip.AddrPort{}, fmt.Errorf("%s (%v) is neither this machine nor in a private network: "+
			"a load test takes a server away from those who use it; with --permitted you say that its owner agrees", host, ip)
	}
	return netip.AddrPortFrom(ip, uint16(number)), nil
}

// near reports whether an address is this machine's or of a private network.
func near(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}

// sources returns the local addresses to connect from: one for every portsPerSource
// connections if nothing else is said. All of 127.0.0.0/8 is this machine.
func sources(cfg *Config, server netip.AddrPort) []netip.Addr {
	n := cfg.Sources
	if n == 0 {
		n = min((cfg.total()+portsPerSource-1)/portsPerSource, MaxSources)
	}
	if !server.Addr().Is4() || !server.Addr().IsLoopback() || n < 2 {
		return nil
	}
	list := make([]netip.Addr, n)
	for i := range list {
		list[i] = netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + i)})
	}
	return list
}
