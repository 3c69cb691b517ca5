package merged

import (
	"context"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/mining"
)

// maxTries is how often a proof is submitted to a node that does not answer. The pauses
// in between double: the last try is half a minute after the first at least, enough for a
// node that loses its connections, and of no use to one that restarts, as that forgets
// its blocks.
const maxTries = 6

// solution is a proof on its way.
type solution struct {
	leaf  *leaf
	found *mining.AuxSolution
}

// offer takes a solution for a leaf whose target it meets, unless one is on its way or
// was accepted. It does not wait.
func (l *leaf) offer(s *mining.AuxSolution) {
	if !l.block.take() {
		return
	}
	c := l.chain
	c.mu.Lock()
	c.counts.Found++
	c.lastFound = time.Now()
	c.mu.Unlock()
	select {
	case c.queue <- &solution{l, s}:
	default:
		l.block.release(unsettled)
		c.complain(l.block, errQueueFull)
	}
}

// meets reports whether a hash has the work that the leaf's block needs.
func (l *leaf) meets(hash *chainhash.Hash) bool { return target.HashMeets(hash, &l.block.target) }

// deliver submits what is offered until ctx ends, and then what is left within the
// grace.
func (c *chain) deliver(ctx context.Context) {
	// A solution in hand is not thrown away because the program ends.
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-late.Done():
		case <-time.After(c.timing.grace):
			cancel()
		}
	})
	defer stop()
	for {
		select {
		case s := <-c.queue:
			c.submit(late, s)
			continue
		default:
		}
		select {
		case s := <-c.queue:
			c.submit(late, s)
		case <-ctx.Done():
			if len(c.queue) == 0 {
				return
			}
		}
	}
}

// submit hands a proof to the node, again and again if that does not answer, and sees
// to it that the next block is asked for at once.
func (c *chain) submit(ctx context.Context, s *solution) {
	b := s.leaf.block
	proof := AuxPow{
		Coinbase: s.found.Coinbase, Branch: s.found.Branch, Parent: s.found.Header,
		ChainBranch: s.leaf.branch, ChainIndex: s.leaf.index,
	}
	raw := proof.Append(nil)
	v, err := unsettled, error(nil)
	for try, pause := 0, c.timing.retry; try < maxTries; try, pause = try+1, 2*pause {
		if v, err = c.client.submit(ctx, b.submit, &b.hash, raw); v != unsettled {
			break
		}
		c.log.Debugf("Merged mining: block %v of chain %d: %v", b.hash, b.chainID, err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
			continue
		}
		break
	}
	b.release(v)
	c.settle(s, v, err)
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// settle counts and logs what became of a proof.
func (c *chain) settle(s *solution, v verdict, err error) {
	b := s.leaf.block
	c.mu.Lock()
	switch v {
	case accepted:
		c.counts.Accepted++
	case rejected:
		c.counts.Rejected++
	case stale:
		c.counts.Stale++
	}
	c.mu.Unlock()
	if v == accepted {
		c.log.Infof("BLOCK %v of chain %d at height %d found by %s, with Bitcoin header %v",
			b.hash, b.chainID, b.height, mining.WorkerName(s.found.Worker), s.found.Hash)
		return
	}
	c.complain(b, err)
}

// complain warns about a block that was found for nothing.
func (c *chain) complain(b *block, err error) {
	now := time.Now()
	c.mu.Lock()
	c.err = err.Error()
	warn := c.lostLog.allow(now, c.timing.remind)
	c.mu.Unlock()
	if warn {
		c.log.Warnf("Merged mining: found block %v of chain %d, but %v: %v", b.hash, b.chainID, c.client.end, err)
	}
}
