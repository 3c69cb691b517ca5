package bitcoind

import (
	"context"
	"time"
)

// keepWarm keeps a connection for a block found here, so that its first bytes needn't wait
// until one is made: that takes a round trip, and several goroutines their turn. A node that
// closes each connection, as btcd does, is left alone. See roundTrip and submitTwice for
// what becomes of a block whose connection turns out to be dead.
func (c *Client) keepWarm(ctx context.Context) {
	ticker := time.NewTicker(c.timing.warm)
	defer ticker.Stop()
	for {
		c.warmUp(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// warmUp asks the smallest of questions by the way that the next block takes. What becomes
// of it is no matter.
func (c *Client) warmUp(ctx context.Context) {
	if c.lanes.poll.closes.Load() || len(c.lanes.own.slots) > 0 {
		return // a block keeps it warm
	}
	if _, err := c.callWithin(ctx, c.lanes.own, c.timing.ask, "getblockhash", 0); err != nil && ctx.Err() == nil {
		c.log.Debugf("Keeping a connection for blocks: %v", err)
	}
}
