package banman

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// ErrSubject is wrapped by the errors of Parse.
var ErrSubject = errors.New("write an IP address, a network such as 192.0.2.0/24, or a Tor or I2P address, without a port")

// Subject is what an entry is about: an IP address or network, or a hidden
// service. It is comparable; the zero value is none and contains nothing.
type Subject struct {
	prefix netip.Prefix // masked, IPv4 never in IPv6; invalid for hidden services
	host   netaddr.Addr // a hidden service with port 0; else zero
}

// Parse returns the subject of a text. Bits of a network behind its length are
// dropped. Errors wrap ErrSubject.
func Parse(text string) (Subject, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return Subject{}, fmt.Errorf("%q is not a network: %w", text, ErrSubject)
		}
		return Network(p), nil
	}
	a, err := netaddr.Parse(text, 0)
	switch {
	case err != nil:
		return Subject{}, fmt.Errorf("%w: %w", err, ErrSubject)
	case a.Port() != 0:
		return Subject{}, fmt.Errorf("%q has a port: %w", text, ErrSubject)
	}
	return Host(a), nil
}

// bits4In6 is the length of ::ffff:0:0/96, where IPv4 is in IPv6.
const bits4In6 = 96

// Network returns the subject of all addresses of a valid network.
func Network(p netip.Prefix) Subject {
	if p.Addr().Is4In6() && p.Bits() >= bits4In6 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-bits4In6)
	}
	return Subject{prefix: p.Masked()}
}

// Host returns the subject of one address, whatever its port. That of no address
// is none.
func Host(a netaddr.Addr) Subject {
	if ap, ok := a.AddrPort(); ok {
		return Subject{prefix: netip.PrefixFrom(ap.Addr(), ap.Addr().BitLen())}
	}
	if !a.IsValid() {
		return Subject{}
	}
	return Subject{host: a.WithPort(0)}
}

// unitIPv6 is the length of the IPv6 network that counts as one address: a
// subscriber gets no less, and would have 2⁶⁴ addresses to come back from.
const unitIPv6 = 64

// Unit returns the subject that a violation from an address is laid to: the
// address, of IPv6 its /64. A link or a private network has a /64 for all of its
// nodes, so that there it is the address alone.
func Unit(a netaddr.Addr) Subject {
	if ap, ok := a.AddrPort(); ok && ap.Addr().Is6() && a.IsRoutable() {
		return Subject{prefix: netip.PrefixFrom(ap.Addr(), unitIPv6).Masked()}
	}
	return Host(a)
}

// IsValid reports whether it is the subject of anything.
func (s Subject) IsValid() bool { return s.prefix.IsValid() || s.host.IsValid() }

// Contains reports whether the subject is the other or a network around it.
func (s Subject) Contains(other Subject) bool {
	if !s.prefix.IsValid() || !other.prefix.IsValid() {
		return s.IsValid() && s == other
	}
	return s.prefix.Bits() <= other.prefix.Bits() && s.prefix.Contains(other.prefix.Addr())
}

// String returns the text that Parse reads: an address, or a network with its
// length.
func (s Subject) String() string {
	switch {
	case s.prefix.IsSingleIP():
		return s.prefix.Addr().String()
	case s.prefix.IsValid():
		return s.prefix.String()
	}
	return s.host.Host()
}

// compare orders subjects for people: IPv4, IPv6, the others.
func compare(a, b Subject) int {
	if a.prefix.IsValid() != b.prefix.IsValid() {
		return cmp.Compare(a.host.Network(), b.host.Network())
	}
	return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()),
		cmp.Compare(a.host.Host(), b.host.Host()))
}
