package blockchain

import (
	"errors"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// checkBitcoin ties the share to Bitcoin as our own node sees it. The verdict is
// a function of the share's chain and of the headers below it, so that all nodes
// come to the same whenever they look.
func (c *Chain) checkBitcoin(n *node, s *share.Share, now time.Time) error {
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
		if c.passesOver(s.Header.PrevBlock, s, now) {
			return nil
		}
		return missingBlock(s.Header.PrevBlock)
	}
	n.bitcoin = x
	if c.bitcoin.invalid[x.hash] {
		return ruleError(ErrBitcoinInvalid, "share %v builds on Bitcoin block %v, which is invalid", n.id, x.hash)
	}
	if s.Data.BitcoinHeight != uint32(x.height+1) {
		return ruleError(ErrBitcoinHeight, "share %v claims Bitcoin height %d on a block of height %d", n.id, s.Data.BitcoinHeight, x.height)
	}
	if newest != nil && x == newest.parent {
		return backwards(n, s, newest)
	}
	if err := c.bitcoin.checkHeader(&s.Header, x); errors.Is(err, errNeedsOlder) {
		if older := oldest(x).prev; !c.bitcoin.absent[older] {
			return missingBlock(older)
		}
		return &UndecidedError{Kind: ErrMissingBitcoinBlock, RetryAt: now.Add(olderRetry), Description: "our Bitcoin node does not have the older headers that a rule needs"}
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

// staleBlockAge is the age from which a share is accepted though our Bitcoin node
// does not have the block it builds on: a block that went stale before the node
// could see it, as every few weeks one does, must not keep a newcomer out for
// good. Whoever mines on a made-up block that long earns nothing until then, and
// has to have mined more than all the others.
const staleBlockAge = 2 * time.Hour

// olderRetry is the pause before a Bitcoin node that lacks headers it must have is
// asked again.
const olderRetry = time.Minute

// passesOver reports whether a share can be judged without the Bitcoin block, one
// that it or a share below it builds on: our node was asked for it and does not
// have it, and the share itself, if it is its block, is old.
func (c *Chain) passesOver(block chainhash.Hash, s *share.Share, now time.Time) bool {
	old := time.Unix(int64(s.Data.Time), 0).Add(staleBlockAge).Before(now)
	return c.bitcoin.absent[block] && (old || block != s.Header.PrevBlock)
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
		if x == nil && c.bitcoin.absent[a.prevBlock] {
			continue // passed over when a was accepted
		}
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
