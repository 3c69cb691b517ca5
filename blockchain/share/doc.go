// Package share defines the share: a Bitcoin block header at an easier target
// whose coinbase pays everyone in the payout window and commits to the share's
// own data.
//
// The package holds the fields and their bounds, the canonical encoding, the
// commitment, the form of the coinbase that every verifier rebuilds byte for
// byte, the link that ties both to the header without it, and the identity of a share: ShareID = hash of its Bitcoin header. What
// a share means in the context of a chain is package blockchain's business.
//
// Nothing here keeps state; a Share may be read concurrently once it is no
// longer changed.
package share
