package share

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
	"slices"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Link ties header and share data to each other without the coinbase between them:
// it is SHA-256 stopped where the coinbase's end, which the data gives, takes over.
// A coinbase can be rebuilt only by who knows the payout window; with the link
// everybody can tell that a header's proof of work was done for this very share.
type Link struct {
	State  [sha256.Size]byte // of SHA-256 after the whole 64-byte blocks of the prefix
	Length uint32            // of the prefix, in bytes: MinCoinbasePrefix to MaxCoinbasePrefix
	Rest   []byte            // the prefix' last Length mod 64 bytes, which are not in State
}

const (
	// MinCoinbasePrefix bounds the prefix from below, in bytes: one whole block. The
	// shortest has 91 bytes. The hash of 100 bytes and more can besides not be taken
	// for that of two nodes of a merkle tree, which have 64.
	MinCoinbasePrefix = sha256.BlockSize
	// MaxCoinbasePrefix is the length of the longest prefix in bytes: version, one
	// input with the longest script, output count, P2TR outputs for the finder and
	// every payout of the largest class, and the last output up to the commitment.
	MaxCoinbasePrefix = 4 + 1 + 36 + 1 + maxScriptSig + 4 + 3 + (1+maxOutputs)*maxOutput +
		8 + 1 + witnessScriptSize + 1

	// maxRest is the length of the longest rest in bytes.
	maxRest = sha256.BlockSize - 1
)

// NewLink returns the link of a coinbase, given the prefix that AppendCoinbasePrefix
// builds.
func NewLink(prefix []byte) Link {
	l := Link{Length: uint32(len(prefix)), Rest: slices.Clone(restOf(prefix))}
	midstate(&l.State, prefix)
	return l
}

// restOf returns what of a prefix lies behind its whole blocks; nil for nothing.
func restOf(prefix []byte) []byte {
	if n := len(prefix) % sha256.BlockSize; n > 0 {
		return prefix[len(prefix)-n:]
	}
	return nil
}

// check verifies the bounds of the link.
func (l *Link) check() error {
	if l.Length < MinCoinbasePrefix || l.Length > MaxCoinbasePrefix {
		return ruleError(ErrLink, "coinbase with %d bytes before the commitment, there are %d to %d", l.Length, MinCoinbasePrefix, MaxCoinbasePrefix)
	}
	if n := l.Length % sha256.BlockSize; len(l.Rest) != int(n) {
		return ruleError(ErrLink, "%d bytes behind the blocks of a coinbase, %d are due", len(l.Rest), n)
	}
	return nil
}

// Matches reports whether the link is that of the prefix.
func (l *Link) Matches(prefix []byte) bool {
	if int(l.Length) != len(prefix) || !bytes.Equal(l.Rest, restOf(prefix)) {
		return false
	}
	var state [sha256.Size]byte
	midstate(&state, prefix)
	return state == l.State
}

// TxID returns the hash of the coinbase that the link stands for, with this end:
// SHA-256 goes on where the link stopped. The link must be within its bounds.
func (l *Link) TxID(commitment *chainhash.Hash, extranonce *[ExtranonceSize]byte, lockTime uint32) chainhash.Hash {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	return h.resume(l, commitment, extranonce, lockTime)
}

// midstate sets state to that of SHA-256 after the whole blocks of the prefix.
func midstate(state *[sha256.Size]byte, prefix []byte) {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	h.midstate(state, prefix)
}

// hasher is a SHA-256 whose state can be read and set. Its buffers are parts of it
// so that neither takes an allocation.
type hasher struct {
	sha256 interface {
		hash.Hash
		encoding.BinaryAppender
		encoding.BinaryUnmarshaler
	}
	// saved is a state as package crypto/sha256 writes it, which all its versions
	// can read: magic 4, state 32, the bytes of an unfinished block 64, length 8.
	saved [savedMagic + sha256.Size + sha256.BlockSize + 8]byte
	end   [coinbaseEndSize]byte
	sum   chainhash.Hash
}

// savedMagic is the length of the mark in front of a saved state.
const savedMagic = 4

var hashers = sync.Pool{New: func() any {
	h := new(hasher)
	h.sha256 = sha256.New().(interface {
		hash.Hash
		encoding.BinaryAppender
		encoding.BinaryUnmarshaler
	})
	h.save() // the magic
	return h
}}

// save writes the state to saved.
func (h *hasher) save() {
	if b, err := h.sha256.AppendBinary(h.saved[:0]); err != nil || len(b) != len(h.saved) {
		panic("share: crypto/sha256 saves its state in another form")
	}
}

func (h *hasher) midstate(state *[sha256.Size]byte, prefix []byte) {
	h.sha256.Reset()
	h.sha256.Write(prefix[:len(prefix)-len(prefix)%sha256.BlockSize])
	h.save()
	copy(state[:], h.saved[savedMagic:])
}

func (h *hasher) resume(l *Link, commitment *chainhash.Hash, extranonce *[ExtranonceSize]byte, lockTime uint32) chainhash.Hash {
	block := h.saved[savedMagic+copy(h.saved[savedMagic:], l.State[:]):]
	clear(block[copy(block[:sha256.BlockSize], l.Rest):])
	binary.BigEndian.PutUint64(block[sha256.BlockSize:], uint64(l.Length))
	if err := h.sha256.UnmarshalBinary(h.saved[:]); err != nil {
		panic("share: crypto/sha256 does not read its own state: " + err.Error())
	}
	h.sha256.Write(appendCoinbaseEnd(h.end[:0], commitment, extranonce, lockTime))
	h.sha256.Sum(h.sum[:0])
	return sha256.Sum256(h.sum[:])
}
