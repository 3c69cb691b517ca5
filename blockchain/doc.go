// Package blockchain is the sharechain as a pure state machine: shares,
// Bitcoin headers and the time go in, verdicts, reorganisations and snapshots
// come out. It has no goroutine, clock, socket, disk or logger.
//
// A Chain keeps an index of all accepted shares, main chain and branches, and
// chooses the valid chain with the most work, uncles included; the first seen
// wins ties. Its caller (internal/chainman) owes it, in this order:
//
//  1. AddBitcoinHeader for the node's recent Bitcoin headers;
//  2. Restore for each stored share, lowest first, then Restored;
//  3. Accept for each new share, and to store every share of the returned
//     Update durably before telling anyone that it was accepted;
//  4. AddBitcoinHeader and Retry when Bitcoin moves or an undecided share's
//     missing block arrives, and Retry as time passes.
//
// # Verdicts
//
// Accept knows three: nil is valid; a RuleError is invalid, and the sender at
// fault; an *UndecidedError means that something is missing (a parent, an uncle,
// a Bitcoin block, or that the time has not come). Undecided shares are held
// within limits and tried again, never blamed on anyone and never remembered as
// invalid. A ContextError is our own affair.
//
// # Concurrency
//
// A Chain is not safe for concurrent use; the caller serialises everything. The
// values it hands out (Tip, Update, scores) are immutable.
package blockchain
