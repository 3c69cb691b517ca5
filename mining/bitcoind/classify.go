package bitcoind

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/btcsuite/btcd/btcjson"
)

// probe opens and closes a TCP connection to the node, and remembers its numeric address
// for rpcclient, whose own look-up of a name couldn't be interrupted.
func (c *Client) probe(ctx context.Context) error {
	dialer := net.Dialer{Timeout: c.timing.dial}
	conn, err := dialer.DialContext(ctx, "tcp", c.end.addr)
	if err != nil {
		c.setDialed("")
		// The dialer may notice the context's deadline before the context does.
		if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
			<-ctx.Done()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return c.unreachable(err)
	}
	c.setDialed(conn.RemoteAddr().String())
	return conn.Close()
}

// setDialed notes the address that took a connection, "" if none does.
func (c *Client) setDialed(addr string) {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	c.dialed = addr
}

// unreachable returns the error for a node that can't be reached.
func (c *Client) unreachable(err error) error {
	return &Error{
		Kind: ErrUnreachable,
		Description: fmt.Sprintf("cannot reach the Bitcoin node at %s: %s; start bitcoind or correct --bitcoind",
			c.end.addr, cause(err)),
		Err: err,
	}
}

// cause returns the reason inside a network error, without addresses and ports that
// differ from try to try.
func cause(err error) string {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		return e.Err.Error()
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "no answer"
	}
	return clip(err.Error())
}

// refine turns what ended an exchange into an error of this package, or into the error
// of the caller's context ctx if that has ended.
func (c *Client) refine(ctx, callCtx context.Context, r *request, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case kindOf(err) != "":
		return err
	case callCtx.Err() != nil:
		return newError(ErrTimeout, "the Bitcoin node at %s didn't answer %s within %v", c.end.addr, r.name, r.timeout)
	}
	if rpcErr, ok := errors.AsType[*btcjson.RPCError](err); ok {
		return c.refineRPC(r, rpcErr)
	}

	// rpcclient gives what isn't JSON-RPC as text only.
	var status int
	if _, scanErr := fmt.Sscanf(err.Error(), "status code: %d", &status); scanErr == nil {
		return c.refineStatus(r, status)
	}
	c.setDialed("")
	return c.unreachable(err)
}

// refineRPC returns the error for one that the node itself reported.
func (c *Client) refineRPC(r *request, rpcErr *btcjson.RPCError) error {
	err := &Error{Kind: ErrRPC, Err: rpcErr}
	text := clip(rpcErr.Message)
	switch rpcErr.Code {
	case btcjson.ErrRPCInWarmup:
		err.Kind = ErrStarting
		err.Description = fmt.Sprintf("the Bitcoin node at %s is still starting (%s); wait until it is ready",
			c.end.addr, text)
	case btcjson.ErrRPCClientInInitialDownload:
		err.Kind = ErrSyncing
		err.Description = fmt.Sprintf("the Bitcoin node at %s is still downloading the block chain (%s); "+
			"wait until it has caught up", c.end.addr, text)
	case btcjson.ErrRPCClientNotConnected:
		err.Kind = ErrNoPeers
		err.Description = fmt.Sprintf("the Bitcoin node at %s has no connection to the Bitcoin network (%s); "+
			"let it reach its peers", c.end.addr, text)
	default:
		err.Description = fmt.Sprintf("the Bitcoin node answered %s with an error: %s (%d)",
			r.name, text, rpcErr.Code)
	}
	return err
}

// refineStatus returns the error for an answer that isn't JSON-RPC.
func (c *Client) refineStatus(r *request, status int) error {
	switch status {
	case http.StatusUnauthorized:
		hint := "correct user and password in --bitcoind (bitcoind's rpcuser and rpcpassword, or rpcauth)"
		if c.end.cookieFile != "" {
			hint = "check that --bitcoindcookie is the cookie file of this node"
		}
		return newError(ErrAuth, "the Bitcoin node at %s refuses our password; %s", c.end.addr, hint)
	case http.StatusForbidden:
		return newError(ErrAuth, "the Bitcoin node at %s refuses our address; "+
			"add this machine to bitcoind's rpcallowip", c.end.addr)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return newError(ErrTimeout, "the Bitcoin node at %s is too busy to answer %s (HTTP status %d); "+
			"raise bitcoind's rpcworkqueue", c.end.addr, r.name, status)
	}
	return newError(ErrBadReply, "%s doesn't answer like a Bitcoin node (%s: HTTP status %d); correct --bitcoind",
		c.end.addr, r.name, status)
}
