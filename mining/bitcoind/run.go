package bitcoind

import (
	"context"
	"sync"
	"time"

	"github.com/p2poold/p2poold/mining"
)

// Run delivers templates and health until ctx ends, and returns ctx's error. It outlives
// every failure of the node: it reports the node unhealthy and tries again, at least
// every 5 s. Before it trusts a node that it had lost, it checks everything anew.
func (c *Client) Run(ctx context.Context) error {
	backoff := c.timing.backoffMin
	for {
		started, err := c.session(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.setHealth(err)
		if started {
			backoff = c.timing.backoffMin
		}
		if !sleep(ctx, backoff) {
			return ctx.Err()
		}
		backoff = min(2*backoff, c.timing.backoffMax)
	}
}

// session checks the node and serves templates until the node fails. It tells whether
// the check went well, and returns the failure.
func (c *Client) session(ctx context.Context) (started bool, err error) {
	requested := time.Now()
	t, err := c.check(ctx)
	if err != nil {
		return false, err
	}
	c.deliver(t, requested)
	c.setHealth(nil)

	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { c.longpollLoop(ctx) })
	return true, c.pollLoop(ctx)
}

// pollLoop looks for a new block once a second and for new transactions every 30 s. It
// is what notices that the node is lost: it returns at once if nothing listens or the
// node refuses us, and after a while if it merely fails to answer.
func (c *Client) pollLoop(ctx context.Context) error {
	ticker := time.NewTicker(c.timing.poll)
	defer ticker.Stop()
	lastGood := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		err := c.pollOnce(ctx)
		switch {
		case err == nil:
			lastGood = time.Now()
		case !transient(err) || time.Since(lastGood) > c.timing.grace:
			return err
		default:
			c.log.Debugf("Poll: %v", err)
		}
	}
}

// pollOnce fetches a template if the present one is behind the node's best block or old.
func (c *Client) pollOnce(ctx context.Context) error {
	tip, err := c.hashCall(ctx, c.lanes.poll, "getbestblockhash")
	if err != nil {
		return err
	}
	present := c.Template()
	if tip == present.PrevBlock && time.Since(present.Received) < c.timing.refresh {
		return nil
	}
	requested := time.Now()
	t, err := c.fetchTemplate(ctx, "")
	if err != nil {
		return err
	}
	c.deliver(t, requested)
	return nil
}

// longpollLoop waits for the template after the present one, again and again. Failures
// are left to the poll loop.
//
// Bitcoin Core goes on serving a longpoll whose caller has gone until the template
// changes, and each occupies one of its few RPC threads (4 in version 28.1, where four
// abandoned longpolls were seen to stop all RPC). So a wait that ended without an answer
// isn't repeated for the same template: on a quiet chain, where templates don't change,
// abandoned longpolls would take all threads and with them submitblock. The poll loop
// stands in meanwhile.
func (c *Client) longpollLoop(ctx context.Context) {
	for {
		present := c.Template()
		pause := c.timing.gap
		if id := present.LongPollID; id != "" && id != c.asked {
			c.asked = id
			t, err := c.fetchTemplate(ctx, id)
			switch {
			case err != nil:
				c.log.Debugf("Longpoll: %v", err)
			case t.LongPollID == c.Template().LongPollID:
				// The poll loop was faster, or nothing has changed.
			default:
				c.deliver(t, time.Time{})
				if t.PrevBlock != present.PrevBlock {
					pause = 0 // a new block; the next one may be near
				}
			}
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// deliver makes t the present template and hands it on. The answer to a plain request,
// made at the given time, is dropped if a longpoll has meanwhile brought a template for
// another block: the next poll finds out which is right.
func (c *Client) deliver(t *mining.Template, requested time.Time) {
	c.deliverMu.Lock()
	defer c.deliverMu.Unlock()

	c.stateMu.Lock()
	old := c.template
	late := old != nil && !requested.IsZero() && c.deliveredAt.After(requested) && old.PrevBlock != t.PrevBlock
	if !late {
		c.template, c.deliveredAt = t, time.Now()
	}
	c.stateMu.Unlock()
	if late {
		return
	}

	if old == nil || old.PrevBlock != t.PrevBlock {
		c.log.Debugf("Template for block %d on %v with %d transactions", t.Height, t.PrevBlock, len(t.Txs))
	}
	c.cfg.OnTemplate(t)
}

// sleep waits, or returns false as soon as ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
