package message

import (
	"encoding/binary"
	"errors"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

const (
	// MaxAddrs is the number of addresses in one addr, as in Bitcoin.
	MaxAddrs = 1000
	// MaxAddrPayload is the cap of addr: 64 KiB, 1,000 of the longest addresses
	// known (49 bytes with all) and room for longer ones that are to come.
	MaxAddrPayload = 64 << 10

	// maxAddrBytes is the length of the longest address that a network to come may
	// have (BIP 155).
	maxAddrBytes = 512
	// minAddrEntry is the shortest entry: time 4, services 1, network 1, length 1,
	// address 0, port 2.
	minAddrEntry = 4 + 1 + 1 + 1 + 2
)

// Addr tells addresses of nodes, with BIP 155's networks: the answer to getaddr,
// or a few that are new. Whether the addresses exist is not known, and when they
// were seen is a claim.
//
// A decoder leaves out addresses of networks that it does not know, and those
// that pretend to be of another network than they are. All others are kept,
// whatever their times and ports.
type Addr struct {
	List []netaddr.Record // at most MaxAddrs, of valid addresses
}

// Command returns "addr".
func (m *Addr) Command() string { return CmdAddr }

// MaxPayload returns the payload's cap in bytes.
func (m *Addr) MaxPayload() int { return MaxAddrPayload }

// Size returns the payload's length in bytes.
func (m *Addr) Size() int {
	n := varintSize(len(m.List))
	for i := range m.List {
		r := &m.List[i]
		n += 4 + varintSize64(r.Services) + 1 + 1 + r.Addr.Network().Size() + 2
	}
	return n
}

// AppendPayload appends the payload to b.
func (m *Addr) AppendPayload(b []byte) []byte {
	b = appendVarint(b, uint64(len(m.List)))
	for i := range m.List {
		r := &m.List[i]
		b = binary.LittleEndian.AppendUint32(b, r.Seen)
		b = appendVarint(b, r.Services)
		b = append(b, byte(r.Addr.Network()), byte(r.Addr.Network().Size()))
		b = r.Addr.AppendBytes(b)
		b = binary.LittleEndian.AppendUint16(b, r.Addr.Port())
	}
	return b
}

func (m *Addr) decode(d *decoder) {
	n := d.count(0, MaxAddrs, minAddrEntry, "addresses")
	if n == 0 {
		return
	}
	list := make([]netaddr.Record, 0, n)
	for range n {
		r := netaddr.Record{Seen: d.uint32(), Services: d.varint()}
		network := netaddr.Network(d.uint8())
		host := d.take(d.count(0, maxAddrBytes, 1, "bytes of an address"))
		port := d.uint16()
		if d.err != nil {
			return
		}
		var err error
		switch r.Addr, err = netaddr.New(network, host, port); {
		case err == nil:
			list = append(list, r)
		case errors.Is(err, netaddr.ErrSize):
			d.fail(ErrField, "address of %d bytes, %v has %d", len(host), network, network.Size())
			return
		}
	}
	if len(list) > 0 {
		m.List = list
	}
}

// varintSize64 returns the encoded length of v in bytes.
func varintSize64(v uint64) int {
	if v>>32 != 0 {
		return 9
	}
	return varintSize(int(v))
}
