package blockchain

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// Restore adds a stored share without judging it again: it was valid when it was
// stored. Form, proof of work, links, bits and sums are checked nevertheless, so
// that a damaged store is noticed. Shares come in ascending order of height, and
// root says that the share was stored without its parent, whether it came so or
// the parent was pruned. The error is a ContextError of kind ErrCorrupt.
//
// Restored is called after the last.
func (c *Chain) Restore(s *share.Share, root bool) error {
	_, err := c.restore(s, root)
	return err
}

// RestoreChecked is Restore for a store that is to be verified: where the payout
// window is known, coinbase and payouts are checked too. It reports whether that
// was so. The tie to Bitcoin is not checked.
func (c *Chain) RestoreChecked(s *share.Share, root bool) (whole bool, err error) {
	n, err := c.restore(s, root)
	if err != nil || c.assumed(n) {
		return false, err
	}
	if err := c.checkPayouts(n, s); err != nil {
		return false, corrupt(n, "has another coinbase than the window demands", err)
	}
	return true, nil
}

func (c *Chain) restore(s *share.Share, root bool) (*node, error) {
	n := newNode(s)
	t, err := s.CheckSanity()
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
	c.insert(n)
	return n, nil
}

func corrupt(n *node, what string, err error) error {
	return ContextError{Kind: ErrCorrupt, Description: fmt.Sprintf("stored share %v at height %d %s", n.id, n.height, what), Err: err}
}

// Restored ends a restoration with the tip and the base that were stored. It
// verifies that no restored chain should have been preferred to the tip's.
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
	for _, other := range c.nodes {
		// A branch with more work may have been refused for its depth.
		if other.root == n.root && other.total.Gt(&n.total) && len(c.main)-c.fork(other) <= int(c.params.MaxReorgShares) {
			return ContextError{Kind: ErrCorrupt, Err: errors.New("the store has lost a change of the tip"),
				Description: fmt.Sprintf("stored share %v at height %d has more work than the stored tip %v", other.id, other.height, tip)}
		}
	}
	c.prune()
	return nil
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
