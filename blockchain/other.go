package blockchain

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// Beside returns an empty chain that has the same Bitcoin headers: for another
// chain than this one, with a root of its own, to be compared with it.
func (c *Chain) Beside() *Chain {
	other := New(c.params)
	other.bitcoin = c.bitcoin
	return other
}

// Joining reports whether the payout window behind the tip still lacks what lies
// below the chain's root.
func (c *Chain) Joining() bool { return c.trusting }

// BelowRoot returns the share that the lowest one of the main chain stands on, if
// that is not the first.
func (c *Chain) BelowRoot() (id chainhash.Hash, ok bool) {
	if len(c.main) == 0 || c.main[0].isFirst() {
		return id, false
	}
	return c.main[0].previous, true
}

// known returns the work of the main chain as far as it is kept. What lies below is
// a claim.
func (c *Chain) known() uint256.Uint256 {
	if c.tip == nil {
		return uint256.Uint256{}
	}
	work, lowest := c.tip.total, c.main[0]
	return *work.Sub(&lowest.total).Add(lowest.work())
}

// WorthComparing reports whether a chain with that root is worth to be fetched: if
// ours is not sound enough to judge, or a share of the other is not far easier than
// ours on average.
func (c *Chain) WorthComparing(root *share.Share, now time.Time) bool {
	if c.tip == nil || c.trusting || c.outlived(now) {
		return true
	}
	t, err := target.FromCompact(root.Data.Bits)
	if err != nil {
		return false
	}
	average := c.known()
	average.DivUint64(uint64(len(c.main)))
	work := target.Work(&t)
	return work.MulUint64(maxEase).GtEq(&average)
}

// YieldsTo reports whether another chain of another root should take this one's
// place: it is whole, and has twice the work that is known of this one, or this one
// was left by everybody long ago, or never got whole.
func (c *Chain) YieldsTo(other *Chain, now time.Time) bool {
	if other.tip == nil || other.trusting {
		return false
	}
	ours, theirs := c.known(), other.known()
	switch {
	case c.outlived(now) && !other.outlived(now), c.trusting && theirs.Gt(&ours):
		return true
	}
	// A minority could save up twice the work over a year; but not on Bitcoin blocks
	// of the time that ours is of.
	if ours.MulUint64(deepReorgWork); other.outlived(now) || theirs.Lt(&ours) {
		return false
	}
	recent := other.knownSince(c.bitcoinOf(c.main[0]))
	return recent.GtEq(&ours)
}

// knownSince returns the work of those main-chain shares that build on the Bitcoin
// block or on others of its height and above. nil stands for an unknown block, that
// all others count as younger than.
func (c *Chain) knownSince(x *bitcoinBlock) uint256.Uint256 {
	if x == nil {
		return c.known()
	}
	var sum uint256.Uint256
	for _, n := range c.main {
		if own := c.bitcoinOf(n); own == nil || own.height < x.height {
			continue
		}
		sum.Add(n.work())
		for _, u := range n.uncles {
			sum.Add(u.work())
		}
	}
	return sum
}

// minOutlived keeps a pool with a short retention, as on test networks, from giving
// its chain up over a weekend's rest.
const minOutlived = 3 * 24 * time.Hour

// outlived reports whether the main chain ended so long ago that other nodes have
// pruned all of it, should it be theirs.
func (c *Chain) outlived(now time.Time) bool {
	if c.tip == nil {
		return true
	}
	kept := time.Duration(c.params.RetentionShares) * c.params.ShareInterval
	return time.Unix(int64(c.tip.time), 0).Add(max(kept, minOutlived)).Before(now)
}
