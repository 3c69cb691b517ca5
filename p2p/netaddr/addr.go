package netaddr

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Network is a kind of address, with the number that BIP 155 gives it.
type Network uint8

// The networks that nodes can have addresses in. Tor v2 (3) is no more.
const (
	IPv4  Network = 1
	IPv6  Network = 2
	TorV3 Network = 4
	I2P   Network = 5
	CJDNS Network = 6

	// named marks the stand-in of a source that has no address, see Named.
	named Network = 255
)

// MaxSize is the length of the longest address of a known network, in bytes.
const MaxSize = 32

// Size returns the length in bytes of a network's addresses, 0 if the network is
// unknown.
func (n Network) Size() int {
	switch n {
	case IPv4:
		return 4
	case IPv6, CJDNS:
		return 16
	case TorV3, I2P:
		return 32
	}
	return 0
}

// String returns the network's name.
func (n Network) String() string {
	switch n {
	case IPv4:
		return "ipv4"
	case IPv6:
		return "ipv6"
	case TorV3:
		return "onion"
	case I2P:
		return "i2p"
	case CJDNS:
		return "cjdns"
	}
	return "unknown"
}

// Addr is where a node listens: an address of a network, and a port. It is
// comparable; the zero value is no address.
type Addr struct {
	network Network
	port    uint16
	host    [MaxSize]byte // the first network.Size() bytes, zeros behind
}

// Errors of New.
var (
	ErrNetwork   = errors.New("unknown network")
	ErrSize      = errors.New("wrong length for the network")
	ErrDisguised = errors.New("address of another network in disguise")
)

// onionCat is where Tor v2 was in IPv6. BIP 155 wants it ignored, as IPv4 in IPv6,
// since these have, or had, numbers of their own.
var onionCat = netip.MustParsePrefix("fd87:d87e:eb43::/48")

// cjdnsByte is the first byte of every CJDNS address.
const cjdnsByte = 0xfc

// New returns the address of a network given by its bytes. It copies them. The
// error is one of ErrNetwork, ErrSize and ErrDisguised.
func New(network Network, host []byte, port uint16) (Addr, error) {
	switch size := network.Size(); {
	case size == 0:
		return Addr{}, ErrNetwork
	case size != len(host):
		return Addr{}, ErrSize
	}
	switch network {
	case IPv6:
		if ip := netip.AddrFrom16([16]byte(host)); ip.Is4In6() || onionCat.Contains(ip) {
			return Addr{}, ErrDisguised
		}
	case CJDNS:
		if host[0] != cjdnsByte {
			return Addr{}, ErrDisguised
		}
	}
	a := Addr{network: network, port: port}
	copy(a.host[:], host)
	return a, nil
}

// FromAddrPort returns an IP address; a zone is left out, and IPv4 in IPv6
// becomes IPv4. The zero AddrPort gives the zero Addr.
func FromAddrPort(ap netip.AddrPort) Addr {
	ip := ap.Addr().Unmap()
	if !ip.IsValid() {
		return Addr{}
	}
	a := Addr{network: IPv6, port: ap.Port()}
	if ip.Is4() {
		a.network = IPv4
	}
	copy(a.host[:], ip.AsSlice())
	return a
}

// Named returns the stand-in for a source of addresses that has none itself, such
// as a DNS seed. It is a group of its own, and it is never dialed or told to
// others: IsValid is false. Names are cut after 32 bytes.
func Named(name string) Addr {
	a := Addr{network: named}
	copy(a.host[:], name)
	return a
}

// IsValid reports whether the address is of a known network.
func (a Addr) IsValid() bool { return a.network.Size() > 0 }

// Network returns the network.
func (a Addr) Network() Network { return a.network }

// Port returns the port. I2P has none: there it is 0.
func (a Addr) Port() uint16 { return a.port }

// Bytes returns a copy of the address without the port.
func (a Addr) Bytes() []byte { return append([]byte(nil), a.host[:a.network.Size()]...) }

// AppendBytes appends the address without the port to b.
func (a Addr) AppendBytes(b []byte) []byte { return append(b, a.host[:a.network.Size()]...) }

// AppendKey appends all that tells the address from others, 35 bytes, for
// hashing.
func (a Addr) AppendKey(b []byte) []byte {
	b = append(b, byte(a.network))
	b = binary.LittleEndian.AppendUint16(b, a.port)
	return append(b, a.host[:]...)
}

// WithPort returns the address with another port.
func (a Addr) WithPort(port uint16) Addr {
	a.port = port
	return a
}

// AddrPort returns an IPv4, IPv6 or CJDNS address in Go's form; it reports false
// for the others.
func (a Addr) AddrPort() (netip.AddrPort, bool) {
	switch a.network {
	case IPv4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.host[:4])), a.port), true
	case IPv6, CJDNS:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(a.host[:16])), a.port), true
	}
	return netip.AddrPort{}, false
}

// Record is what is known of an address by hearsay.
type Record struct {
	Addr     Addr
	Services uint64 // what the node offers
	Seen     uint32 // when it was last heard of, Unix seconds; claims of others
}
