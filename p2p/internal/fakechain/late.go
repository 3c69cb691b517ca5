package fakechain

import (
	"sync/atomic"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"
)

// Late is a chain that has no tip while it isn't loaded, and panics when it is asked for
// more. The zero value isn't loaded.
type Late struct {
	*Chain // nil while it isn't loaded
	loaded atomic.Pointer[Chain]
}

// Load makes it another chain. What else than Tip is asked must come later.
func (l *Late) Load(c *Chain) {
	l.Chain = c
	l.loaded.Store(c)
}

// Tip returns the tip, zeros while it isn't loaded.
func (l *Late) Tip() (id chainhash.Hash, height uint32, work uint256.Uint256) {
	if c := l.loaded.Load(); c != nil {
		return c.Tip()
	}
	return id, height, work
}
