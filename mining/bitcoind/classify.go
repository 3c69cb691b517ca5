package bitcoind

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/btcsuite/btcd/btcjson"
)

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

// refineRPC returns the error for one that the node itself reported.
func (c *Client) refineRPC(r *request, cause error) error {
	rpcErr, _ := errors.AsType[*btcjson.RPCError](cause)
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
