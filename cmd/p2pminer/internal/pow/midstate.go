package pow

import (
	"crypto/sha256"
	"encoding"
	"hash"
)

// Midstate is SHA-256 after the beginning of a message. It is immutable.
type Midstate struct{ state []byte }

// Hasher finishes hashes that begin with a Midstate. Allocates nothing once it is
// made; not safe for concurrent use.
type Hasher struct {
	digest hash.Hash
	mid    Midstate // of Search
	out    [sha256.Size]byte
}

// NewHasher returns a hasher.
func NewHasher() *Hasher { return &Hasher{digest: sha256.New()} }

// Midstate returns the state after a beginning, written over an old one's memory.
func (h *Hasher) Midstate(beginning []byte, old Midstate) Midstate {
	h.digest.Reset()
	h.digest.Write(beginning)
	state, err := h.digest.(encoding.BinaryAppender).AppendBinary(old.state[:0])
	if err != nil {
		panic(err) // documented to be nil
	}
	return Midstate{state}
}

// DoubleHash is the double SHA-256 of a message, the beginning of which is in m.
func (h *Hasher) DoubleHash(m Midstate, rest ...[]byte) [sha256.Size]byte {
	h.resume(m)
	for _, part := range rest {
		h.digest.Write(part)
	}
	h.digest.Sum(h.out[:0])
	return sha256.Sum256(h.out[:])
}

func (h *Hasher) resume(m Midstate) {
	if err := h.digest.(encoding.BinaryUnmarshaler).UnmarshalBinary(m.state); err != nil {
		panic(err) // only of foreign states
	}
}

// blockSize is what SHA-256 takes in at once; a header's first block holds neither
// time nor nonce.
const blockSize = sha256.BlockSize

// Search tries nonces from first on, at most limit of them, on a header and returns
// the next nonce to try, and whether the one before it meets the goal. A nonce
// costs two compressions, not the three of a whole header.
func (h *Hasher) Search(header *Header, goal *Goal, first uint32, limit int) (next uint32, found bool) {
	h.mid = h.Midstate(header[:blockSize], h.mid)
	for nonce := first; limit > 0; limit-- {
		header.SetNonce(nonce)
		h.resume(h.mid)
		h.digest.Write(header[blockSize:])
		h.digest.Sum(h.out[:0])
		hash := sha256.Sum256(h.out[:])
		nonce++
		if goal.Met(&hash) {
			return nonce, true
		}
		first = nonce
	}
	return first, false
}
