package nodes

import (
	"context"
	"errors"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/bitcoinp2p"
)

const (
	// othersTimeout bounds the submission to the other nodes when one has taken the
	// block: it will reach them by the network anyway.
	othersTimeout = 2 * time.Minute

	// parentTimeout and parentPause are for a node that lacks the block below: it
	// comes from the network within seconds, or from the resubmission later.
	parentTimeout = 30 * time.Second
	parentPause   = 500 * time.Millisecond

	// preciousTimeout bounds the call of preciousblock.
	preciousTimeout = 30 * time.Second

	// portPause and portPauseMax are between two tries to reach a port for peers, the
	// first of which may come before a node that is starting listens there.
	portPause    = time.Second
	portPauseMax = 30 * time.Second

	// leaveWait is how long Wait waits.
	leaveWait = 5 * time.Second
)

// SubmitBlock hands a serialized block found here to all nodes at once, healthy or not, and
// to the peer network. It returns nil as soon as one has it, while the others go on in the
// background. Otherwise it returns what they all say, or goes on until ctx ends with
// those that say nothing, and with ports for peers that can't be reached. Nobody gets the block's end before safe is closed; nil stands
// for a closed one.
func (p *Pool) SubmitBlock(ctx context.Context, block mining.RawBlock, safe <-chan struct{}) error {
	return p.submit(ctx, block, safe, func(ctx context.Context, client *bitcoind.Client) error {
		return client.SubmitBlock(ctx, block, safe)
	})
}

// SubmitPeerBlock is SubmitBlock for a block found by another node, which no block that was
// found here waits for.
func (p *Pool) SubmitPeerBlock(ctx context.Context, block mining.RawBlock) error {
	return p.submit(ctx, block, nil, func(ctx context.Context, client *bitcoind.Client) error {
		return client.SubmitPeerBlock(ctx, block)
	})
}

// call is one try to submit a block to a node.
type call func(context.Context, *bitcoind.Client) error

func (p *Pool) submit(ctx context.Context, block mining.RawBlock, safe <-chan struct{}, try call) error {
	start := p.now()
	hash := headerHash(block)
	inner, cancel := context.WithCancel(p.life)
	results := make(chan error, len(p.clients))
	for _, client := range p.clients {
		p.submitting.Go(func() {
			err := p.submitTo(inner, client, try)
			results <- err
			p.tell(client, hash, p.now().Sub(start), err)
			if err == nil && p.preferred.isFirst(block) {
				p.prefer(inner, client, hash)
			}
		})
	}
	settled := make(chan struct{})
	for _, addr := range p.cfg.P2P {
		p.submitting.Go(func() {
			if safe != nil {
				<-safe
			}
			p.keepSending(inner, settled, addr, hash, block)
		})
	}
	defer close(settled)
	var errs []error
	for range p.clients {
		select {
		case err := <-results:
			if err == nil {
				time.AfterFunc(othersTimeout, cancel)
				return nil
			}
			errs = append(errs, err)
		case <-ctx.Done():
			cancel()
			return joinErrors(append(errs, ctx.Err()))
		}
	}
	time.AfterFunc(othersTimeout, cancel) // the peer network goes on
	return joinErrors(errs)
}

// headerHash returns the hash of a block, if it is one.
func headerHash(block mining.RawBlock) chainhash.Hash {
	if len(block) == 0 {
		return chainhash.Hash{}
	}
	return chainhash.DoubleHashH(block[0][:min(len(block[0]), wire.MaxBlockHeaderPayload)])
}

// submitTo hands the block to one node, again while that lacks the block below.
func (p *Pool) submitTo(ctx context.Context, client *bitcoind.Client, try call) error {
	deadline := p.now().Add(parentTimeout)
	for {
		err := try(ctx, client)
		rejected, ok := errors.AsType[*bitcoind.RejectedError](err)
		if !ok || !rejected.NoParent() || len(p.clients) == 1 || p.now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(parentPause):
		}
	}
}

// tell logs a node's verdict.
func (p *Pool) tell(client *bitcoind.Client, hash chainhash.Hash, took time.Duration, err error) {
	took = took.Round(time.Millisecond)
	switch {
	case err == nil:
		p.log.Infof("Block %v taken by the Bitcoin node at %s after %v", hash, client.Addr(), took)
	case p.life.Err() != nil, errors.Is(err, context.Canceled):
		p.log.Infof("Block %v not taken by the Bitcoin node at %s within %v: %v", hash, client.Addr(), took, err)
	default:
		p.log.Warnf("Block %v not taken by the Bitcoin node at %s within %v: %v", hash, client.Addr(), took, err)
	}
}

// keepSending sends the block over the peer network, again and again until it arrives, or
// until the nodes have answered.
func (p *Pool) keepSending(ctx context.Context, settled <-chan struct{}, addr string, hash chainhash.Hash, block mining.RawBlock) {
	for pause := p.portPause; !p.sendTo(ctx, addr, hash, block); pause = min(2*pause, portPauseMax) {
		select {
		case <-ctx.Done():
			return
		case <-settled:
			return
		case <-time.After(pause):
		}
	}
}

// sendTo sends the block over the peer network and tells whether it arrived.
func (p *Pool) sendTo(ctx context.Context, addr string, hash chainhash.Hash, block mining.RawBlock) bool {
	magic := p.cfg.Nodes[0].Params.Net
	if err := bitcoinp2p.Send(ctx, addr, magic, p.cfg.UserAgent, block); err != nil {
		p.log.Debugf("Block %v not sent to %s over the Bitcoin network: %v", hash, addr, err)
		return false
	}
	p.log.Infof("Block %v sent to %s over the Bitcoin network", hash, addr)
	return true
}

// Wait blocks until no submission is under way, but no longer than 5 s. It is meant for
// the end of the program, when SubmitBlock has returned and is not called again.
func (p *Pool) Wait() {
	timer := time.AfterFunc(leaveWait, p.end)
	defer timer.Stop()
	p.submitting.Wait()
}
