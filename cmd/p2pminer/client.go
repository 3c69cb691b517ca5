package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// userAgent names us to the server, which may choose by it how large a
// coinbase to send: ours may have any size.
const userAgent = "p2pminer/" + version

// Times of the client.
const (
	dialTimeout    = 10 * time.Second
	firstBackoff   = time.Second
	longestBackoff = 30 * time.Second
	statusEvery    = 10 * time.Second
)

// errRefused wraps what makes another attempt pointless.
var errRefused = errors.New("the server refuses this miner")

// client keeps a session with the server going.
type client struct {
	cfg   *settings
	board *board
	out   *printer
	stats stats
	dial  dialer
}

// dialer connects to the server.
type dialer func(ctx context.Context) (net.Conn, error)

func newClient(cfg *settings, board *board, out *printer, dial dialer) *client {
	now := time.Now()
	c := &client{cfg: cfg, board: board, out: out, dial: dial}
	c.stats.start, c.stats.lastTime = now, now
	return c
}

// run connects, again and again with growing pauses, until ctx is done, the
// server refuses us for good, or its certificate is not one to trust.
func (c *client) run(ctx context.Context) error {
	backoff := firstBackoff
	for {
		worked, err := c.connect(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errRefused), errors.Is(err, errDistrusted):
			return err
		case worked:
			backoff = firstBackoff
		}
		c.out.problemf("Not mining: %v; next attempt in %v", err, backoff)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, longestBackoff)
	}
}

// connect runs one session. worked says that the server gave work.
func (c *client) connect(ctx context.Context) (worked bool, err error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return false, fmt.Errorf("cannot connect: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	s := newSession(c, conn)
	defer s.close()
	defer c.board.show(nil)
	err = s.run()
	return s.worked, err
}

// report prints the status.
func (c *client) report(ctx context.Context) {
	ticker := time.NewTicker(statusEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			c.out.printf("%s", c.stats.status(now))
		}
	}
}
