package bitcoind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

const (
	// idleConn is how long a connection waits for the next call. Bitcoin Core closes
	// it after 30 s (-rpcservertimeout), and a call that crosses the close has to be
	// sent again. btcd closes each at once. See also keepWarm.
	idleConn = 20 * time.Second

	// maxReplyHeader bounds the head of a reply, in bytes; nodes send some 200.
	maxReplyHeader = 64 << 10

	// writeBuffer is for requests: a block leaves in 64 KiB pieces, each written while
	// the node reads the one before.
	writeBuffer = 64 << 10
)

// transport makes the HTTP requests of one lane. Unlike an http.Client's it follows no
// redirect, keeps no cookie and asks the environment for no proxy: what it sends has a
// password.
type transport struct{ http.Transport }

func newTransport(conns int, dial time.Duration) *transport {
	dialer := net.Dialer{Timeout: dial}
	return &transport{http.Transport{
		DialContext:            dialer.DialContext,
		DisableCompression:     true, // what arrives is as long as it gets
		MaxConnsPerHost:        conns,
		MaxIdleConnsPerHost:    conns,
		IdleConnTimeout:        idleConn,
		MaxResponseHeaderBytes: maxReplyHeader,
		WriteBufferSize:        writeBuffer,
	}}
}

// bytesBody returns the body function of a request that is in memory.
func bytesBody(b []byte) func() io.Reader {
	return func() io.Reader { return bytes.NewReader(b) }
}

// attempt sends the request and waits for the answer, the end of ctx, the timeout, or
// the discovery that the node is gone.
func (c *Client) attempt(ctx context.Context, r *request, user, pass string, read func([]byte) error) error {
	timeCtx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	callCtx, abort := context.WithCancelCause(timeCtx)
	var wg sync.WaitGroup
	if r.lane.watch {
		wg.Go(func() { c.watch(callCtx, abort) })
	}
	start := time.Now()
	status, body, err := c.roundTrip(callCtx, r, user, pass)
	cause := context.Cause(callCtx)
	abort(nil)
	wg.Wait()
	if err != nil {
		return c.refine(ctx, timeCtx, r, err, cause)
	}
	err = c.judge(r, status, body, read)
	if err == nil && r.lane == c.lanes.poll && r.name == "getbestblockhash" {
		c.latency.Store(int64(time.Since(start)))
	}
	return err
}

// Latency returns how long the node took for its last answer to the smallest of
// questions, which Run puts to it every second; 0 before the first.
func (c *Client) Latency() time.Duration { return time.Duration(c.latency.Load()) }

// watch ends a call to a node that no longer listens: the connection of a machine that
// is gone, or of a process that is stuck in its end, may stay silent for long.
func (c *Client) watch(ctx context.Context, abort context.CancelCauseFunc) {
	ticker := time.NewTicker(c.timing.probe)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := c.probe(ctx); err != nil && ctx.Err() == nil {
				abort(err)
				return
			}
		}
	}
}

// roundTrip makes the HTTP request and reads the reply. If the connection breaks and had
// been used before, the request goes out once more at once, over a new one: most likely the
// node had closed the old one, or forgotten it. All calls may be made twice. An
// http.Transport repeats by itself only what it has written nothing of, or all; a large
// block breaks off in between.
func (c *Client) roundTrip(ctx context.Context, r *request, user, pass string) (status int, body []byte, err error) {
	status, body, err = c.oneTrip(ctx, r, user, pass)
	if err == nil || !r.kept.Load() || ctx.Err() != nil || errors.Is(err, errTooLong) {
		return status, body, err
	}
	r.lane.transport.CloseIdleConnections() // they may be no better
	return c.oneTrip(ctx, r, user, pass)
}

// oneTrip is roundTrip without the repetition.
func (c *Client) oneTrip(ctx context.Context, r *request, user, pass string) (status int, body []byte, err error) {
	trace := httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { r.kept.Store(info.Reused) }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &trace), http.MethodPost, "http://"+c.end.addr+"/", nil)
	if err != nil {
		return 0, nil, err
	}
	req.SetBasicAuth(user, pass)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "p2poold")
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(r.body()), nil }
	req.Body, _ = req.GetBody()
	req.ContentLength = r.size

	resp, err := r.lane.transport.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	r.lane.closes.Store(resp.Close)
	body, err = readBody(resp, r.limit)
	return resp.StatusCode, body, err
}

// errTooLong says that a reply exceeds its limit.
var errTooLong = errors.New("reply too long")

// readBody reads a reply of at most limit bytes.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	if resp.ContentLength > limit {
		return nil, errTooLong
	}
	var buf bytes.Buffer
	// A buffer that has to grow would copy a template again and again.
	if resp.ContentLength > 0 {
		buf.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, errTooLong
	}
	return buf.Bytes(), nil
}

// judge reads a whole reply. Bitcoin Core sends its own errors with status 400, 404 and
// 500; so the status matters only where the text is no JSON-RPC.
func (c *Client) judge(r *request, status int, body []byte, read func([]byte) error) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return c.refineStatus(r, status)
	}
	err := read(body)
	switch {
	case err == nil, kindOf(err) != "":
		return err
	case rpcCode(err) != 0:
		return c.refineRPC(r, err)
	}
	return c.refineStatus(r, status)
}

// probe opens and closes a TCP connection to the node.
func (c *Client) probe(ctx context.Context) error {
	dialer := net.Dialer{Timeout: c.timing.dial}
	conn, err := dialer.DialContext(ctx, "tcp", c.end.addr)
	if err == nil {
		return conn.Close()
	}
	// The dialer may notice the context's deadline before the context does.
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.unreachable(err)
}

// refine turns what kept an answer from coming into an error of this package, or into
// the error of the caller's context ctx if that has ended. timeCtx has the call's own
// timeout, cause is why the call was given up, if it was.
func (c *Client) refine(ctx, timeCtx context.Context, r *request, err, cause error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case kindOf(cause) != "":
		return cause
	case timeCtx.Err() != nil:
		return newError(ErrTimeout, "the Bitcoin node at %s didn't answer %s within %v", c.end.addr, r.name, r.timeout)
	case errors.Is(err, errTooLong):
		return newError(ErrBadReply, "the Bitcoin node at %s answered %s with more than %d bytes", c.end.addr, r.name, r.limit)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return c.unreachable(err)
	}
	// The connection broke. A node that has ended, too, no longer listens.
	if probeErr := c.probe(timeCtx); kindOf(probeErr) != "" {
		return probeErr
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &Error{
		Kind: ErrBadReply, Err: err,
		Description: fmt.Sprintf("the Bitcoin node at %s broke off its answer to %s: %s", c.end.addr, r.name, clip(err.Error())),
	}
}
