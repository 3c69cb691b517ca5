package mining

import (
	"context"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// SolvedBlock is a Bitcoin block of the pool on its way to the Bitcoin node.
type SolvedBlock struct {
	Share  *share.Share
	Raw    RawBlock // with witnesses
	Worker string   // who found it; "" for a block of another node
	Own    bool     // found by a miner of this node
}

// Journal remembers blocks until their fate is known. Its methods are called
// concurrently.
type Journal interface {
	// Keep is called when a block's submission begins, whose end waits for it if the block
	// was found here: it returns when the block is safe, or soon. The submission waits
	// 200 ms at most.
	Keep(b *SolvedBlock)
	// Submitted is called with what the Node returned.
	Submitted(hash chainhash.Hash, err error)
}

// noJournal is the Journal of a Generator that is given none.
type noJournal struct{}

func (noJournal) Keep(*SolvedBlock)               {}
func (noJournal) Submitted(chainhash.Hash, error) {}

// keepTimeout is how long the submission waits for a Journal, at its beginning and at its
// end. Ours takes 100 ms at most; this is for one that hangs all the same.
const keepTimeout = 200 * time.Millisecond

// submitBlock keeps a block and hands it to the Bitcoin node, for as long as that takes
// within submitTimeout.
func (g *Generator) submitBlock(b *SolvedBlock) error {
	ctx, cancel := context.WithTimeout(g.submitCtx, submitTimeout)
	defer cancel()
	// Both take milliseconds, and side by side no longer than one.
	safe, noted, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	isSafe := sync.OnceFunc(func() { close(safe) })
	late := time.AfterFunc(keepTimeout, isSafe)
	defer late.Stop()
	go func() {
		defer close(noted)
		g.cfg.Journal.Keep(b)
		isSafe()
		g.cfg.Journal.Submitted(b.Share.ID(), <-result)
	}()
	var err error
	if b.Own {
		err = g.cfg.Node.SubmitBlock(ctx, b.Raw, safe)
	} else {
		err = g.cfg.Node.SubmitPeerBlock(ctx, b.Raw)
	}
	result <- err
	select {
	case <-noted: // also where nothing was sent
	case <-time.After(keepTimeout):
	}
	return err
}
