package bitcoindtest

import (
	"context"
	"fmt"
)

// maxSaved bounds the blocks that a stopped btcd gives back at its restart.
const maxSaved = 10_000

// saveChain keeps the blocks of the best chain for [Node.restoreChain]. Bitcoin Core
// keeps its own; btcd begins every run on regtest with an empty chain.
func (n *Node) saveChain(ctx context.Context) error {
	if n.prog.core {
		return nil
	}
	blocks, err := n.bestChain(ctx)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.saved = blocks
	return nil
}

// bestChain returns the blocks of the best chain in hex, the first one excepted.
func (n *Node) bestChain(ctx context.Context) ([]string, error) {
	height, err := n.Height(ctx)
	if err != nil {
		return nil, err
	}
	if height > maxSaved {
		return nil, fmt.Errorf("%d blocks, more than the %d kept over a restart", height, maxSaved)
	}
	blocks := make([]string, height)
	for i := range blocks {
		var hash string
		if err := n.Call(ctx, &hash, "getblockhash", i+1); err != nil {
			return nil, err
		}
		if err := n.Call(ctx, &blocks[i], "getblock", hash, 0); err != nil {
			return nil, err
		}
	}
	return blocks, nil
}

// CopyChain gives another node, which has no block yet, this one's best chain.
func (n *Node) CopyChain(ctx context.Context, to *Node) error {
	blocks, err := n.bestChain(ctx)
	if err != nil {
		return err
	}
	return to.submitAll(ctx, blocks)
}

// restoreChain gives the node back the blocks that it had when it was stopped.
func (n *Node) restoreChain(ctx context.Context) error {
	n.mu.Lock()
	blocks := n.saved
	n.saved = nil
	n.mu.Unlock()
	return n.submitAll(ctx, blocks)
}

func (n *Node) submitAll(ctx context.Context, blocks []string) error {
	for i, block := range blocks {
		var reason *string
		if err := n.Call(ctx, &reason, "submitblock", block); err != nil {
			return err
		}
		if reason != nil {
			return fmt.Errorf("block %d given back: %s", i+1, *reason)
		}
	}
	return nil
}
