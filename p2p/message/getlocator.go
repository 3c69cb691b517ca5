package message

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// MaxLocator is the number of ids in a locator. With exponential spacing the
// longest retained chain (138,240 shares, 2^17.1) needs about 30.
const MaxLocator = 64

// GetLocator asks for the ids of the receiver's main chain behind the first
// locator entry that lies on it, from its lower end if none does: the first share,
// or one of the lowest that are kept. The answer is an inv.
type GetLocator struct {
	Locator []chainhash.Hash // newest first, at most MaxLocator; empty: from the lower end
	Stop    chainhash.Hash   // last id wanted; zero: as many as Max allows
	Max     uint32           // ids wanted; the answer is cut at MaxInv
}

// Command returns "getlocator".
func (m *GetLocator) Command() string { return CmdGetLocator }

// MaxPayload returns the payload's cap in bytes.
func (m *GetLocator) MaxPayload() int {
	return 1 + MaxLocator*chainhash.HashSize + chainhash.HashSize + 4
}

// Size returns the payload's length in bytes.
func (m *GetLocator) Size() int { return hashesSize(m.Locator) + chainhash.HashSize + 4 }

// AppendPayload appends the payload to b.
func (m *GetLocator) AppendPayload(b []byte) []byte {
	b = appendHashes(b, m.Locator)
	b = append(b, m.Stop[:]...)
	return binary.LittleEndian.AppendUint32(b, m.Max)
}

func (m *GetLocator) decode(d *decoder) {
	m.Locator = d.hashes(0, MaxLocator, "locator ids")
	m.Stop = d.hash()
	m.Max = d.uint32()
}
