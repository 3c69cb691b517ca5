package stratum

import (
	"context"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/p2poold/p2poold/blockchain"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
)

// Work is what jobs are made of: one Bitcoin template joined to one share tip.
// It is immutable; *mining.Work implements it.
type Work interface {
	// PrevBlock is the Bitcoin block that all of its jobs build on.
	PrevBlock() chainhash.Hash
	// Job returns the job that pays payee, an output script, with a coinbase of
	// at most the class. It is called once for each pair and from any goroutine.
	Job(payee []byte, class share.Class) (*mining.Job, error)
	// Tip returns the share tip that the jobs build on.
	Tip() *blockchain.Tip
}

// Source gives the server its work and takes the solutions. All methods are
// called from many goroutines at once. FromGenerator makes one.
type Source interface {
	// Work returns the newest work, nil while there is none.
	Work() Work
	// Reason says in one sentence why Work returns nil.
	Reason() string
	// Watch calls changed at the beginning and soon after each change of Work or
	// Reason, from one goroutine, and returns when ctx is done.
	Watch(ctx context.Context, changed func())
	// Submit judges a solution whose header meets the job's share, block or aux
	// target. The outcome says whether it became a share and whether it was a
	// block, either of which is credited to the miner; it is valid in any case.
	// The error is the verdict on the share, in package blockchain's three values.
	// Submit MUST not wait for anything if the aux target is all that is met.
	Submit(ctx context.Context, job *mining.Job, solution mining.Solution) (mining.Outcome, error)
}

// FromGenerator makes a Source of the node's generator.
func FromGenerator(g *mining.Generator) Source { return generatorSource{g} }

type generatorSource struct{ g *mining.Generator }

func (s generatorSource) Work() Work {
	if w := s.g.Work(); w != nil {
		return w
	}
	return nil // not a Work that holds a nil pointer
}

func (s generatorSource) Reason() string { return s.g.Reason() }

func (s generatorSource) Watch(ctx context.Context, changed func()) {
	updates, cancel := s.g.Subscribe()
	defer cancel()
	changed() // for what happened before the subscription
	for {
		select {
		case <-ctx.Done():
			return
		case <-updates:
			changed()
		}
	}
}

func (s generatorSource) Submit(ctx context.Context, job *mining.Job, solution mining.Solution) (mining.Outcome, error) {
	return s.g.Submit(ctx, job, solution)
}
