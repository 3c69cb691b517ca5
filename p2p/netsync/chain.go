package netsync

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"
)

// Chain is the sharechain as sync and relay see it. All methods must be safe
// for concurrent use. The reading methods should answer from memory, Share
// excepted, and must not wait for a validation: the Manager's caller holds its
// lock meanwhile.
type Chain interface {
	// Tip returns the id, height and total work, in hashes, of the best chain's
	// tip: zeros if the chain is empty. The work is that of the whole chain as the
	// tip states it, so that nodes that have more or less of it can compare.
	Tip() (id chainhash.Hash, height uint32, work uint256.Uint256)

	// Base returns the height of the best chain's lowest share, 0 if it is empty.
	Base() uint32

	// Joining reports whether the chain still lacks what lies below its lowest share.
	// Then its locator is empty, and every peer is worth being asked.
	Joining() bool

	// Have reports whether the share is known as valid. A share held as an orphan
	// doesn't count: it is not judged yet, and may be dropped before it is.
	Have(id chainhash.Hash) bool

	// Locator returns ids of the best chain, the tip first, exponentially
	// spaced, the lowest share last. It is empty if the chain is. At most
	// message.MaxLocator-1 are used.
	Locator() []chainhash.Hash

	// AfterLocator returns at most limit ids of the best chain that follow the
	// first locator entry on it, oldest first, each share's uncles before it, up
	// to and including stop. Stop is the zero hash for no stop. If no entry is on
	// the best chain, it begins with the lowest share that can be served, or with
	// one not far above it, without that share's uncles: the asker may have to
	// start from there.
	AfterLocator(locator []chainhash.Hash, stop chainhash.Hash, limit int) []chainhash.Hash

	// Share returns a valid share's encoding. The caller must not change it.
	// Any error means that the share cannot be served.
	Share(id chainhash.Hash) ([]byte, error)

	// Ancestors returns the uncles of id, its parent, the parent's uncles, the
	// grandparent and so on for so many generations, without stops and what lies
	// beyond them. It is empty if id is unknown.
	Ancestors(id chainhash.Hash, generations int, stops []chainhash.Hash) []chainhash.Hash
}
