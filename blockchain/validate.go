package blockchain

import (
	"errors"
	"time"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// validate judges a share in the tiers of protocol.md section 5, cheapest
// first, and returns the index node it becomes. Every failure is a RuleError,
// an *UndecidedError or a ContextError; nothing in the chain changes.
func (c *Chain) validate(s *share.Share, now time.Time) (*node, error) {
	n := newNode(s)
	if c.nodes[n.id] != nil {
		return nil, contextError(ErrDuplicate, "share %v is known", n.id)
	}
	shareTarget, err := s.CheckSanity()
	if err != nil {
		return nil, err
	}
	if shareTarget.Gt(&c.params.EasiestTarget) {
		return nil, ruleError(ErrUnexpectedBits, "share %v: bits %08x are easier than the network allows", n.id, n.bits)
	}
	n.paid.Work = target.Work(&shareTarget)
	if err := c.link(n, s); err != nil {
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
	if err := c.checkBitcoin(n, s); err != nil {
		return nil, err
	}
	if err := c.checkPayouts(n, s); err != nil {
		return nil, err
	}
	n.block = c.isBlock(n, shareTarget)
	return n, nil
}

// newNode copies what the index keeps of a share.
func newNode(s *share.Share) *node {
	return &node{
		id: s.ID(), height: s.Data.Height, time: s.Data.Time, bits: s.Data.Bits,
		paid: payout.Entry{Height: s.Data.Height, Payee: s.Data.Payee}, coinbaseValue: s.Data.CoinbaseValue,
		prevBlock:  s.Header.PrevBlock,
		headerBits: s.Header.Bits, headerTime: uint32(s.Header.Timestamp.Unix()),
	}
}

// link finds parent and uncles and adds up count and work. Missing ones leave
// the share undecided.
func (c *Chain) link(n *node, s *share.Share) error {
	n.count = 1
	n.total = *n.work()
	if s.Data.IsFirst() {
		if s.Data.Height != 0 || len(s.Data.Uncles) != 0 {
			return ruleError(ErrFirstShare, "share %v has no parent, but height %d and %d uncles", n.id, s.Data.Height, len(s.Data.Uncles))
		}
		return nil
	}
	if n.parent = c.nodes[s.Data.Previous]; n.parent == nil {
		return &UndecidedError{
			Kind: ErrMissingParent, MissingShares: append(c.missing(s.Data.Uncles), s.Data.Previous),
			Description: "the parent " + s.Data.Previous.String() + " is unknown",
		}
	}
	if missing := c.missing(s.Data.Uncles); len(missing) > 0 {
		return &UndecidedError{
			Kind: ErrMissingUncle, MissingShares: missing,
			Description: "the uncle " + missing[0].String() + " is unknown",
		}
	}
	n.count += n.parent.count
	n.total.Add(&n.parent.total)
	for i := range s.Data.Uncles {
		u := c.nodes[s.Data.Uncles[i]]
		n.uncles = append(n.uncles, u)
		n.count++
		n.total.Add(u.work())
		n.paid.Uncles = append(n.paid.Uncles, payout.Uncle{Work: *u.work(), Payee: u.payee()})
	}
	return nil
}

// maxEase bounds how much easier than the tip a share beside the main chain may
// be to be kept. A branch that forks below the tip is given easier bits the
// longer ago that is, down to the easiest of all, at which a single ASIC finds
// thousands of valid shares a second. Such shares could never matter; honest
// branches, and those of a partition, are about as hard as the tip.
const maxEase = 16

// checkBranch refuses to keep worthless shares off the main chain. What lies
// near the tip may be an uncle and is kept in any case.
func (c *Chain) checkBranch(n *node) error {
	if c.tip == nil || n.total.Gt(&c.tip.total) || n.height+c.params.MaxUncleDepth > c.tip.height {
		return nil
	}
	work := *n.work()
	if work.MulUint64(maxEase); work.Lt(c.tip.work()) {
		return contextError(ErrLowWork, "share %v at height %d, off the main chain, is more than %d times easier than the tip", n.id, n.height, maxEase)
	}
	return nil
}

// checkPosition applies the rules that compare a share with its own chain:
// height, time, bits, uncles.
func (c *Chain) checkPosition(n *node, s *share.Share) error {
	if bits := c.nextBits(n.parent); n.bits != bits {
		return ruleError(ErrUnexpectedBits, "share %v has bits %08x, its parent demands %08x", n.id, n.bits, bits)
	}
	if n.parent == nil {
		return nil
	}
	if n.height != n.parent.height+1 {
		return ruleError(ErrHeight, "share %v has height %d, its parent %d", n.id, n.height, n.parent.height)
	}
	if median := n.parent.medianTime(c.params.MedianTimeShares); n.time <= median {
		return ruleError(ErrTimeTooOld, "share %v has time %d, the median of the shares before it is %d", n.id, n.time, median)
	}
	for _, u := range n.uncles {
		if err := c.checkUncle(n, u); err != nil {
			return err
		}
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
	first := c.first(parent)
	since := int64(parent.time) - int64(first.time) + c.asert.Spacing
	bits, err := c.asert.Next(c.params.EasiestBits, since, parent.count-first.count)
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

// checkBitcoin ties the share to Bitcoin as our own node sees it. The verdict is
// a function of the share's chain and of the headers below it, so that all nodes
// come to the same whenever they look.
func (c *Chain) checkBitcoin(n *node, s *share.Share) error {
	newest, err := c.newestBitcoin(n.parent)
	if err != nil {
		return err
	}
	// Along a chain nobody goes back: a share's Bitcoin block is at most one
	// lower than the newest below it, and not that one's parent. Whatever block
	// a share with a lower height builds on, it breaks this rule or the next, so
	// it is not worth asking the Bitcoin node for it.
	if newest != nil && int64(s.Data.BitcoinHeight)-1 < int64(newest.height)-1 {
		return backwards(n, s, newest)
	}
	x := c.bitcoin.blocks[s.Header.PrevBlock]
	if x == nil {
		return missingBlock(s.Header.PrevBlock)
	}
	n.bitcoin = x
	if s.Data.BitcoinHeight != uint32(x.height+1) {
		return ruleError(ErrBitcoinHeight, "share %v claims Bitcoin height %d on a block of height %d", n.id, s.Data.BitcoinHeight, x.height)
	}
	if newest != nil && x == newest.parent {
		return backwards(n, s, newest)
	}
	if err := c.bitcoin.checkHeader(&s.Header, x); errors.Is(err, errNeedsOlder) {
		return missingBlock(oldest(x).prev)
	} else if err != nil {
		return ruleError(ErrBitcoinHeader, "share %v: %v", n.id, err)
	}
	drift := int64(c.params.MaxBitcoinTimeDrift / time.Second)
	if int64(n.time) < int64(x.time)-drift {
		return ruleError(ErrTimeBeforeBitcoin, "share %v has time %d, its Bitcoin block %d", n.id, n.time, x.time)
	}
	return nil
}

func backwards(n *node, s *share.Share, newest *bitcoinBlock) error {
	return ruleError(ErrBitcoinBackwards, "share %v would be Bitcoin block %d, but a share below it builds on block %v of height %d",
		n.id, s.Data.BitcoinHeight, newest.hash, newest.height)
}

// bitcoinLookBack is how many shares below a new one the search for the newest
// Bitcoin block covers. The block can only have been newer a few shares ago, on
// a branch that lost: going back one block takes a share.
const bitcoinLookBack = 16

// newestBitcoin returns the highest Bitcoin block that the last shares of a chain
// build on, nil for no shares. Blocks that a restored share builds on and that
// are not known have to be asked for.
func (c *Chain) newestBitcoin(n *node) (*bitcoinBlock, error) {
	var newest *bitcoinBlock
	looked := 0
	for a := range n.ancestors() {
		if looked++; looked > bitcoinLookBack {
			break
		}
		x := c.bitcoinOf(a)
		if x == nil {
			return nil, missingBlock(a.prevBlock)
		}
		if newest == nil || x.height > newest.height {
			newest = x
		}
	}
	return newest, nil
}

// bitcoinOf returns the Bitcoin block that an accepted share builds on, or nil if
// the share was restored and our Bitcoin node has not told of the block.
func (c *Chain) bitcoinOf(n *node) *bitcoinBlock {
	if n.bitcoin == nil {
		n.bitcoin = c.bitcoin.blocks[n.prevBlock]
	}
	return n.bitcoin
}

// checkPayouts rebuilds the coinbase from the window behind the parent and
// compares the merkle root it leads to.
func (c *Chain) checkPayouts(n *node, s *share.Share) error {
	w := c.windowBehind(n.parent, n.headerBits)
	result := w.AppendCompute(c.payouts, c.params, s.Data.CoinbaseValue, s.Data.Class, &s.Data.Previous)
	c.payouts = result.Payouts
	c.coinbase = s.AppendCoinbase(c.coinbase[:0], &c.params.ChainID, result.Finder, result.Payouts)
	return s.CheckCoinbase(c.coinbase)
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
