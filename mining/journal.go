package mining

import (
	"context"

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
	// Keep is called when a block's submission begins, whose end waits for it: it
	// returns when the block is safe, or soon.
	Keep(b *SolvedBlock)
	// Submitted is called with what Node.SubmitBlock returned.
	Submitted(hash chainhash.Hash, err error)
}

// noJournal is the Journal of a Generator that is given none.
type noJournal struct{}

func (noJournal) Keep(*SolvedBlock)               {}
func (noJournal) Submitted(chainhash.Hash, error) {}

// submitBlock keeps a block and hands it to the Bitcoin node, for as long as that takes
// within submitTimeout.
func (g *Generator) submitBlock(b *SolvedBlock) error {
	ctx, cancel := context.WithTimeout(g.submitCtx, submitTimeout)
	defer cancel()
	// Both take milliseconds, and side by side no longer than one.
	safe := make(chan struct{})
	go func() {
		defer close(safe)
		g.cfg.Journal.Keep(b)
	}()
	err := g.cfg.Node.SubmitBlock(ctx, b.Raw, safe)
	<-safe // also where nothing was sent
	g.cfg.Journal.Submitted(b.Share.ID(), err)
	return err
}
