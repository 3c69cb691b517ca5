package main

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/decred/dcrd/math/uint256"
)

// Offsets in the 80-byte block header.
const (
	headerSize    = 80
	offsetVersion = 0
	offsetPrev    = 4
	offsetRoot    = 36
	offsetTime    = 68
	offsetBits    = 72
	offsetNonce   = 76
)

// header is a serialised block header.
type header [headerSize]byte

// setNonce stores the nonce.
func (h *header) setNonce(nonce uint32) {
	binary.LittleEndian.PutUint32(h[offsetNonce:], nonce)
}

// hash is the header's double SHA-256. It allocates nothing.
func (h *header) hash() [sha256.Size]byte {
	first := sha256.Sum256(h[:])
	return sha256.Sum256(first[:])
}

// goal is a target, prepared for comparing many hashes with it.
type goal struct {
	target uint256.Uint256
	top    uint64 // its 64 highest bits
}

func newGoal(target uint256.Uint256) goal {
	b := target.Bytes()
	return goal{target: target, top: binary.BigEndian.Uint64(b[:])}
}

// met reports whether a hash, as a little-endian number, does not exceed the
// target. Nearly all fail by their highest bits.
func (g *goal) met(hash *[sha256.Size]byte) bool {
	if binary.LittleEndian.Uint64(hash[24:]) > g.top {
		return false
	}
	var n uint256.Uint256
	return n.SetBytesLE(hash).LtEq(&g.target)
}

// merkleRoot hashes a coinbase and its branch.
func merkleRoot(coinbase []byte, branch [][sha256.Size]byte) [sha256.Size]byte {
	root := doubleHash(coinbase)
	for i := range branch {
		var pair [2 * sha256.Size]byte
		copy(pair[:], root[:])
		copy(pair[sha256.Size:], branch[i][:])
		root = doubleHash(pair[:])
	}
	return root
}

func doubleHash(b []byte) [sha256.Size]byte {
	first := sha256.Sum256(b)
	return sha256.Sum256(first[:])
}
