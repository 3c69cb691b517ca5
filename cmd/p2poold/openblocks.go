package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/compact"
)

const (
	// openInterval is how often it is looked which blocks peers are to be told of. New ones
	// leave at once, this is for those that are settled.
	openInterval = time.Second
	// openRetry is the pause after a block that couldn't be read.
	openRetry = time.Minute
)

// lingerFor is how long a start that has failed leaves peers to get a block: two attempts to
// connect, and 4 MB over a slow link.
const lingerFor = 30 * time.Second

// linger gives peers time to get the blocks that an earlier run has left, before an error
// ends the program: who knows when it runs again.
func (n *node) linger(ctx context.Context) {
	if len(n.solutions.Open(1)) == 0 {
		return
	}
	n.logs.logger(subsysMain).Errorf("The start has failed; for %v peers can still get found blocks that are not submitted yet", lingerFor)
	ticker := time.NewTicker(openInterval)
	defer ticker.Stop()
	for end := time.Now().Add(lingerFor); len(n.solutions.Open(1)) > 0 && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// openBlocks keeps the peers' list of open blocks.
type openBlocks struct {
	n      *node
	failed map[shareID]time.Time // of those that are open: when one could not be read
}

// runOpenBlocks has peers told of the blocks found here that no Bitcoin node of ours is known
// to have, those of earlier runs included.
func (n *node) runOpenBlocks(ctx context.Context) error {
	o := openBlocks{n: n, failed: make(map[shareID]time.Time)}
	ticker := time.NewTicker(openInterval)
	defer ticker.Stop()
	for {
		o.update(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// update settles what isn't open any more, and adds what is.
func (o *openBlocks) update(ctx context.Context) {
	open, known := o.n.solutions.Open(p2p.MaxOpenBlocks), o.n.peers.OpenBlocks()
	maps.DeleteFunc(o.failed, func(id shareID, _ time.Time) bool { return !slices.Contains(open, id) })
	for _, id := range known {
		if !slices.Contains(open, id) {
			o.n.peers.BlockSettled(id)
		}
	}
	for _, id := range slices.Backward(open) { // the newest last, as it is found last
		if slices.Contains(known, id) || time.Since(o.failed[id]) < openRetry {
			continue
		}
		block, err := o.load(ctx, id)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			o.failed[id] = time.Now()
			o.n.logs.logger(subsysPeer).Warnf("Peers are not told of block %v: %v", id, err)
			continue
		}
		o.n.peers.FoundBlock(block)
	}
}

// load reads a block. A disk that hangs must not keep the program from its end.
func (o *openBlocks) load(ctx context.Context, id shareID) (*compact.Block, error) {
	type result struct {
		block *compact.Block
		err   error
	}
	done := make(chan result, 1)
	go func() {
		b, err := o.n.solutions.Block(id)
		if err != nil {
			done <- result{err: err}
			return
		}
		block, err := compactBlock(b)
		if err == nil {
			_, err = b.Share.CheckSanity(&o.n.cfg.params.ChainID)
		}
		done <- result{block, err}
	}()
	select {
	case r := <-done:
		return r.block, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// compactBlock translates a block for package p2p, and checks that it is its share's: peers
// would blame us otherwise.
func compactBlock(b *mining.SolvedBlock) (*compact.Block, error) {
	var msg wire.MsgBlock
	if err := msg.Deserialize(bytes.NewReader(b.Raw.Bytes())); err != nil {
		return nil, err
	}
	if len(msg.Transactions) == 0 {
		return nil, fmt.Errorf("block %v has no transaction", b.Share.ID())
	}
	var coinbase bytes.Buffer
	if err := msg.Transactions[0].SerializeNoWitness(&coinbase); err != nil {
		return nil, err
	}
	block := &compact.Block{Share: b.Share, Coinbase: coinbase.Bytes()}
	for _, tx := range msg.Transactions[1:] {
		var raw bytes.Buffer
		raw.Grow(tx.SerializeSize()) // each by itself, see txLists
		if err := tx.Serialize(&raw); err != nil {
			return nil, err
		}
		parsed, err := compact.ParseTx(raw.Bytes())
		if err != nil {
			return nil, err
		}
		block.Txs = append(block.Txs, parsed)
	}
	return block, block.Check()
}
