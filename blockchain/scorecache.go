package blockchain

import (
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/payout"
)

// maxCachedScores is how many windows' scores are kept: the tip's, its parent's
// and those of a few siblings, on which all new shares build.
const maxCachedScores = 8

// scoreCache keeps the scores of the windows used last, newest last.
type scoreCache struct {
	entries []cachedScores
}

type cachedScores struct {
	parent chainhash.Hash
	bits   uint32
	scores []payout.Score
}

func (c *scoreCache) get(parent chainhash.Hash, bits uint32) ([]payout.Score, bool) {
	for i, e := range c.entries {
		if e.parent == parent && e.bits == bits {
			c.entries = append(slices.Delete(c.entries, i, i+1), e)
			return e.scores, true
		}
	}
	return nil, false
}

func (c *scoreCache) put(parent chainhash.Hash, bits uint32, scores []payout.Score) {
	if len(c.entries) >= maxCachedScores {
		c.entries = slices.Delete(c.entries, 0, 1)
	}
	c.entries = append(c.entries, cachedScores{parent, bits, scores})
}
