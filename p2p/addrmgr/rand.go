package addrmgr

import (
	crand "crypto/rand"
	"math/rand/v2"
)

// SystemRand returns a generator whose numbers cannot be guessed, seeded by the
// operating system. It is for one goroutine at a time.
func SystemRand() *rand.Rand {
	var seed [32]byte
	crand.Read(seed[:]) // never fails, see crypto/rand
	return rand.New(rand.NewChaCha8(seed))
}
