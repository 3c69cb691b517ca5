package blockchain

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// validate judges a share in the tiers of protocol.md section 5, cheapest
// first, and returns the index node it becomes. Every failure is a RuleError,
// an *UndecidedError or a ContextError; nothing in the chain changes.
//
// root allows the share to be a root, see AcceptRoot.
func (c *Chain) validate(s *share.Share, root bool, now time.Time) (*node, error) {
	n := newNode(s)
	if c.nodes[n.id] != nil {
		return nil, contextError(ErrDuplicate, "share %v is known", n.id)
	}
	shareTarget, err := s.CheckSanity(&c.params.ChainID)
	if err != nil {
		return nil, err
	}
	if err := checkEasiest(c.params, n.id, n.bits, &shareTarget); err != nil {
		return nil, err
	}
	n.paid.Work = target.Work(&shareTarget)
	if err := c.link(n, s, root && c.tip == nil); err != nil {
		return nil, err
	}
	if err := c.checkBranch(n); err != nil {
		return nil, err
	}
	if err := c.checkPosition(n, s); err != nil {
		return nil, err
	}
	if err := c.checkClock(n, now); err != nil {
		return nil, err
	}
	tied := c.checkBitcoin(n, s, now)
	if n.assumed, err = c.assumed(n, tied, n.bitcoin != nil); err != nil {
		return nil, err
	}
	n.block = tied == nil && n.bitcoin != nil && c.isBlock(n, shareTarget)
	if n.assumed {
		return n, nil
	}
	if tied != nil {
		return nil, tied
	}
	return n, c.checkPayouts(n, s)
}

// newNode copies what the index keeps of a share.
func newNode(s *share.Share) *node {
	return &node{
		id: s.ID(), previous: s.Data.Previous, height: s.Data.Height, time: s.Data.Time, bits: s.Data.Bits,
		anchor: s.Data.Anchor, count: s.Data.Count, claim: s.Data.Work,
		paid: payout.Entry{Height: s.Data.Height, Payee: s.Data.Payee}, coinbaseValue: s.Data.CoinbaseValue,
		prevBlock:  s.Header.PrevBlock,
		headerBits: s.Header.Bits, headerTime: uint32(s.Header.Timestamp.Unix()),
	}
}

// checkEasiest refuses bits that no share has.
func checkEasiest(params *chainparams.Params, id chainhash.Hash, bits uint32, t *uint256.Uint256) error {
	if t.Gt(&params.EasiestTarget) {
		return ruleError(ErrUnexpectedBits, "share %v: bits %08x are easier than the network allows", id, bits)
	}
	return nil
}

// maxEase is how much easier than the tip a share beside the main chain may
// be to be kept. A branch that forks below the tip is given easier bits the
// longer ago that is, down to the easiest of all, at which a single ASIC finds
// thousands of valid shares a second. Such shares could never matter; honest
// branches, and those of a partition, are about as hard as the tip.
const maxEase = 16

// checkBranch refuses to keep worthless shares off the main chain. What can be
// an uncle is kept in any case.
func (c *Chain) checkBranch(n *node) error {
	if c.tip == nil || n.total.Gt(&c.tip.total) {
		return nil
	}
	if n.parent != nil && c.onMain(n.parent) && n.height+c.params.MaxUncleDepth > c.tip.height {
		return nil
	}
	work := *n.work()
	if work.MulUint64(maxEase); work.Lt(c.tip.work()) {
		return contextError(ErrLowWork, "share %v at height %d, off the main chain, is more than %d times easier than the tip", n.id, n.height, maxEase)
	}
	return nil
}

// checkPosition applies the rules that compare a share with its own chain: what
// it states of the chain, height, time, bits, uncles.
func (c *Chain) checkPosition(n *node, s *share.Share) error {
	if err := c.checkSums(n, s); err != nil {
		return err
	}
	if n.parent == nil {
		if bits := c.nextBits(nil); n.isFirst() && n.bits != bits {
			return unexpectedBits(n, bits)
		}
		return nil
	}
	if bits := c.nextBits(n.parent); n.bits != bits {
		return unexpectedBits(n, bits)
	}
	if n.height != n.parent.height+1 {
		return ruleError(ErrHeight, "share %v has height %d, its parent %d", n.id, n.height, n.parent.height)
	}
	if median, known := n.parent.medianTime(c.params.MedianTimeShares); known && n.time <= median {
		return ruleError(ErrTimeTooOld, "share %v has time %d, the median of the shares before it is %d", n.id, n.time, median)
	}
	for _, u := range n.uncles {
		if err := c.checkUncle(n, u); err != nil {
			return err
		}
	}
	return nil
}

func unexpectedBits(n *node, bits uint32) error {
	return ruleError(ErrUnexpectedBits, "share %v has bits %08x, its parent demands %08x", n.id, n.bits, bits)
}

// maxRootHeight bounds what a root may claim as height and count, so that neither
// overflows in what stands on it: 680 years of a share every 10 s.
const maxRootHeight = 1<<31 - 1

