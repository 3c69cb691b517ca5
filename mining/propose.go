package mining

import (
	"context"
	"errors"
	"time"

	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// ErrBlockRefused is wrapped by what a Proposer says of a block that would be
// invalid.
var ErrBlockRefused = errors.New("the Bitcoin node calls the block invalid")

// Proposer is a Node that can say beforehand whether a block would be valid (BIP 23).
type Proposer interface {
	// ProposeBlock returns nil if a serialized block is valid on the node's best block
	// but for its proof of work, an error that wraps ErrBlockRefused if it is not, and
	// any other error if that can't be told: the node may have another best block now.
	ProposeBlock(ctx context.Context, block []byte) error
}

// proposeTimeout bounds one proposal. Checking a full block takes a node half a second;
// after half a minute there is another template.
const proposeTimeout = 30 * time.Second

// errRefusedTemplate is why there is no work on a template without transactions that
// the node refuses all the same: the fault is with what we add.
func errRefusedTemplate(err error) error {
	return errors.New("the Bitcoin node refuses blocks that are made of its own template: " + err.Error())
}

// propose has the node look at the first block of each template while miners already
// work on it: a mistake in the template, or in what is made of it, would be found
// with the block otherwise. One proposal is under way at a time; the newest template
// that came meanwhile is next. The caller holds the lock.
func (g *Generator) propose(w *Work) {
	node, ok := g.cfg.Node.(Proposer)
	if !ok || g.proposing || w.template.Empty || g.proposed == w.template {
		return // the node may not know the block below an empty one yet
	}
	g.proposing, g.proposed = true, w.template
	sample := proposalSamples[g.proposals%len(proposalSamples)]
	g.proposals++
	g.submitting.Go(func() {
		ctx, cancel := context.WithTimeout(g.submitCtx, proposeTimeout)
		defer cancel()
		err := proposeJob(ctx, node, w, &sample)
		g.mu.Lock()
		g.proposing = false
		refused := errors.Is(err, ErrBlockRefused) && g.template == w.template
		if refused {
			g.refuse(w.template, err)
		} else if g.work != nil && ctx.Err() == nil {
			g.propose(g.work)
		}
		g.mu.Unlock()
		switch {
		case refused:
			g.rebuild()
		case err != nil:
			g.cfg.Log.Debugf("Template for block %d not proposed: %v", w.template.Height, err)
		}
	})
}

// proposalSample is which of a work's many blocks is proposed.
type proposalSample struct {
	class share.Class
	payee []byte // of a key that nobody has
}

// proposalSamples take turns, two for each payee that is the worst in a way: P2TR's
// script is the longest, P2PKH's has most signature operations. The largest class has
// the template give up most transactions.
var proposalSamples = func() []proposalSample {
	p2tr := append([]byte{txscript.OP_1, 32}, make([]byte, 32)...)
	p2pkh := append([]byte{txscript.OP_DUP, txscript.OP_HASH160, 20}, make([]byte, 20)...)
	p2pkh = append(p2pkh, txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
	return []proposalSample{
		{share.Class144, p2tr}, {share.Class1152, p2pkh}, {share.Class144, p2pkh}, {share.Class1152, p2tr},
	}
}()

// proposeJob proposes the block of a job.
func proposeJob(ctx context.Context, node Proposer, w *Work, sample *proposalSample) error {
	j, err := w.Job(sample.payee, sample.class)
	if err != nil {
		return err
	}
	return node.ProposeBlock(ctx, j.block(Solution{Version: j.Version, Time: j.Time}).Bytes())
}

// refuse puts a template without transactions in the place of one that the node
// refuses, or if it had none says why there is no work. The caller holds the lock.
func (g *Generator) refuse(t *Template, err error) {
	g.cfg.Log.Errorf("The Bitcoin node refuses a block made of its template for height %d: %v", t.Height, err)
	if len(t.Txs) == 0 {
		g.refused = errRefusedTemplate(err)
		return
	}
	without := *t
	without.Txs, without.CoinbaseValue = nil, t.Subsidy()
	g.template = &without
}

// ProposePeerBlock has our Bitcoin node judge the block that a peer's share would be,
// see Proposer. It cannot be told if the node makes no proposals.
func (g *Generator) ProposePeerBlock(ctx context.Context, s *share.Share, coinbase []byte, txs [][]byte) error {
	node, ok := g.cfg.Node.(Proposer)
	if !ok {
		return errors.New("the Bitcoin node judges no blocks beforehand")
	}
	return node.ProposeBlock(ctx, assemble(&s.Header, coinbase, len(s.Data.WitnessCommitment) > 0, txs).Bytes())
}
