package bitcoind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/rpcclient"
)

// maxReply bounds a reply of the node, in bytes. The largest are templates: 4 MB of
// transactions make 8 MB of hex and, with 16,666 of them, 6 MB of JSON around it.
const maxReply = 32 << 20

// The calls of one lane that may be pending at once. Their sum, 6, leaves room for the
// operator's own tools under btcd's limit of 10 connections (--rpcmaxclients).
const (
	longpollCalls = 1
	pollCalls     = 1
	submitCalls   = 2
	queryCalls    = 2
)

// abortWait bounds the wait for an interrupted rpcclient to give back our goroutine. It
// does so at once; only if its shutdown overtakes the queueing of a batch may it forget
// to.
const abortWait = 5 * time.Second

// lane is a semaphore: calls of one kind, which wait only for each other.
type lane chan struct{}

// lanes are the kinds of calls.
type lanes struct{ longpoll, poll, submit, query lane }

func newLanes() lanes {
	return lanes{
		longpoll: make(lane, longpollCalls),
		poll:     make(lane, pollCalls),
		submit:   make(lane, submitCalls),
		query:    make(lane, queryCalls),
	}
}

// request is one exchange with the node.
type request struct {
	lane    lane
	name    string        // the method, for messages
	timeout time.Duration // for the answer, once the lane is free
	watch   bool          // give up when the node no longer listens
	batch   bool          // use rpcclient's batch mode

	// send queues the request and returns the function that waits for the answer. A
	// shutdown of the rpcclient ends that wait.
	send func(*rpcclient.Client) (wait func() error)
}

// call asks the node and returns the raw result, of at most maxReply bytes. Its errors
// are of this package, or the context's if that has ended.
func (c *Client) call(ctx context.Context, ln lane, method string, params ...any) (json.RawMessage, error) {
	return c.callWithin(ctx, ln, c.timing.call, method, params...)
}

// callWithin is call with another timeout.
func (c *Client) callWithin(ctx context.Context, ln lane, timeout time.Duration, method string,
	params ...any) (json.RawMessage, error) {

	args, err := marshalParams(params)
	if err != nil {
		return nil, err
	}
	var raw json.RawMessage
	err = c.exchange(ctx, &request{
		lane: ln, name: method, timeout: timeout, watch: ln != c.lanes.longpoll, // Run's poll watches over that
		send: func(rpc *rpcclient.Client) func() error {
			future := rpc.RawRequestAsync(method, args)
			return func() (err error) {
				raw, err = future.Receive()
				return err
			}
		},
	})
	if err != nil {
		return nil, err
	}
	if len(raw) > maxReply {
		return nil, newError(ErrBadReply, "the Bitcoin node answered %s with %d bytes, more than %d",
			method, len(raw), maxReply)
	}
	return raw, nil
}

// callInto is call on the query lane with the result parsed into v.
func (c *Client) callInto(ctx context.Context, v any, method string, params ...any) error {
	raw, err := c.call(ctx, c.lanes.query, method, params...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return newError(ErrBadReply, "the Bitcoin node's answer to %s can't be read: %v", method, err)
	}
	return nil
}

// marshalParams encodes the arguments of a call one by one.
func marshalParams(params []any) ([]json.RawMessage, error) {
	args := make([]json.RawMessage, len(params))
	for i, p := range params {
		b, err := json.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("bitcoind: argument %d: %w", i, err)
		}
		args[i] = b
	}
	return args, nil
}

// exchange runs a request in its lane. If a restarted node refuses a cookie that has
// changed meanwhile, the request goes out once more with the new one.
func (c *Client) exchange(ctx context.Context, r *request) error {
	select {
	case r.lane <- struct{}{}:
		defer func() { <-r.lane }()
	case <-ctx.Done():
		return ctx.Err()
	}

	user, pass, err := c.end.credentials()
	if err != nil {
		// Bitcoin Core takes its cookie file away when it ends; say that rather.
		if probeErr := c.probe(ctx); probeErr != nil {
			return probeErr
		}
		return err
	}
	err = c.attempt(ctx, r, user, pass)
	if !errors.Is(err, ErrAuth) {
		return err
	}
	newUser, newPass, credErr := c.end.credentials()
	if credErr != nil || (newUser == user && newPass == pass) {
		return err
	}
	return c.attempt(ctx, r, newUser, newPass)
}

// attempt sends the request through an rpcclient of its own and waits for the answer,
// the end of ctx, the timeout, or the discovery that the node is gone.
func (c *Client) attempt(ctx context.Context, r *request, user, pass string) error {
	callCtx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()

	rpc, err := c.open(callCtx, r.batch, user, pass)
	if err != nil {
		return c.refine(ctx, callCtx, r, err)
	}
	wait := r.send(rpc)
	done := make(chan error, 1)
	go func() { done <- wait() }()

	err, answered := c.await(callCtx, done, r.watch)
	rpc.Shutdown()
	rpc.WaitForShutdown()
	if !answered {
		select {
		case <-done:
		case <-time.After(abortWait):
			c.log.Debugf("%s: the interrupted call didn't end", r.name)
		}
	}
	return c.refine(ctx, callCtx, r, err)
}

// await returns the error with which the call ended and true, or the reason not to wait
// for it any longer and false.
func (c *Client) await(ctx context.Context, done <-chan error, watch bool) (err error, answered bool) {
	ticker := time.NewTicker(c.timing.probe)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			return err, true
		case <-ctx.Done():
			return ctx.Err(), false
		case <-ticker.C:
			if !watch {
				continue
			}
			// rpcclient keeps trying a node that is gone, without telling.
			if err := c.probe(ctx); err != nil {
				return err, false
			}
		}
	}
}

// open returns a new rpcclient. It sends nothing by itself.
func (c *Client) open(ctx context.Context, batch bool, user, pass string) (*rpcclient.Client, error) {
	c.stateMu.Lock()
	addr := c.dialed
	c.stateMu.Unlock()
	if addr == "" {
		if err := c.probe(ctx); err != nil {
			return nil, err
		}
		c.stateMu.Lock()
		addr = c.dialed
		c.stateMu.Unlock()
	}
	conf := &rpcclient.ConnConfig{Host: addr, User: user, Pass: pass, HTTPPostMode: true, DisableTLS: true}
	if batch {
		return rpcclient.NewBatch(conf)
	}
	return rpcclient.New(conf, nil)
}
