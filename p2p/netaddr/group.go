package netaddr

import "net/netip"

// Group stands for all addresses that one operator is likely to have if he has
// one of them; see the package comment. It is comparable.
type Group struct{ masked Addr }

// Group returns the address's group.
func (a Addr) Group() Group {
	var m Addr
	m.network = a.network
	switch a.network {
	case IPv4:
		copy(m.host[:2], a.host[:])
	case IPv6:
		copy(m.host[:4], a.host[:])
	case TorV3, I2P:
		m.host[0] = a.host[0] & 0xf0
	case CJDNS:
		m.host[0], m.host[1] = a.host[0], a.host[1]&0xf0
	default:
		m = a
	}
	return Group{m}
}

// Alone returns a group with this address in it and no other.
func (a Addr) Alone() Group { return Group{a} }

// AppendKey appends all that tells the group from others, 35 bytes, for hashing.
func (g Group) AppendKey(b []byte) []byte { return g.masked.AppendKey(b) }

// special are the IPv4 and IPv6 networks that don't lead to a node on the
// Internet (IANA's special-purpose registries). The tunnels 6to4 and Teredo are
// among them: a node behind one has an IPv4 address to be reached at.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("10.0.0.0/8"),      // private, RFC 1918
	netip.MustParsePrefix("100.64.0.0/10"),   // carriers' NAT, RFC 6598
	netip.MustParsePrefix("127.0.0.0/8"),     // loopback
	netip.MustParsePrefix("169.254.0.0/16"),  // link-local, RFC 3927
	netip.MustParsePrefix("172.16.0.0/12"),   // private, RFC 1918
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments, RFC 6890
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation, RFC 5737
	netip.MustParsePrefix("192.168.0.0/16"),  // private, RFC 1918
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks, RFC 2544
	netip.MustParsePrefix("198.51.100.0/24"), // documentation, RFC 5737
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation, RFC 5737
	netip.MustParsePrefix("224.0.0.0/3"),     // multicast, reserved, broadcast

	netip.MustParsePrefix("2001::/32"),     // Teredo, RFC 4380
	netip.MustParsePrefix("2001:10::/28"),  // ORCHID, RFC 4843
	netip.MustParsePrefix("2001:20::/28"),  // ORCHIDv2, RFC 7343
	netip.MustParsePrefix("2001:db8::/32"), // documentation, RFC 3849
	netip.MustParsePrefix("2002::/16"),     // 6to4, RFC 3056
	netip.MustParsePrefix("3fff::/20"),     // documentation, RFC 9637
}

// global is all of IPv6 that is given out to the Internet so far (RFC 4291).
var global = netip.MustParsePrefix("2000::/3")

// IsRoutable reports whether the address can be reached from elsewhere: not
// private, link-local, reserved and the like. Addresses of Tor, I2P and CJDNS
// can.
func (a Addr) IsRoutable() bool {
	if a.network != IPv4 && a.network != IPv6 {
		return a.IsValid()
	}
	ap, _ := a.AddrPort()
	ip := ap.Addr()
	if ip.Is6() && !global.Contains(ip) {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// HasPort reports whether the address can be dialed as far as its port goes: any
// but 0, and none at all in I2P.
func (a Addr) HasPort() bool { return (a.port != 0) != (a.network == I2P) }
