package bitcoind

import (
	"context"
	"sync"
	"time"

	"github.com/p2poold/p2poold/mining"
)

// submitTwice submits a block, and a second time over a new connection if the first is one
// that was there and the node takes long to answer: a NAT or firewall on the way may have
// forgotten it, or the machine at its end been replaced, and nothing tells. The first
// verdict counts; the second submission of a block does no harm. A block of another node,
// for which no connection is kept, is submitted once.
func (c *Client) submitTwice(ctx context.Context, ln *lane, raw mining.RawBlock, safe <-chan struct{}) error {
	first := c.submitRequest(ln, raw, safe)
	if ln != c.lanes.own {
		return c.submitOnce(ctx, first)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx) // of the other when one has its verdict
	defer cancel()
	results := make(chan error, 2)
	wg.Go(func() { results <- c.submitOnce(ctx, first) })
	timer := time.NewTimer(c.timing.hedge)
	defer timer.Stop()
	var err error
	for pending := 1; pending > 0; {
		select {
		case err = <-results:
			if isVerdict(err) {
				return err
			}
			pending--
		case <-timer.C:
			if !first.kept.Load() { // no connection yet, or a new one
				timer.Reset(c.timing.hedge)
				continue
			}
			pending++
			c.log.Infof("Block not answered within %v on the connection kept for it, sending it over another as well", c.timing.hedge)
			wg.Go(func() { results <- c.submitOnce(ctx, c.submitRequest(c.lanes.hedge, raw, safe)) })
		}
	}
	return err
}
