// Package compact lets every node have the transactions of every new share, so
// that a share that turns out to be a Bitcoin block can be rebuilt and submitted
// by all of them, at the cost of some hundred bytes a share.
//
// A share is relayed by itself, as soon as it is valid. Its transactions follow
// as a list (message cmpctshare) that copies stretches from the list of another
// recent share, which both sides have, and names the rest by the six-byte ids of
// BIP 152. The receiver looks these up among the transactions of its own block
// template and of recent shares, and asks for what is missing (getsharetxn,
// sharetxn). If it lacks the base, or the result is not what the share commits
// to, as a collision of short ids makes it, it asks for the list once more,
// without a base and with other ids, and blames nobody. What is done on behalf of
// a list is bounded, and begins only when the share is known to be valid: lying
// costs a proof of work.
//
// A share that is a Bitcoin block travels in the message block as well, together
// with its coinbase and its list. It proves itself by Bitcoin's own difficulty, so
// that a node can rebuild and submit it before it judges the share.
//
// A block found here is open until its fate is known: it is kept with its transactions for
// peers that connect meanwhile, and a node or host that connects often is told of it a few times.
//
// Relay has no goroutine, socket or clock. Package p2p drives one: it carries the
// messages, hands over what is mined here and the node's templates, and submits
// the blocks that come out. Relay has a mutex of its own, held for some
// milliseconds at most, and calls Config.Share under it; p2p doesn't hold its own
// lock meanwhile.
package compact
