// Package pow is the proof of work of Bitcoin's block headers, for the miner and
// for the load generator.
package pow

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/decred/dcrd/math/uint256"
)

// Offsets in the 80-byte block header.
const (
	HeaderSize    = 80
	OffsetVersion = 0
	OffsetPrev    = 4
	OffsetRoot    = 36
	OffsetTime    = 68
	OffsetBits    = 72
	OffsetNonce   = 76
)

// Header is a serialised block header.
type Header [HeaderSize]byte

// SetNonce stores the nonce.
func (h *Header) SetNonce(nonce uint32) {
	binary.LittleEndian.PutUint32(h[OffsetNonce:], nonce)
}

// Hash is the header's double SHA-256. It allocates nothing.
func (h *Header) Hash() [sha256.Size]byte {
	first := sha256.Sum256(h[:])
	return sha256.Sum256(first[:])
}

// Goal is a target, prepared for comparing many hashes with it.
type Goal struct {
	target uint256.Uint256
	top    uint64 // its 64 highest bits
}

// NewGoal returns the goal of a target.
func NewGoal(target uint256.Uint256) Goal {
	b := target.Bytes()
	return Goal{target: target, top: binary.BigEndian.Uint64(b[:])}
}

// Met reports whether a hash, as a little-endian number, does not exceed the
// target. Nearly all fail by their highest bits.
func (g *Goal) Met(hash *[sha256.Size]byte) bool {
	if binary.LittleEndian.Uint64(hash[24:]) > g.top {
		return false
	}
	var n uint256.Uint256
	return n.SetBytesLE(hash).LtEq(&g.target)
}

// MerkleRoot joins the hash of a coinbase with its branch.
func MerkleRoot(root [sha256.Size]byte, branch [][sha256.Size]byte) [sha256.Size]byte {
	for i := range branch {
		var pair [2 * sha256.Size]byte
		copy(pair[:], root[:])
		copy(pair[sha256.Size:], branch[i][:])
		root = DoubleHash(pair[:])
	}
	return root
}

// DoubleHash is SHA-256 applied twice.
func DoubleHash(b []byte) [sha256.Size]byte {
	first := sha256.Sum256(b)
	return sha256.Sum256(first[:])
}
