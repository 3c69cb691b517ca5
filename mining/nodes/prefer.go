package nodes

import (
	"context"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
)

// maxPreferred is how many blocks are remembered: no more than a few are ever found on
// one height, and others' blocks come between.
const maxPreferred = 16

// preferred knows the first block of the pool on each Bitcoin block. That one is preferred
// to blocks of others, but a later one is not preferred to it: the network may have the
// first already, and the pool would compete with itself. Safe for concurrent use.
type preferred struct {
	mu     sync.Mutex
	blocks []siblings // the oldest first
}

// siblings are blocks on one parent, of which the first counts.
type siblings struct{ parent, first chainhash.Hash }

// isFirst notes that a node has taken a block, and reports whether it was the first on
// its parent.
func (p *preferred) isFirst(block mining.RawBlock) bool {
	if len(block) == 0 || len(block[0]) < wire.MaxBlockHeaderPayload {
		return false
	}
	parent, hash := chainhash.Hash(block[0][4:36]), headerHash(block)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.blocks {
		if b.parent == parent {
			return b.first == hash
		}
	}
	if len(p.blocks) >= maxPreferred {
		p.blocks = p.blocks[1:]
	}
	p.blocks = append(p.blocks, siblings{parent, hash})
	return true
}

// prefer makes the node prefer the block to another of the same height.
func (p *Pool) prefer(ctx context.Context, client *bitcoind.Client, hash chainhash.Hash) {
	ctx, cancel := context.WithTimeout(ctx, preciousTimeout)
	defer cancel()
	if err := client.Precious(ctx, hash); err != nil {
		p.log.Debugf("Block %v not made precious at %s: %v", hash, client.Addr(), err)
	}
}