// checkSums compares what the share states of its chain with what is known of it:
// the anchor of the difficulty, the count of shares, the work.
func (c *Chain) checkSums(n *node, s *share.Share) error {
	if n.parent == nil && !n.isFirst() {
		if n.height > maxRootHeight {
			return ruleError(ErrHeight, "share %v is a root at height %d, at most %d is believed", n.id, n.height, uint32(maxRootHeight))
		}
		if n.count <= n.height || n.count > maxRootHeight {
			return ruleError(ErrShareCount, "share %v counts %d shares at height %d", n.id, n.count, n.height)
		}
		return nil // the rest shows in what stands on it
	}
	anchor, count, work := n.time, uint32(1), *n.work()
	if n.parent != nil {
		anchor, count = n.parent.anchor, n.parent.count+1+uint32(len(s.Data.Uncles))
		work.Add(&n.parent.claim)
	}
	for _, u := range n.uncles {
		work.Add(u.work())
	}
	switch {
	case n.anchor != anchor:
		return ruleError(ErrAnchor, "share %v states anchor %d, its chain has %d", n.id, n.anchor, anchor)
	case n.count != count:
		return ruleError(ErrShareCount, "share %v states a count of %d shares, its chain has %d", n.id, n.count, count)
	case n.claim.Lt(&work), n.claim.Gt(&work) && !n.partial:
		return ruleError(ErrTotalWork, "share %v states work %v, its chain has %v", n.id, n.claim, work)
	}
	return nil
}

// checkUncle applies the rules for one uncle u of the nephew n: u lies lower
// than n, its parent is an ancestor of n at most MaxUncleDepth generations up,
// u itself is none, and nobody on n's chain has included it.
func (c *Chain) checkUncle(n, u *node) error {
	if u.parent == nil || u.height >= n.height || n.height-u.parent.height > c.params.MaxUncleDepth {
		return ruleError(ErrUncleDepth, "share %v at height %d references uncle %v at height %d", n.id, n.height, u.id, u.height)
	}
	for a := range n.parent.ancestors() {
		if a == u {
			return ruleError(ErrUncleIsAncestor, "share %v references its own ancestor %v as uncle", n.id, u.id)
		}
		for _, included := range a.uncles {
			if included == u {
				return ruleError(ErrUncleTwice, "share %v references uncle %v, which %v has included", n.id, u.id, a.id)
			}
		}
		if a == u.parent {
			return nil
		}
		if a.height <= u.parent.height {
			break
		}
	}
	return ruleError(ErrUncleParent, "share %v references uncle %v, whose parent is not on its chain", n.id, u.id)
}

// nextBits returns the compact target that a child of parent must have.
func (c *Chain) nextBits(parent *node) uint32 {
	if parent == nil {
		return c.params.EasiestBits
	}
	// The anchor is the chain's first share, held to have been on time: its
	// parent would have stood one interval before it.
	since := int64(parent.time) - int64(parent.anchor) + c.asert.Spacing
	bits, err := c.asert.Next(c.params.EasiestBits, since, int64(parent.count)-1)
	if err != nil {
		return c.params.EasiestBits // New has checked that the anchor is a target
	}
	return bits
}

// checkClock holds back what lies ahead of the local clock.
func (c *Chain) checkClock(n *node, now time.Time) error {
	if at := time.Unix(int64(n.time), 0).Add(-c.params.MaxTimeAhead); now.Before(at) {
		return &UndecidedError{Kind: ErrTimeTooNew, RetryAt: at, Description: "the share's time lies ahead of the clock"}
	}
	if at := time.Unix(int64(n.headerTime), 0).Add(-maxBitcoinTimeAhead); now.Before(at) {
		return &UndecidedError{Kind: ErrHeaderTimeTooNew, RetryAt: at, Description: "the header's time lies too far ahead of the clock for Bitcoin"}
	}
	return nil
}

// checkPayouts rebuilds the coinbase from the window behind the parent and compares
// it with the one that the share was made with.
func (c *Chain) checkPayouts(n *node, s *share.Share) error {
	w, _ := c.windowBehind(n.parent, n.headerBits)
	result := w.AppendCompute(c.payouts, c.params, s.Data.CoinbaseValue, s.Data.Class, &s.Data.Previous)
	c.payouts = result.Payouts
	c.coinbase = s.Data.AppendCoinbasePrefix(c.coinbase[:0], result.Finder, result.Payouts)
	return s.CheckPayouts(c.coinbase)
}

// isBlock reports whether the share is a solution for Bitcoin.
func (c *Chain) isBlock(n *node, shareTarget uint256.Uint256) bool {
	bitcoinTarget, err := target.FromCompact(n.headerBits)
	if err != nil {
		return false
	}
	t := c.params.BlockTarget(bitcoinTarget, shareTarget)
	return target.HashMeets(&n.id, &t)
}
