package compact

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/aead/siphash"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

// idKey makes the short ids of one list.
type idKey [siphash.KeySize]byte

// newIDKey derives the key from share and nonce as BIP 152 does from block and
// nonce: the first 16 bytes of a SHA-256.
func newIDKey(id *chainhash.Hash, nonce uint64) *idKey {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(id[:len(id):len(id)], nonce))
	return (*idKey)(sum[:siphash.KeySize])
}

// short returns the low six bytes of the SipHash-2-4 of an id with witness.
func (k *idKey) short(wtxid *chainhash.Hash) (s message.ShortID) {
	var sum [8]byte
	binary.LittleEndian.PutUint64(sum[:], siphash.Sum64(wtxid[:], (*[siphash.KeySize]byte)(k)))
	copy(s[:], sum[:])
	return s
}
