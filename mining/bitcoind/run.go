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
	defer c.lanes.closeIdle()
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
	c.deliver(ctx, t, requested, SourcePoll)
	c.setHealth(nil)

	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { c.longpollLoop(ctx) })
	wg.Go(func() { c.listen(ctx) })
	wg.Go(func() { c.keepWarm(ctx) })
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
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			err = c.pollOnce(ctx)
		case <-c.wake:
			err = c.fetchTip(ctx)
		}
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

// pollOnce compares the tip with the node's best block, and fetches a template if the
// present one is on another block, or old.
func (c *Client) pollOnce(ctx context.Context) error {
	best, err := c.hashCall(ctx, c.lanes.poll, "getbestblockhash")
	if err != nil {
		return err
	}
	now := time.Now()
	if c.tips.awaits(best) && !c.guessFailed(ctx) {
		return nil
	}
	c.tips.note(SourcePoll, best, now, true)
	if tip, _, _ := c.tips.present(); tip != best {
		c.ask(ctx, &sighting{source: SourcePoll, hash: best, at: now})
	}
	present := c.Template()
	if best == present.PrevBlock && time.Since(present.Received) < c.timing.refresh {
		return nil
	}
	return c.fetch(ctx)
}

// guessFailed asks whether the block that the node has not made its best yet is invalid.
func (c *Client) guessFailed(ctx context.Context) bool {
	tip, _, _ := c.tips.present()
	info, err := c.Header(ctx, tip)
	return err == nil && info.Invalid
}

// fetch requests a template and delivers it.
func (c *Client) fetch(ctx context.Context) error {
	requested := time.Now()
	t, err := c.fetchTemplate(ctx, "")
	if err != nil {
		return err
	}
	c.deliver(ctx, t, requested, SourcePoll)
	return nil
}

// fetchTries bounds the requests for a template on a new tip, each after twice the pause
// of the one before. After that it is left to the poll.
const fetchTries = 4

// fetchTip brings the template on a new tip. A longpoll that is pending does that as
// fast as a request would, and without making the node do it twice.
func (c *Client) fetchTip(ctx context.Context) error {
	pause := time.Duration(0)
	if c.longpolling.Load() {
		pause = c.timing.settle
	}
	for try := range fetchTries {
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
		if c.haveTip() || c.tips.isGuessed() {
			break
		}
		if err := c.fetch(ctx); err != nil {
			return err
		}
		pause = c.timing.retry << try
	}
	return nil
}

// haveTip tells whether the present template is on the tip.
func (c *Client) haveTip() bool {
	tip, _, _ := c.tips.present()
	return c.Template().PrevBlock == tip
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
			c.longpolling.Store(true)
			t, err := c.fetchTemplate(ctx, id)
			c.longpolling.Store(false)
			switch {
			case err != nil:
				c.log.Debugf("Longpoll: %v", err)
			case t.LongPollID == c.Template().LongPollID:
				// The poll loop was faster, or nothing has changed.
			default:
				c.deliver(ctx, t, time.Time{}, SourceLongpoll)
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

// deliver makes t the present template and hands it on, and its block the tip. requested
// is when a plain request for it was made, zero for a longpoll's.
//
// Templates and news of blocks overtake one another. A template on a block that would
// take us back counts only if the node says that the block is its best now.
func (c *Client) deliver(ctx context.Context, t *mining.Template, requested time.Time, src Source) {
	at := time.Now()
	moves := c.tips.count()
	switch c.tips.judge(t.PrevBlock, t.Height, requested) {
	case dropIt:
		return
	case askNode:
		best, err := c.hashCall(ctx, c.lanes.signal, "getbestblockhash")
		if err != nil || best != t.PrevBlock {
			c.log.Debugf("Template for block %d on %v, which is not the best block any more", t.Height, t.PrevBlock)
			return
		}
	}

	c.deliverMu.Lock()
	defer c.deliverMu.Unlock()
	c.tips.note(src, t.PrevBlock, at, true)
	if tip, _, known := c.tips.present(); !known || tip != t.PrevBlock {
		m := move{source: src, hash: t.PrevBlock, height: t.Height - 1, at: at}
		if !c.tips.moveIf(&m, moves) {
			return // overtaken; whoever did it fetches a template
		}
		c.log.Debugf("Template for block %d on %v with %d transactions", t.Height, t.PrevBlock, len(t.Txs))
	}
	c.setTemplate(t)
	c.cfg.OnTemplate(t)
}

func (c *Client) setTemplate(t *mining.Template) {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	c.template = t
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
