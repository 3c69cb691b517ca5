package mining

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

const (
	// submitTimeout bounds the submission of a block, with all its repetitions: a
	// node that restarts may take minutes, and after ten another block has most
	// likely been found.
	submitTimeout = 10 * time.Minute
	// blockHeadStart is how long the share of a block waits for the node's answer
	// to the block before it is accepted and relayed. The block comes first; but
	// a node that hangs must not cost the share.
	blockHeadStart = 250 * time.Millisecond
)

// Solution is what a device found for a Job.
type Solution struct {
	Extranonce [share.ExtranonceSize]byte
	Version    int32  // of the header, rolled bits included
	Time       uint32 // of the header, Unix seconds
	Nonce      uint32
	Worker     string // name for the log
}

// Outcome says what a solution was.
type Outcome struct {
	Hash  chainhash.Hash
	Block bool // it met Bitcoin's target and went to the node
	Share bool // it met the share target and is on the sharechain
}

// Found is a solution on its way: a block goes to the Bitcoin node at the same time,
// a share to the chain right afterwards. Whoever is told must not wait.
type Found struct {
	Share    *share.Share // which a block that misses the share target is not
	Coinbase []byte       // without witness
	Template *Template    // whose transactions the block has
	Block    bool
}

// Submit takes a solution that meets the job's share, block or aux target. A Bitcoin
// block goes to the node before anything else is done; its fate does not depend
// on ctx, nor on what becomes of the share. The error is the verdict on the
// share, nil if it was accepted or if the solution was none.
func (g *Generator) Submit(_ context.Context, j *Job, s Solution) (Outcome, error) {
	sh := j.share(s)
	out := Outcome{Hash: sh.ID()}
	isShare := target.HashMeets(&out.Hash, &j.ShareTarget)
	found := &Found{Share: sh, Coinbase: j.coinbase(s.Extranonce), Template: j.template}
	wait := func() {}
	if found.Block = target.HashMeets(&out.Hash, &j.BlockTarget); found.Block {
		out.Block = true
		wait = g.startSubmit(&SolvedBlock{Share: sh, Raw: j.block(s), Worker: s.Worker, Own: true})
	}
	if isShare {
		g.cfg.Found(found)
	}
	j.solveAux(found, &out.Hash, s.Worker)
	wait()
	if !isShare {
		return out, nil
	}
	err := g.cfg.Chain.Accept(sh)
	if err != nil && !errors.Is(err, blockchain.ErrDuplicate) {
		if _, invalid := errors.AsType[blockchain.RuleError](err); invalid {
			g.cfg.Log.Errorf("Own share %v was refused, this should not happen: %v", out.Hash, err)
		}
		return out, err
	}
	out.Share = true
	g.cfg.Log.Debugf("Share %v at height %d by %s", out.Hash, j.ShareHeight, s.Worker)
	return out, nil
}

// WorkerName returns a worker's name for the log. User names may be empty, or an
// address alone.
func WorkerName(worker string) string {
	return cmp.Or(worker, "a miner without a name")
}

// startSubmit sends a block on its way. The function it returns waits for the
// answer, but no longer than the head start.
func (g *Generator) startSubmit(b *SolvedBlock) (wait func()) {
	hash, height := b.Share.ID(), b.Share.Data.BitcoinHeight
	answered := make(chan struct{})
	g.submitting.Go(func() {
		defer close(answered)
		if err := g.submitBlock(b); err != nil {
			g.cfg.Log.Errorf("Bitcoin block %v at height %d, found by %s, was not accepted: %v", hash, height, WorkerName(b.Worker), err)
			return
		}
		g.cfg.Log.Infof("BITCOIN BLOCK %v at height %d found by %s", hash, height, WorkerName(b.Worker))
	})
	return func() {
		select {
		case <-answered:
		case <-time.After(blockHeadStart):
		}
	}
}
