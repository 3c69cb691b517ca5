package main

import (
	"context"
	"sync"

	"github.com/p2poold/p2poold/mining"
)

// templateQueue hands the newest template from the Bitcoin client's callback,
// which must not block, to runTemplates.
type templateQueue struct {
	mu     sync.Mutex
	newest *mining.Template
	signal chan struct{}
}

func (q *templateQueue) init() { q.signal = make(chan struct{}, 1) }

func (q *templateQueue) put(t *mining.Template) {
	q.mu.Lock()
	q.newest = t
	q.mu.Unlock()
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

func (q *templateQueue) take() *mining.Template {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.newest
}

// runTemplates brings each template to the sharechain, which learns of the
// Bitcoin block below it, and then to the miners: a share found on a block that
// the chain does not know could not be judged.
func (n *node) runTemplates(ctx context.Context) error {
	log := n.logs.logger(subsysMining)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.templates.signal:
		}
		t := n.templates.take()
		if err := n.chain.BitcoinTip(ctx, t.PrevBlock); err != nil && ctx.Err() == nil {
			log.Warnf("Bitcoin's new tip %v: %v", t.PrevBlock, err)
		}
		n.generator.SetTemplate(t)
	}
}
