package rpcserver

import (
	"errors"
	"fmt"
)

// Error codes. The first five are those of the JSON-RPC 2.0 specification, the
// others those that Bitcoin Core uses for the same situation, so that existing
// client libraries know them.
const (
	CodeParse          = -32700 // not JSON, or not a JSON-RPC request at all
	CodeInvalidRequest = -32600 // JSON, but not a valid request object
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603
	CodeNotFound       = -5  // unknown share, height, …
	CodeAlreadyBanned  = -23 // setban add of what is banned
	CodeNotReady       = -28 // nothing to answer with yet, try again later
	CodeNotConnected   = -29 // disconnectnode of a peer that is not there
	CodeSubnet         = -30 // setban: no address or network, or one that is not on the list
)

// Error is an error as it goes over the wire.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

var (
	// ErrNotFound is wrapped by a Backend's error when what was asked for
	// does not exist.
	ErrNotFound = errors.New("not found")

	// ErrNotReady is wrapped by a Backend's error when the answer does not
	// exist yet, for example because there is no template.
	ErrNotReady = errors.New("not ready yet")
)

// InvalidParameter returns the error for a parameter that cannot be used. The
// text should say which one and what would be right.
func InvalidParameter(format string, args ...any) *Error {
	return &Error{Code: CodeInvalidParams, Message: fmt.Sprintf(format, args...)}
}

// wireError turns any error into what the client gets. The text of an internal
// error is sent too: whoever may call has the node's credentials.
func wireError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	code := CodeInternal
	switch {
	case errors.Is(err, ErrNotFound):
		code = CodeNotFound
	case errors.Is(err, ErrNotReady):
		code = CodeNotReady
	}
	return &Error{Code: code, Message: err.Error()}
}
