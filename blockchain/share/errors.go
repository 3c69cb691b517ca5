package share

import "fmt"

// ErrorKind identifies a rule that a share broke, or the thing that an
// undecided share waits for. Kinds are errors themselves, so that
// errors.Is(err, share.ErrPayee) works through every wrapping.
type ErrorKind string

// Error returns the kind's name.
func (k ErrorKind) Error() string { return string(k) }

// The rules about a share's form, which need no context.
const (
	ErrTruncated         ErrorKind = "ErrTruncated"         // the encoding ends before its last field
	ErrTrailingBytes     ErrorKind = "ErrTrailingBytes"     // bytes follow the last field
	ErrVersion           ErrorKind = "ErrVersion"           // a share version this node does not know
	ErrTooManyUncles     ErrorKind = "ErrTooManyUncles"     // more than MaxUncles uncles
	ErrUncleOrder        ErrorKind = "ErrUncleOrder"        // uncles not strictly ascending
	ErrPayee             ErrorKind = "ErrPayee"             // payee script not of a standard form
	ErrCoinbaseValue     ErrorKind = "ErrCoinbaseValue"     // negative, or more than all bitcoin
	ErrClass             ErrorKind = "ErrClass"             // unknown output class
	ErrWork              ErrorKind = "ErrWork"              // chain work out of bounds
	ErrTag               ErrorKind = "ErrTag"               // tag too long
	ErrWitnessCommitment ErrorKind = "ErrWitnessCommitment" // neither absent nor 32 bytes
	ErrMergedMining      ErrorKind = "ErrMergedMining"      // neither absent nor 40 bytes
	ErrBranch            ErrorKind = "ErrBranch"            // merkle branch too long
	ErrBits              ErrorKind = "ErrBits"              // bits are no positive 256-bit target
	ErrProofOfWork       ErrorKind = "ErrProofOfWork"       // header hash above the claimed target
	ErrLink              ErrorKind = "ErrLink"              // length of the coinbase out of bounds
	ErrMerkleRoot        ErrorKind = "ErrMerkleRoot"        // link, data and branch do not give the header's root
)

// ErrPayouts needs the payout window: the coinbase does not pay what the sharechain
// owes.
const ErrPayouts ErrorKind = "ErrPayouts"

// RuleError says that a share, or a message that carried it, broke a rule: its
// sender is at fault.
type RuleError struct {
	Kind        ErrorKind
	Description string
}

// Error describes the broken rule.
func (e RuleError) Error() string { return e.Description }

// Unwrap gives the kind to errors.Is.
func (e RuleError) Unwrap() error { return e.Kind }

// ruleError builds a RuleError from a format.
func ruleError(kind ErrorKind, format string, args ...any) RuleError {
	return RuleError{Kind: kind, Description: fmt.Sprintf(format, args...)}
}
