package lan

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/net/ipv4"
)

// group is where all that is multicast DNS is sent to.
var group = netip.MustParseAddrPort("224.0.0.251:5353")

// An iface is a network interface that is used.
type iface struct {
	index    int
	name     string
	prefixes []netip.Prefix // its IPv4 addresses, with the length of their networks
}

// addrs returns the interface's addresses.
func (i *iface) addrs() []netip.Addr {
	list := make([]netip.Addr, len(i.prefixes))
	for k, p := range i.prefixes {
		list[k] = p.Addr()
	}
	return list
}

// socket sends to and receives from the group. Read may run beside the others.
type socket interface {
	// join makes the socket receive from an interface too. To join again does no
	// harm.
	join(iface) error
	// send sends to the group on one interface.
	send(iface, []byte) error
	// read receives a datagram and reports whether it was sent to the group.
	read(buf []byte) (n int, from netip.AddrPort, toGroup bool, err error)
	Close() error
}

// system is what the package needs of the operating system; tests have their own.
type system interface {
	interfaces() ([]iface, error)
	open(iface) (socket, error)
}

// host is the system of this machine.
type host struct{}

// interfaces returns the interfaces that multicast and have a private address.
func (host) interfaces() ([]iface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	const want, not = net.FlagUp | net.FlagMulticast, net.FlagLoopback | net.FlagPointToPoint
	var list []iface
	for _, ifi := range all {
		if ifi.Flags&want != want || ifi.Flags&not != 0 || len(list) == maxInterfaces {
			continue
		}
		addrs, err := ifi.Addrs()
		if err != nil {
			continue
		}
		i := iface{index: ifi.Index, name: ifi.Name}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && isLocal(p.Addr()) {
				i.prefixes = append(i.prefixes, p)
			}
		}
		if len(i.prefixes) > 0 {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("no interface with multicast has a private IPv4 address")
	}
	return list, nil
}

// isLocal reports whether an address is one of a local network.
func isLocal(a netip.Addr) bool { return a.IsPrivate() || a.IsLinkLocalUnicast() }

// open opens a socket for the port of multicast DNS, which all programs of a machine
// can have at a time.
func (host) open(i iface) (socket, error) {
	conn, err := net.ListenMulticastUDP("udp4", i.net(), net.UDPAddrFromAddrPort(group))
	if err != nil {
		return nil, err
	}
	p := ipv4.NewPacketConn(conn)
	// Without them, as on Windows, what is not for the group can't be told from it.
	_ = p.SetControlMessage(ipv4.FlagDst, true)
	// Other nodes of this machine shall hear this one. 255 is what the RFC asks for
	// (11).
	if err := errors.Join(p.SetMulticastLoopback(true), p.SetMulticastTTL(255)); err != nil {
		conn.Close()
		return nil, err
	}
	return udp{p}, nil
}

func (i iface) net() *net.Interface { return &net.Interface{Index: i.index, Name: i.name} }

// udp is the socket of this machine.
type udp struct{ *ipv4.PacketConn }

func (u udp) join(i iface) error {
	err := u.JoinGroup(i.net(), net.UDPAddrFromAddrPort(group))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil // joined already
	}
	return err
}

func (u udp) send(i iface, b []byte) error {
	if err := u.SetMulticastInterface(i.net()); err != nil {
		return err
	}
	_, err := u.WriteTo(b, nil, net.UDPAddrFromAddrPort(group))
	return err
}

func (u udp) read(buf []byte) (int, netip.AddrPort, bool, error) {
	n, cm, from, err := u.ReadFrom(buf)
	if err != nil {
		return 0, netip.AddrPort{}, false, err
	}
	toGroup := cm == nil || cm.Dst == nil || cm.Dst.Equal(group.Addr().AsSlice())
	ap, _ := netip.ParseAddrPort(from.String())
	return n, ap, toGroup, nil
}

// equal reports whether two lists of interfaces are the same.
func equal(a, b []iface) bool {
	return slices.EqualFunc(a, b, func(x, y iface) bool {
		return x.index == y.index && x.name == y.name && slices.Equal(x.prefixes, y.prefixes)
	})
}
