package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// Reason classifies why a connection ended.
type Reason string

// The reasons.
const (
	ReasonShutdown     Reason = "shutdown"             // our node stops
	ReasonRequested    Reason = "requested"            // the operator or the owner asked for it
	ReasonClosed       Reason = "closed by the peer"   // end of stream or reset
	ReasonConnection   Reason = "connection failed"    // any other I/O error
	ReasonHandshake    Reason = "handshake failed"     // out of order, too slow, too old
	ReasonWrongNetwork Reason = "another network"      // magic or ChainID differs
	ReasonSelf         Reason = "connected to oneself" // our own nonce came back
	ReasonDuplicate    Reason = "connected already"    // there is another connection with the same node
	ReasonEvicted      Reason = "slot needed"          // made room for another inbound connection
	ReasonNoV2         Reason = "v2 not understood"    // hung up on our v2 handshake without a word
	ReasonEncryption   Reason = "encryption failed"    // v2: another pool, another protocol, or bytes altered
	ReasonBusy         Reason = "too many handshakes"  // inbound v2, see Limiter
	ReasonIdle         Reason = "idle"                 // no complete message within IdleTimeout
	ReasonSlow         Reason = "too slow"             // send queue full or a write timed out
	ReasonTooMuch      Reason = "too much"             // out of budget for long with what nobody asked for
	ReasonProtocol     Reason = "protocol violation"   // the peer broke a rule of the messages
	ReasonMisbehaviour Reason = "misbehaviour"         // the peer broke a rule of the sharechain
	ReasonStalled      Reason = "stalled"              // the peer repeatedly left requests unanswered
)

// ReasonTemplate says that the peer sent the transactions of a share that our Bitcoin
// node makes no block of. Nodes need not agree on that.
const ReasonTemplate Reason = "transactions that Bitcoin refuses"

// Violation reports whether the reason is a rule that the peer broke, as
// opposed to trouble that honest peers have too.
func (r Reason) Violation() bool { return r == ReasonProtocol || r == ReasonMisbehaviour }

// Error is why a connection ended.
type Error struct {
	Reason Reason
	Err    error // details, may be nil
}

// Error returns the reason and its details.
func (e *Error) Error() string {
	if e.Err == nil {
		return string(e.Reason)
	}
	return fmt.Sprintf("%s: %v", e.Reason, e.Err)
}

// Unwrap returns the details.
func (e *Error) Unwrap() error { return e.Err }

// readError classifies an error of the transport; timeout is the reason if
// it was the deadline.
func readError(err error, timeout Reason) *Error {
	reason := ReasonConnection
	_, isV2 := errors.AsType[v2Error](err)
	switch rule, isRule := errors.AsType[share.RuleError](err); {
	case isRule && rule.Kind == message.ErrMagic:
		reason = ReasonWrongNetwork
	case isRule:
		reason = ReasonProtocol
	case errors.Is(err, errNoV2):
		reason = ReasonNoV2
	case isV2:
		reason = ReasonEncryption
	case errors.Is(err, errBusy):
		reason = ReasonBusy
	case errors.Is(err, os.ErrDeadlineExceeded):
		reason = timeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		reason = ReasonClosed
	}
	return &Error{Reason: reason, Err: err}
}

// causeOf returns why the connection's context ended. A context that was
// cancelled without one of our reasons was cancelled by the owner's shutdown.
func causeOf(ctx context.Context) *Error {
	if e, ok := errors.AsType[*Error](context.Cause(ctx)); ok {
		return e
	}
	return &Error{Reason: ReasonShutdown}
}
