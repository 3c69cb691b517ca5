package dialer

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// What the names of hidden services end in. Those names mean nothing in the DNS,
// and asking it for them would tell others whom this node talks to.
const (
	onionSuffix = ".onion"
	i2pSuffix   = ".i2p"
)

// way is how to reach an address.
type way struct {
	addr    string          // as dialed, and as shown
	target  string          // as asked of the proxy
	network netaddr.Network // 0: not known, for a name, or not on the Internet
	proxy   string          // "": directly
	isolate bool            // log in with random words
}

// way returns how to reach "host:port".
func (d *Dialer) way(addr string) (way, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return way{}, fmt.Errorf("%q is not an address: %w", addr, err)
	}
	w := way{addr: addr, target: addr, isolate: true}
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		if near(ip) {
			return w, nil
		}
		w.network, w.proxy = networkOf(ip), d.cfg.Proxy
		return w, nil
	}
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	switch {
	case strings.HasSuffix(name, onionSuffix):
		a, err := netaddr.Parse(addr, 0)
		if err != nil {
			return way{}, err
		}
		w.network, w.target = netaddr.TorV3, net.JoinHostPort(a.Host(), port)
	case strings.HasSuffix(name, i2pSuffix):
		// Not only .b32.i2p: the router's own book may know other names.
		w.network, w.isolate = netaddr.I2P, false
		w.target = net.JoinHostPort(name, strconv.Itoa(int(d.cfg.I2PPort)))
	default:
		w.proxy = d.cfg.Proxy
		return w, nil
	}
	if w.proxy = d.Proxy(w.network); w.proxy == "" {
		return way{}, fmt.Errorf("%s: %w; see --proxy, --onion and --i2p", addr, ErrUnreachable)
	}
	return w, nil
}

// near reports whether an address can only be on this machine or a network of its
// own, where a proxy would look in vain. Whatever else does not lead to the
// Internet, such as the tunnel 6to4, may all the same leave the machine, and is
// left to the proxy.
func near(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}

// networkOf returns the network of an IP address, 0 if it is not on the Internet.
func networkOf(ip netip.Addr) netaddr.Network {
	if a := netaddr.FromAddrPort(netip.AddrPortFrom(ip, 0)); a.IsRoutable() {
		return a.Network()
	}
	return 0
}
