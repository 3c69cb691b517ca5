package message

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"
)

const (
	// MaxUserAgent is the length of a user agent in bytes, as in Bitcoin Core.
	MaxUserAgent = 256
	// maxVersionPayload leaves room for the fields of later protocol versions:
	// today's are at most 390 bytes.
	maxVersionPayload = 4096
	// versionFixed is the length of all fields but the user agent: protocol 4,
	// services 8, time 8, nonce 8, ChainID 32, best share 32, height 4, work 32,
	// relay mode 1, port 2.
	versionFixed = 4 + 8 + 8 + 8 + 32 + 32 + 4 + 32 + 1 + 2
)

// Services is a bit field of what a node offers. Unknown bits mean nothing.
type Services uint64

// ServiceV2 is set by nodes that accept the v2 transport, with Bitcoin's number.
const ServiceV2 Services = 1 << 11

// Version introduces a node. It is the first message in both directions.
// Fields, in this order on the wire:
type Version struct {
	Protocol  uint32          // version of the peer protocol, from 1
	Services  Services        // what the node offers
	Time      int64           // the sender's clock, Unix seconds; 0: not told, as over Tor
	Nonce     uint64          // random, to notice a dial to oneself
	UserAgent string          // varint length, then printable ASCII, at most MaxUserAgent
	ChainID   chainhash.Hash  // the sharechain spoken of
	Best      chainhash.Hash  // id of the tip; zero if the chain is empty
	Height    uint32          // of the tip
	Work      uint256.Uint256 // of the tip's chain in hashes, 32 bytes on the wire
	Mode      RelayMode       // how the sender wants to hear of new shares
	Port      uint16          // where it listens; 0 if it doesn't
}

// Command returns "version".
func (m *Version) Command() string { return CmdVersion }

// MaxPayload returns the payload's cap in bytes.
func (m *Version) MaxPayload() int { return maxVersionPayload }

// Size returns the payload's length in bytes.
func (m *Version) Size() int {
	return versionFixed + varintSize(len(m.UserAgent)) + len(m.UserAgent)
}

// AppendPayload appends the payload to b.
func (m *Version) AppendPayload(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, m.Protocol)
	b = le.AppendUint64(b, uint64(m.Services))
	b = le.AppendUint64(b, uint64(m.Time))
	b = le.AppendUint64(b, m.Nonce)
	b = append(appendVarint(b, uint64(len(m.UserAgent))), m.UserAgent...)
	b = append(b, m.ChainID[:]...)
	b = append(b, m.Best[:]...)
	b = le.AppendUint32(b, m.Height)
	work := m.Work.BytesLE()
	b = append(b, work[:]...)
	b = append(b, byte(m.Mode))
	return le.AppendUint16(b, m.Port)
}

func (m *Version) decode(d *decoder) {
	m.Protocol = d.uint32()
	m.Services = Services(d.uint64())
	m.Time = int64(d.uint64())
	m.Nonce = d.uint64()
	m.UserAgent = userAgent(d)
	m.ChainID = d.hash()
	m.Best = d.hash()
	m.Height = d.uint32()
	work := [32]byte(d.hash())
	m.Work.SetBytesLE(&work)
	m.Mode = relayMode(d)
	m.Port = d.uint16()
}

// userAgent reads the user agent. Anything but printable ASCII is refused, as
// it goes to logs, terminals and web pages.
func userAgent(d *decoder) string {
	raw := d.take(d.count(0, MaxUserAgent, 1, "bytes of user agent"))
	for _, c := range raw {
		if c < 0x20 || c > 0x7e {
			d.fail(ErrField, "user agent %q is not printable ASCII", raw)
			return ""
		}
	}
	return string(raw)
}

// allowsTail: later protocol versions append their fields.
func (m *Version) allowsTail() {}
