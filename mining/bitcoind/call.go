package bitcoind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/btcjson"
)

// Limits of the node's replies, in bytes. What is longer is not read to its end.
const (
	// maxReply bounds a template: 4 MB of transactions make 8 MB of hex and, with
	// 16,666 of them, 6 MB of JSON around it. Room for as much again.
	maxReply = 32 << 20

	// maxBlockReply bounds a block: 4 MB in hex, and what stands around it.
	maxBlockReply = 8<<20 + smallReply

	// maxTipsReply bounds the list of branches: [maxChainTips] of 160 bytes.
	maxTipsReply = 8 << 20

	// smallReply bounds all others. The largest is that of getblockchaininfo, with
	// soft forks and warnings some 3 kB.
	smallReply = 64 << 10

	// batchReply bounds one answer in a batch: a header's 160 hex digits, or the
	// text of an error.
	batchReply = 1 << 10
)

// replyLimits are the methods whose replies are not small.
var replyLimits = map[string]int64{
	"getblocktemplate": maxReply,
	"getblock":         maxBlockReply,
	"getchaintips":     maxTipsReply,
}

// replyLimit returns how long a method's reply may be, in bytes.
func replyLimit(method string) int64 {
	if limit, ok := replyLimits[method]; ok {
		return limit
	}
	return smallReply
}

// lane is the calls of one kind: they wait only for each other, and have connections of
// their own.
type lane struct {
	slots     chan struct{} // a semaphore
	transport *transport
	watch     bool // give a call up when the node no longer listens

	closes atomic.Bool // the node has closed the connection after its last answer
}

// lanes are the kinds of calls.
type lanes struct{ longpoll, poll, own, hedge, others, query, signal *lane }

// The calls of one lane that may be pending at once. Their sum, 8, leaves room for the
// operator's own tools under btcd's limit of 10 connections (--rpcmaxclients). Blocks found
// here have a lane of their own, so that they never wait for those of other nodes, nor for
// anything else; and another of as many calls, not in the sum, for what submitTwice sends
// again. That is for connections that stay, which btcd's don't.
const (
	longpollCalls = 1
	pollCalls     = 1
	ownCalls      = 2
	othersCalls   = 1
	queryCalls    = 2
	signalCalls   = 1
)

func newLanes(dial time.Duration) lanes {
	return lanes{
		longpoll: newLane(longpollCalls, dial, false), // Run's poll watches over that
		poll:     newLane(pollCalls, dial, true),
		own:      newLane(ownCalls, dial, true),
		hedge:    newLane(ownCalls, dial, true).fresh(),
		others:   newLane(othersCalls, dial, true),
		query:    newLane(queryCalls, dial, true),
		signal:   newLane(signalCalls, dial, true),
	}
}

func newLane(calls int, dial time.Duration, watch bool) *lane {
	return &lane{slots: make(chan struct{}, calls), transport: newTransport(calls, dial), watch: watch}
}

// fresh makes all calls of a new lane take a connection of their own, and returns it.
func (l *lane) fresh() *lane {
	l.transport.DisableKeepAlives = true
	return l
}

// closeIdle closes the connections that wait for the next call.
func (l *lanes) closeIdle() {
	for _, ln := range []*lane{l.longpoll, l.poll, l.own, l.hedge, l.others, l.query, l.signal} {
		ln.transport.CloseIdleConnections()
	}
}

// request is one exchange with the node.
type request struct {
	lane    *lane
	name    string        // the method, for messages
	timeout time.Duration // for the answer, once the lane is free
	limit   int64         // of the reply, in bytes

	// body returns the request's body from its beginning; it is called again where
	// the request has to be sent again.
	body func() io.Reader
	size int64 // of the body, in bytes

	kept atomic.Bool // it went out on a connection that had been used before
}

// call asks the node and returns the raw result, which is JSON as far as its brackets
// and quotes go. Its errors are of this package, or the context's if that has ended.
func (c *Client) call(ctx context.Context, ln *lane, method string, params ...any) (json.RawMessage, error) {
	return c.callWithin(ctx, ln, c.timing.call, method, params...)
}

