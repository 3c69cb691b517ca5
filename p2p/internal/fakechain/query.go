package fakechain

import (
	"errors"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Tip implements netsync.Chain.
func (c *Chain) Tip() (id chainhash.Hash, height uint32, work uint256.Uint256) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.main) == 0 {
		return id, 0, work
	}
	tip := c.main[len(c.main)-1]
	work.SetUint64(tip.stated)
	return tip.id, tip.share.Data.Height, work
}

// Base implements netsync.Chain.
func (c *Chain) Base() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.main) == 0 {
		return 0
	}
	return c.main[0].share.Data.Height
}

// Joining is false: the chain needs no window.
func (c *Chain) Joining() bool { return false }

// Have implements netsync.Chain.
func (c *Chain) Have(id chainhash.Hash) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[id] != nil
}

// Weigh implements p2p.Chain. What Forge and Ease made is not dear.
func (c *Chain) Weigh(s *share.Share) (dear bool, err error) {
	if bind(s.Encode()) != s.Header.MerkleRoot {
		return false, share.RuleError{Kind: ErrForged, Description: "the share is forged"}
	}
	return s.Data.Bits == usualBits, nil
}

// Locator implements netsync.Chain.
func (c *Chain) Locator() []chainhash.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []chainhash.Hash
	for i, step := len(c.main)-1, 1; i > 0; i -= step {
		ids = append(ids, c.main[i].id)
		if len(ids) > 10 {
			step *= 2
		}
	}
	if len(c.main) > 0 {
		ids = append(ids, c.main[0].id)
	}
	return ids
}

// AfterLocator implements netsync.Chain.
func (c *Chain) AfterLocator(locator []chainhash.Hash, stop chainhash.Hash, limit int) []chainhash.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := 0
	for _, id := range locator {
		if n := c.nodes[id]; n != nil && c.at(n.share.Data.Height) == n {
			from = int(n.share.Data.Height-c.main[0].share.Data.Height) + 1
			break
		}
	}
	var ids []chainhash.Hash
	for _, n := range c.main[from:] {
		before := len(ids)
		for _, u := range n.share.Data.Uncles {
			if c.nodes[u] != nil { // else it was pruned
				ids = append(ids, u)
			}
		}
		if ids = append(ids, n.id); len(ids) > limit {
			return ids[:before]
		}
		if n.id == stop {
			break
		}
	}
	return ids
}

// Share implements netsync.Chain.
func (c *Chain) Share(id chainhash.Hash) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.nodes[id]; n != nil {
		return n.raw, nil
	}
	return nil, errors.New("no such share")
}

// Ancestors implements netsync.Chain.
func (c *Chain) Ancestors(id chainhash.Hash, generations int, stops []chainhash.Hash) []chainhash.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []chainhash.Hash
	n := c.nodes[id]
	for range generations {
		if n == nil {
			break
		}
		ids = append(ids, n.share.Data.Uncles...)
		id = n.share.Data.Previous
		if n = c.nodes[id]; n == nil || slices.Contains(stops, id) {
			break
		}
		ids = append(ids, id)
	}
	return ids
}
