package blockchain

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// Restore adds a stored share without judging it again: it was valid when it was
// stored, and the store vouches for its body being that of its ID. Form, proof of
// work, links, bits and sums are checked nevertheless, so that a damaged store is
// noticed. Shares come in ascending order of height, and root says that the share
// was stored without its parent, whether it came so or the parent was pruned. The
// error is a ContextError of kind ErrCorrupt.
//
// Restored is called after the last.
func (c *Chain) Restore(s *share.Share, root bool) error {
	n, err := c.restorable(s, root)
	if err != nil {
		return err
	}
	c.insert(n)
	return nil
}

// RestoreChecked is Restore for a store that is to be verified: where the payout
// window is known, coinbase and payouts are checked too. It reports whether that
// was so. The tie to Bitcoin is not checked.
func (c *Chain) RestoreChecked(s *share.Share, root bool) (whole bool, err error) {
	n, err := c.restorable(s, root)
	if err != nil {
		return false, err
	}
	if _, err := s.CheckSanity(&c.params.ChainID); err != nil {
		return false, corrupt(n, "is damaged", err)
	}
	c.trusting = true
	assumed, err := c.assumed(n, nil, true)
	if err == nil && !assumed {
		err = c.checkPayouts(n, s)
	}
	if err != nil {
		return false, corrupt(n, "has another coinbase than its window demands", err)
	}
	c.insert(n)
	return !assumed, nil
}

// restorable makes the node of a stored share.
func (c *Chain) restorable(s *share.Share, root bool) (*node, error) {
	n := newNode(s)
	t, err := s.CheckWork()
	if err != nil {
		return nil, corrupt(n, "is damaged", err)
	}
	n.paid.Work = target.Work(&t)
	if c.nodes[n.id] != nil {
		return nil, corrupt(n, "is there twice", nil)
	}
	if err := c.link(n, s, root); err != nil {
		return nil, corrupt(n, "does not connect", err)
	}
	if err := c.checkPosition(n, s); err != nil {
		return nil, corrupt(n, "does not fit its chain", err)
	}
	n.block = c.isBlock(n, t)
	return n, nil
}

func corrupt(n *node, what string, err error) error {
	return ContextError{Kind: ErrCorrupt, Description: fmt.Sprintf("stored share %v at height %d %s", n.id, n.height, what), Err: err}
}

// Restored ends a restoration with the tip and the base that were stored, and moves
// on to a chain with more work if there is one that may be preferred.
func (c *Chain) Restored(tip chainhash.Hash, base uint32) error {
	c.base = base
	n := c.nodes[tip]
	if n == nil {
		if tip == (chainhash.Hash{}) && len(c.nodes) == 0 {
			return nil
		}
		return ContextError{Kind: ErrCorrupt, Description: fmt.Sprintf("the stored tip %v is missing", tip)}
	}
	c.setTip(n)
	c.preferRestored()
	c.prune()
	// Trust goes on where the shares below the tip had to be trusted.
	before := c.tip
	for range 2 * c.params.MaxUncleDepth {
		if before.parent != nil {
			before = before.parent
		}
	}
	_, whole := c.windowBehind(before, c.tip.headerBits)
	c.trusting = !whole
	return nil
}

// preferRestored moves the tip to the share with the most work of those that may be
// preferred to it.
func (c *Chain) preferRestored() {
	var heavier []*node
	for _, n := range c.nodes {
		if n.total.Gt(&c.tip.total) {
			heavier = append(heavier, n)
		}
	}
	slices.SortFunc(heavier, func(a, b *node) int {
		return cmp.Or(b.total.Cmp(&a.total), bytes.Compare(a.id[:], b.id[:]))
	})
	for _, n := range heavier {
		if c.prefers(n, new(Update)) {
			c.setTip(n)
			return
		}
	}
}

// Best returns the share whose chain has the most work of all that were restored,
// the zero hash if there is none: the tip of a store whose own tip is lost.
func (c *Chain) Best() chainhash.Hash {
	var best *node
	for _, n := range c.nodes {
		if best == nil || n.total.Gt(&best.total) || n.total.Eq(&best.total) && bytes.Compare(n.id[:], best.id[:]) < 0 {
			best = n
		}
	}
	if best == nil {
		return chainhash.Hash{}
	}
	return best.id
}
