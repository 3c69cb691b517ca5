package blockchain

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/target"
)

// Tip is an immutable snapshot of the main chain's end with all that a miner
// needs to build the next share. On an empty chain it describes the first
// share: zero ID, NextHeight 0.
type Tip struct {
	ID     chainhash.Hash
	Height uint32 // of the tip; 0 on an empty chain too
	Empty  bool
	Work   uint256.Uint256 // of the whole chain, expected hashes
	Time   uint32
	Shares int64 // main-chain shares and their uncles

	// Bitcoin is the block the tip's header builds on. The next share must not
	// build on an older one.
	Bitcoin       chainhash.Hash
	BitcoinHeight uint32 // of that block

	NextHeight uint32
	NextBits   uint32
	NextTarget uint256.Uint256
	MinTime    uint32           // the next share's time is at least this
	Uncles     []chainhash.Hash // that the next share can reference, in order
}

// Tip returns the snapshot of the current tip.
func (c *Chain) Tip() *Tip {
	t := &Tip{Empty: c.tip == nil, NextBits: c.nextBits(c.tip)}
	// nextBits yields targets only.
	t.NextTarget, _ = target.FromCompact(t.NextBits)
	if c.tip == nil {
		return t
	}
	n := c.tip
	t.ID, t.Height, t.Work, t.Time, t.Shares = n.id, n.height, n.total, n.time, n.count
	t.NextHeight = n.height + 1
	t.MinTime = n.medianTime(c.params.MedianTimeShares) + 1
	if n.bitcoin != nil {
		t.Bitcoin, t.BitcoinHeight = n.bitcoin.hash, uint32(n.bitcoin.height)
	}
	t.Uncles = c.uncleCandidates()
	return t
}

// uncleCandidates returns the shares of branches that a child of the tip may
// reference: those with the most work first, the earliest seen among equals, in
// the end in the order that share data demands.
func (c *Chain) uncleCandidates() []chainhash.Hash {
	next := &node{parent: c.tip, height: c.tip.height + 1}
	var found []*node
	for depth := uint32(1); depth < c.params.MaxUncleDepth && depth <= c.tip.height; depth++ {
		for _, u := range c.byHeight[next.height-depth] {
			if !c.onMain(u) && c.checkUncle(next, u) == nil {
				found = append(found, u)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *node) int { return b.work.Cmp(&a.work) })
	found = found[:min(len(found), c.params.MaxUncles)]
	ids := make([]chainhash.Hash, len(found))
	for i, u := range found {
		ids[i] = u.id
	}
	slices.SortFunc(ids, func(a, b chainhash.Hash) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// Scores returns the scores of the window behind a share, for a header with the
// given Bitcoin bits, ordered by script; nil for the zero ID, behind which
// there is nothing. The result must not be changed.
func (c *Chain) Scores(parent chainhash.Hash, headerBits uint32) ([]payout.Score, error) {
	if parent == (chainhash.Hash{}) {
		return nil, nil
	}
	n := c.nodes[parent]
	if n == nil {
		return nil, contextError(ErrUnknown, "share %v is unknown", parent)
	}
	return c.scores(n, headerBits), nil
}
