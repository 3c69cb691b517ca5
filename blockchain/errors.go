package blockchain

import (
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// RuleError and ErrorKind are those of package share, which this package adds
// the rules of context to.
type (
	RuleError = share.RuleError
	ErrorKind = share.ErrorKind
)

// The rules a share can break in the context of a chain.
const (
	ErrFirstShare        ErrorKind = "ErrFirstShare"        // a first share with a height or uncles
	ErrHeight            ErrorKind = "ErrHeight"            // height is not the parent's plus one
	ErrAnchor            ErrorKind = "ErrAnchor"            // anchor is not the time of the chain's first share
	ErrShareCount        ErrorKind = "ErrShareCount"        // count is not the parent's plus one and the uncles
	ErrTotalWork         ErrorKind = "ErrTotalWork"         // work is not the parent's plus the share's and its uncles'
	ErrTimeTooOld        ErrorKind = "ErrTimeTooOld"        // time not above the median of the last shares
	ErrUnexpectedBits    ErrorKind = "ErrUnexpectedBits"    // bits other than the difficulty rule's
	ErrUncleDepth        ErrorKind = "ErrUncleDepth"        // uncle too high or too far below
	ErrUncleParent       ErrorKind = "ErrUncleParent"       // uncle's parent is no ancestor of the nephew
	ErrUncleIsAncestor   ErrorKind = "ErrUncleIsAncestor"   // uncle is on the nephew's own chain
	ErrUncleTwice        ErrorKind = "ErrUncleTwice"        // uncle was included before on this chain
	ErrBitcoinHeight     ErrorKind = "ErrBitcoinHeight"     // Bitcoin height is not the block's plus one
	ErrBitcoinHeader     ErrorKind = "ErrBitcoinHeader"     // header that Bitcoin would refuse (bits, time, version)
	ErrBitcoinInvalid    ErrorKind = "ErrBitcoinInvalid"    // builds on a block that our Bitcoin node calls invalid
	ErrBitcoinBackwards  ErrorKind = "ErrBitcoinBackwards"  // builds on an older Bitcoin block than its parent
	ErrTimeBeforeBitcoin ErrorKind = "ErrTimeBeforeBitcoin" // time long before its Bitcoin block's
)

// What an undecided share waits for.
const (
	ErrMissingParent       ErrorKind = "ErrMissingParent"
	ErrMissingUncle        ErrorKind = "ErrMissingUncle"
	ErrMissingBitcoinBlock ErrorKind = "ErrMissingBitcoinBlock"
	ErrTimeTooNew          ErrorKind = "ErrTimeTooNew"       // share time ahead of our clock
	ErrHeaderTimeTooNew    ErrorKind = "ErrHeaderTimeTooNew" // header time ahead of what Bitcoin accepts now
)

// Kinds of ContextError.
const (
	ErrDuplicate  ErrorKind = "ErrDuplicate"  // the share is known already
	ErrLowWork    ErrorKind = "ErrLowWork"    // off the main chain and far easier than the tip
	ErrUnknown    ErrorKind = "ErrUnknown"    // no such share
	ErrCorrupt    ErrorKind = "ErrCorrupt"    // a stored share does not fit the chain
	ErrOtherChain ErrorKind = "ErrOtherChain" // the first share of another chain than the one that is known from its root on
	ErrWindow     ErrorKind = "ErrWindow"     // the payout window reaches below what is known of the chain
)

// UndecidedError says what a share waits for. It is retried when that arrives
// and never held against its sender.
type UndecidedError struct {
	Kind          ErrorKind
	MissingShares []chainhash.Hash // to ask peers for; nil unless a parent or uncles are missing
	MissingBlock  *chainhash.Hash  // to ask the Bitcoin node for, or nil
	RetryAt       time.Time        // when the time will have come, or zero
	Description   string
}

// Error describes what is missing.
func (e *UndecidedError) Error() string { return e.Description }

// Unwrap gives the kind to errors.Is.
func (e *UndecidedError) Unwrap() error { return e.Kind }

// ContextError is a failure that says nothing about the sender: our disk, our
// Bitcoin node, our state.
type ContextError struct {
	Kind        ErrorKind
	Description string
	Err         error // the cause, or nil
}

// Error describes the failure.
func (e ContextError) Error() string {
	if e.Err != nil {
		return e.Description + ": " + e.Err.Error()
	}
	return e.Description
}

// Unwrap gives kind and cause to errors.Is.
func (e ContextError) Unwrap() []error { return []error{e.Kind, e.Err} }

func ruleError(kind ErrorKind, format string, args ...any) error {
	return RuleError{Kind: kind, Description: fmt.Sprintf(format, args...)}
}

func contextError(kind ErrorKind, format string, args ...any) error {
	return ContextError{Kind: kind, Description: fmt.Sprintf(format, args...)}
}
