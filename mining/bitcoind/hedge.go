package bitcoind

import (
	"context"
	"errors"
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
	ctx, cancel := context.WithCancel(ctx) // of the other when one has its verdict
	defer cancel()
	ended, second := make(chan struct{}), make(chan error, 1)
	go func() { // and not the first: that would wait for a processor
		err := c.submitLate(ctx, first, ended, c.submitRequest(c.lanes.hedge, raw, safe))
		second <- err
		if isVerdict(err) {
			cancel()
		}
	}()
	err := c.submitOnce(ctx, first)
	close(ended)
	if isVerdict(err) {
		cancel()
	}
	if late := <-second; !isVerdict(err) && isVerdict(late) {
		return late
	}
	return err
}

// errNotLate says that no second submission was needed.
var errNotLate = errors.New("not submitted a second time")

// submitLate makes the second submission if the first, on a connection that was kept, hasn't
// ended in time.
func (c *Client) submitLate(ctx context.Context, first *request, ended <-chan struct{}, r *request) error {
	ticker := time.NewTicker(c.timing.hedge)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return errNotLate
		case <-ticker.C:
		}
		if first.kept.Load() { // or it has no connection yet, or a new one
			c.log.Infof("Block not answered within %v on the connection kept for it, sending it over another as well", c.timing.hedge)
			return c.submitOnce(ctx, r)
		}
	}
}
