package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
)

// templateQueue hands the newest template, and the news of a block without one
// yet, from the Bitcoin client's callbacks, which must not block, to
// runTemplates.
type templateQueue struct {
	mu     sync.Mutex
	newest *mining.Template
	tip    *bitcoind.Tip // newer than newest; nil if there is none
	signal chan struct{}
}

func (q *templateQueue) init() { q.signal = make(chan struct{}, 1) }

func (q *templateQueue) put(t *mining.Template) {
	q.mu.Lock()
	q.newest, q.tip = t, nil
	q.mu.Unlock()
	q.wake()
}

func (q *templateQueue) putTip(tip bitcoind.Tip) {
	q.mu.Lock()
	q.tip = &tip
	q.mu.Unlock()
	q.wake()
}

func (q *templateQueue) wake() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// latest returns the newest template that the Bitcoin node sent, or nil.
func (q *templateQueue) latest() *mining.Template {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.newest
}

// take returns the newest template and, once, the news that is newer.
func (q *templateQueue) take() (*mining.Template, *bitcoind.Tip) {
	q.mu.Lock()
	defer q.mu.Unlock()
	tip := q.tip
	q.tip = nil
	return q.newest, tip
}

// runTemplates brings each template to the sharechain, which learns of the
// Bitcoin block below it, and then to the miners: a share found on a block that
// the chain does not know could not be judged. While there is news of a block
// only, the miners get a template without transactions.
func (n *node) runTemplates(ctx context.Context) error {
	log := n.logs.logger(subsysMining)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.templates.signal:
		}
		t, tip := n.templates.take()
		if tip == nil {
			n.learnTip(ctx, t.PrevBlock)
			n.generator.SetTemplate(t)
			n.settleGuess(t.PrevBlock)
			n.peers.SetTemplate(n.txs.of(t)) // after the miners, whom it doesn't concern
			continue
		}
		empty, err := n.emptyTemplate(ctx, tip, t)
		if err != nil {
			log.Debugf("Waiting for the template on block %v: %v", tip.Hash, err)
			continue
		}
		if tip.Guessed {
			n.guess.begin(tip.Hash)
		} else {
			n.settleGuess(tip.Hash)
		}
		n.generator.SetTemplate(empty)
		log.Debugf("Work on block %v by its header, %v after the news by %v", tip.Hash, time.Since(tip.At), tip.Source)
		if !tip.Guessed {
			n.learnTip(ctx, tip.Hash) // shares that waited for the block come after the miners
		}
	}
}

// learnTip tells the sharechain of the Bitcoin node's new tip.
func (n *node) learnTip(ctx context.Context, hash shareID) {
	if err := n.chain.BitcoinTip(ctx, hash); err != nil && ctx.Err() == nil {
		n.logs.logger(subsysMining).Warnf("Bitcoin's new tip %v: %v", hash, err)
	}
}

// emptyTemplate makes a template without transactions on a new block.
func (n *node) emptyTemplate(ctx context.Context, tip *bitcoind.Tip, previous *mining.Template) (*mining.Template, error) {
	next, err := n.chain.AddNextBitcoin(&tip.Header)
	if err != nil {
		// The blocks in between may be missing, as after a reorganisation.
		if fetchErr := n.chain.BitcoinTip(ctx, tip.Hash); fetchErr != nil {
			return nil, errors.Join(err, fetchErr)
		}
		if next, err = n.chain.NextBitcoinWork(tip.Hash); err != nil {
			return nil, err
		}
	}
	if next.Height != tip.Height+1 {
		return nil, fmt.Errorf("the Bitcoin node says that the block has height %d, its headers say %d", tip.Height, next.Height-1)
	}
	return mining.EmptyTemplate(n.cfg.params.Bitcoin, previous, tip.Hash, next, time.Now())
}