// callWithin is call with another timeout.
func (c *Client) callWithin(ctx context.Context, ln *lane, timeout time.Duration, method string,
	params ...any) (json.RawMessage, error) {

	body, err := marshalCall("1.0", 1, method, params)
	if err != nil {
		return nil, err
	}
	return c.single(ctx, &request{
		lane: ln, name: method, timeout: timeout, limit: replyLimit(method),
		body: bytesBody(body), size: int64(len(body)),
	})
}

// single makes an exchange of one call and returns its result.
func (c *Client) single(ctx context.Context, r *request) (json.RawMessage, error) {
	var result json.RawMessage
	err := c.exchange(ctx, r, func(body []byte) error {
		rep, err := parseReply(body)
		if err == nil && rep.err == nil && rep.result == nil {
			err = errNoReply
		}
		if err != nil {
			return err
		}
		if rep.err != nil {
			return rep.err
		}
		result = rep.result
		return nil
	})
	return result, err
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

// rpcCall is a call in JSON.
type rpcCall struct {
	Version string `json:"jsonrpc"`
	ID      int    `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

// marshalCall encodes a call. All nodes take version 1.0 of JSON-RPC for single calls;
// batches are of 2.0.
func marshalCall(version string, id int, method string, params []any) ([]byte, error) {
	if params == nil {
		params = []any{} // btcd takes no null
	}
	b, err := json.Marshal(rpcCall{version, id, method, params})
	if err != nil {
		return nil, fmt.Errorf("bitcoind: arguments of %s: %w", method, err)
	}
	return b, nil
}

// batch makes count calls of one method in one HTTP request and returns their results in
// order. If one call fails, so does the batch.
func (c *Client) batch(ctx context.Context, method string, count int,
	params func(i int) []any) ([]json.RawMessage, error) {

	body := []byte{'['}
	for i := range count {
		if i > 0 {
			body = append(body, ',')
		}
		one, err := marshalCall("2.0", i, method, params(i))
		if err != nil {
			return nil, err
		}
		body = append(body, one...)
	}
	body = append(body, ']')

	var results []json.RawMessage
	err := c.exchange(ctx, &request{
		lane: c.lanes.query, name: method, timeout: c.timing.call, limit: smallReply + int64(count)*batchReply,
		body: bytesBody(body), size: int64(len(body)),
	}, func(body []byte) (err error) {
		results, err = parseBatch(body, count)
		return err
	})
	return results, err
}

// parseBatch returns the results in the order of the calls, whatever order the node has
// put them in.
func parseBatch(body []byte, count int) ([]json.RawMessage, error) {
	list, err := unmarshalList[json.RawMessage](body, count)
	if err != nil {
		// A node that can't read the batch at all answers like to a single call.
		if rep, oneErr := parseReply(body); oneErr == nil && rep.err != nil {
			return nil, rep.err
		}
		return nil, err
	}
	results := make([]json.RawMessage, count)
	for _, raw := range list {
		rep, err := parseReply(raw)
		if err != nil {
			return nil, err
		}
		if rep.err != nil {
			return nil, rep.err
		}
		id, err := strconv.Atoi(string(rep.id))
		if err != nil || id < 0 || id >= count || results[id] != nil || rep.result == nil {
			return nil, newError(ErrBadReply, "the Bitcoin node mixed up the answers of a batch")
		}
		results[id] = rep.result
	}
	for _, result := range results {
		if result == nil {
			return nil, newError(ErrBadReply, "the Bitcoin node left out an answer of a batch")
		}
	}
	return results, nil
}

// exchange runs a request in its lane and has read look at the reply. If a restarted
// node refuses a cookie that has changed meanwhile, the request goes out once more with
// the new one.
func (c *Client) exchange(ctx context.Context, r *request, read func(body []byte) error) error {
	select {
	case r.lane.slots <- struct{}{}:
		defer func() { <-r.lane.slots }()
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
	err = c.attempt(ctx, r, user, pass, read)
	if !errors.Is(err, ErrAuth) {
		return err
	}
	newUser, newPass, credErr := c.end.credentials()
	if credErr != nil || (newUser == user && newPass == pass) {
		return err
	}
	return c.attempt(ctx, r, newUser, newPass, read)
}

// rpcError makes an error of the node's own from the text in a reply.
func rpcError(raw json.RawMessage) (*btcjson.RPCError, error) {
	e := new(btcjson.RPCError)
	if err := json.Unmarshal(raw, e); err != nil {
		return nil, err
	}
	return e, nil
}
