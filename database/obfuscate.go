package database

import (
	"crypto/rand"
	"encoding/binary"
)

const obfuscationSize = 8

// obfuscation is the key that every value but the meta record is XORed with, as
// in Bitcoin Core's chainstate: whoever mines a share chooses some of its bytes,
// and must not be able to put a pattern on other people's disks that a virus
// scanner takes for its own and "cleans". It is no secret. The zero key is none.
type obfuscation [obfuscationSize]byte

// newObfuscation returns a random key, which is not zero.
func newObfuscation() (key obfuscation) {
	for key == (obfuscation{}) {
		rand.Read(key[:]) // never fails
	}
	return key
}

// apply XORs b with the key, which turns plain bytes into stored ones and back.
func (key obfuscation) apply(b []byte) {
	k := binary.LittleEndian.Uint64(key[:])
	for len(b) >= obfuscationSize {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
		b = b[obfuscationSize:]
	}
	for i := range b {
		b[i] ^= key[i]
	}
}
