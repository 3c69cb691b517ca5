package blockchain

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
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
	Shares uint32 // since the chain's first share, referenced uncles included

	// Bitcoin is the block the tip's header builds on, and BitcoinHeight the
	// height of the newest that the last shares build on, 0 if unknown. The next
	// share must not build on an older one.
	Bitcoin       chainhash.Hash
	BitcoinHeight uint32

	NextHeight uint32
	NextBits   uint32
	NextTarget uint256.Uint256
	MinTime    uint32           // the next share's time is at least this
	Uncles     []chainhash.Hash // that the next share can reference, in order

	// What the next share has to state of its chain if it references Uncles. The
	// first share of all states its own time as anchor.
	NextAnchor uint32
	NextCount  uint32
	NextWork   uint256.Uint256
}

// Tip returns the snapshot of the current tip.
func (c *Chain) Tip() *Tip {
	t := &Tip{Empty: c.tip == nil, NextBits: c.nextBits(c.tip), NextCount: 1}
	// nextBits yields targets only.
	t.NextTarget, _ = target.FromCompact(t.NextBits)
	t.NextWork = target.Work(&t.NextTarget)
	if c.tip == nil {
		return t
	}
	n := c.tip
	t.ID, t.Height, t.Work, t.Time, t.Shares = n.id, n.height, n.claim, n.time, n.count
	t.NextHeight = n.height + 1
	median, _ := n.medianTime(c.params.MedianTimeShares)
	t.MinTime = median + 1
	t.Bitcoin = n.prevBlock
	if newest, err := c.newestBitcoin(n); err == nil && newest != nil {
		t.BitcoinHeight = uint32(newest.height)
	}
	t.NextAnchor = n.anchor
	t.NextCount += n.count
	t.NextWork.Add(&n.claim)
	for _, u := range c.uncleCandidates() {
		t.Uncles = append(t.Uncles, u.id)
		t.NextCount++
		t.NextWork.Add(u.work())
	}
	return t
}

// Weigh tells, without any other share, whether one was dear to make: whether it
// took at least a sixteenth of the next share's work. Most shares that are wanted
// did; what is far easier could be made in any number. It returns a RuleError for a
// share that is invalid on every chain of these parameters.
func (t *Tip) Weigh(params *chainparams.Params, s *share.Share) (dear bool, err error) {
	own, err := s.CheckSanity(&params.ChainID)
	if err != nil {
		return false, err
	}
	if err := checkEasiest(params, s.ID(), s.Data.Bits, &own); err != nil {
		return false, err
	}
	work, next := target.Work(&own), target.Work(&t.NextTarget)
	work.MulUint64(maxEase)
	return work.GtEq(&next), nil
}

// uncleCandidates returns the shares of branches that a child of the tip may
// reference: those with the most work first, the earliest seen among equals, in
// the end in the order that share data demands.
func (c *Chain) uncleCandidates() []*node {
	next := &node{parent: c.tip, height: c.tip.height + 1}
	var found []*node
	for depth := uint32(1); depth < c.params.MaxUncleDepth && depth <= c.tip.height; depth++ {
		for u := c.byHeight[next.height-depth].first; u != nil; u = u.twin {
			if !c.onMain(u) && c.checkUncle(next, u) == nil {
				found = append(found, u)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *node) int { return b.work().Cmp(a.work()) })
	found = found[:min(len(found), c.params.MaxUncles)]
	slices.SortFunc(found, func(a, b *node) int { return bytes.Compare(a.id[:], b.id[:]) })
	return found
}

// Payouts returns what the coinbase of a share on top of parent pays, for a
// header with the given Bitcoin bits. The zero ID stands for no parent. The error
// is a ContextError: of kind ErrUnknown, or ErrWindow on a node that has joined too
// recently.
func (c *Chain) Payouts(parent chainhash.Hash, headerBits uint32, value int64, class share.Class) (payout.Result, error) {
	w, err := c.wholeWindow(parent, headerBits)
	if err != nil {
		return payout.Result{}, err
	}
	return w.Compute(c.params, value, class, &parent), nil
}

// Scores returns a copy of the scores of the window behind a share, ordered by
// script.
func (c *Chain) Scores(parent chainhash.Hash, headerBits uint32) ([]payout.Score, error) {
	w, err := c.wholeWindow(parent, headerBits)
	if err != nil {
		return nil, err
	}
	return w.Scores(), nil
}

// wholeWindow returns the window behind a share, or a ContextError if it reaches
// below what is known.
func (c *Chain) wholeWindow(parent chainhash.Hash, headerBits uint32) (*payout.Window, error) {
	n, err := c.find(parent)
	if err != nil {
		return nil, err
	}
	w, whole := c.windowBehind(n, headerBits)
	if !whole {
		return nil, contextError(ErrWindow, "the payout window behind share %v is not known yet: the chain begins at height %d", parent, c.lowest)
	}
	return w, nil
}

// find returns a share of the index, nil for the zero ID.
func (c *Chain) find(id chainhash.Hash) (*node, error) {
	n := c.nodes[id]
	if n == nil && id != (chainhash.Hash{}) {
		return nil, contextError(ErrUnknown, "share %v is unknown", id)
	}
	return n, nil
}
