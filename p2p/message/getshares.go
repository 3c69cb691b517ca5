package message

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"
)

const (
	// MaxGetShares is the number of ids in one getshares.
	MaxGetShares = 256
	// MaxParents is the number of generations of ancestors one getshares may
	// ask for. More are fetched with getlocator.
	MaxParents = 64
	// MaxStops is the number of stops in one getshares: a locator of the
	// longest retained chain (138,240 shares, 2^17.1) has fewer entries.
	MaxStops = 32
)

// GetShares asks for shares by id, each with generations of its ancestors.
// The answer is any number of shares messages, ancestors before descendants,
// and a notfound for the ids that cannot be served.
type GetShares struct {
	IDs     []chainhash.Hash // 1 to MaxGetShares
	Parents uint32           // generations of ancestors for each id, at most MaxParents
	Stops   []chainhash.Hash // ancestors not to go beyond, at most MaxStops
}

// Command returns "getshares".
func (m *GetShares) Command() string { return CmdGetShares }

// MaxPayload returns the payload's cap in bytes.
func (m *GetShares) MaxPayload() int {
	return 3 + MaxGetShares*chainhash.HashSize + 4 + 1 + MaxStops*chainhash.HashSize
}

// Size returns the payload's length in bytes.
func (m *GetShares) Size() int { return hashesSize(m.IDs) + 4 + hashesSize(m.Stops) }

// AppendPayload appends the payload to b.
func (m *GetShares) AppendPayload(b []byte) []byte {
	b = appendHashes(b, m.IDs)
	b = binary.LittleEndian.AppendUint32(b, m.Parents)
	return appendHashes(b, m.Stops)
}

func (m *GetShares) decode(d *decoder) {
	m.IDs = d.hashes(1, MaxGetShares, "ids")
	m.Parents = d.uint32()
	if m.Parents > MaxParents {
		d.fail(ErrCount, "%d generations, at most %d are allowed", m.Parents, MaxParents)
	}
	m.Stops = d.hashes(0, MaxStops, "stops")
}
