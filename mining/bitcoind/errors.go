package bitcoind

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcjson"
)

// ErrorKind says what is wrong with the Bitcoin node or with what it answered. It
// implements error, so that errors.Is(err, ErrAuth) works on every error of this package.
type ErrorKind string

// Error implements the error interface.
func (k ErrorKind) Error() string { return string(k) }

const (
	// ErrUnreachable: nothing answers at the node's address.
	ErrUnreachable ErrorKind = "unreachable"

	// ErrTimeout: the node took the call but didn't answer in time.
	ErrTimeout ErrorKind = "timeout"

	// ErrAuth: the node refuses user and password, or the cookie.
	ErrAuth ErrorKind = "authentication failed"

	// ErrCookie: the cookie file is missing or can't be used.
	ErrCookie ErrorKind = "bad cookie file"

	// ErrWrongNetwork: the node is on another Bitcoin network.
	ErrWrongNetwork ErrorKind = "wrong network"

	// ErrStarting: the node answers but is still loading its data.
	ErrStarting ErrorKind = "starting"

	// ErrSyncing: the node is still downloading the block chain.
	ErrSyncing ErrorKind = "initial block download"

	// ErrNoPeers: the node has no connection to the Bitcoin network.
	ErrNoPeers ErrorKind = "no peers"

	// ErrTooOld: the node's software lacks what mining needs.
	ErrTooOld ErrorKind = "node too old"

	// ErrUnknownRule: Bitcoin has a rule that this version of the pool can't follow.
	ErrUnknownRule ErrorKind = "unknown mandatory rule"

	// ErrBadReply: the node's answer makes no sense.
	ErrBadReply ErrorKind = "bad reply"

	// ErrRPC: the node answered with an error that has no kind of its own.
	ErrRPC ErrorKind = "rpc error"

	// ErrUnknownBlock: the node doesn't know the block, or its chain has no such height.
	ErrUnknownBlock ErrorKind = "unknown block"

	// ErrReorg: the node's best chain changed again and again while it was read.
	ErrReorg ErrorKind = "best chain changed"

	// ErrRejected: the node found a submitted block invalid.
	ErrRejected ErrorKind = "block rejected"
)

// Error is an error of this package: a kind for programs and a description for people,
// which says what to do where there is something to do.
type Error struct {
	Kind        ErrorKind
	Description string

	// Err is the cause, or nil.
	Err error
}

// Error implements the error interface.
func (e *Error) Error() string { return e.Description }

// Unwrap gives errors.Is and errors.As the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// newError returns an Error; an argument of type error becomes its cause.
func newError(kind ErrorKind, format string, args ...any) *Error {
	e := &Error{Kind: kind, Description: fmt.Sprintf(format, args...)}
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			e.Err = err
		}
	}
	return e
}

// kindOf returns the kind of an error of this package, else "".
func kindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

// rpcCode returns the code of the error that the node answered with, else 0.
func rpcCode(err error) btcjson.RPCErrorCode {
	if e, ok := errors.AsType[*btcjson.RPCError](err); ok {
		return e.Code
	}
	return 0
}

// clip bounds text that comes from the node before it goes into a message.
func clip(s string) string {
	const most = 200 // characters; longer texts are of no use in one line
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
