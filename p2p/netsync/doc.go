// Package netsync decides what to say to which peer: it brings a node to the
// best sharechain its peers have, and spreads new shares.
//
// The Manager is sans-I/O. It has no goroutine, socket, clock or logger;
// package p2p drives one over TCP, the simulator drives thousands on virtual
// time. For the same inputs it makes the same decisions.
//
// # Duties of the driver
//
//  1. Give every connection a PeerID that is never used again. Call Connected
//     after the handshake, Receive for each message, Disconnected at the end.
//  2. Call Tick every TickInterval.
//  3. Carry out the returned actions: Send and Disconnect at once and in order,
//     before the next event of another peer.
//  4. A Verify action carries shares, and perhaps the name of a root among them:
//     have the chain judge them in order, in chunks of whatever size, and give each
//     verdict to Verdict, in the same order. Judging may take long and should
//     happen without whatever lock guards the Manager. The verdicts on a chunk may
//     be given one right after the other, even if the first ends the connection: a
//     peer on its way out is not blamed any further, and what it sent still counts.
//     If the peer is gone before the next chunk, stop and give the rest to
//     Unverified.
//  5. A Serve action carries a request of the peer: call Serve with it, likewise
//     without the lock. Messages to the peer may be held back until it reads.
//  6. Call Announce for shares that became valid in any other way: those mined
//     here, and orphans whose missing parent arrived. A Publish action names one.
//
// # Sync
//
// One peer at a time, the session's, is asked for the ids of its main chain
// after our locator, at most message.MaxInv at a time, then for those shares in
// batches of MaxBatch, oldest first, MaxSyncRequests batches under way. When the
// round is through, the next locator starts at its end, until nothing new comes.
// A peer is asked if it claims more work than our tip has or sent a share far
// ahead of it. Claims are believed only until the peer has been asked: one that
// has nothing to show for its claim, or stalls, loses it and is not asked again
// for a while. A session without an accepted share for SessionTimeout ends; one
// that is slow yields if another peer promises more too. As a safety net a peer is
// asked in turn whenever no share was accepted for StaleInterval.
//
// A claim alone proves nothing, and nothing must depend on it but whom to ask:
// Progress tells claims from proven syncing, when shares come in faster than
// anybody could mine them.
//
// # Joining from the middle
//
// A node keeps the upper part of the sharechain only. So a new node, or one that
// was away for long, has to start from a share whose parent nobody has: a root.
// When the first inv of a session, of two ids or more, begins with an id that we
// don't have, that id is the session's root: the peer knew nothing in our locator,
// and this is the lowest share it can give. (Or the peer did know something; then
// the share's parent is here, and calling it a root changes nothing.) When the
// share arrives, asked of this peer in this session, its Verify names it, and the
// chain may accept it without its parent. At most one share in a session is
// offered so, and none that came unasked, from another peer or outside of a
// session.
//
// If the chain doesn't take the root, nothing above it can be placed. So the session
// ends at once, the claim is dropped, and the peer not asked again for a while. If
// the peer doesn't have the root any more, but what lies above it, it has pruned
// meanwhile, and the session begins anew, maxRestarts times in a row at most. As
// with claims, the work that a share states proves nothing: a session whose shares
// were all taken but never became our tip has shown less than was promised, and is
// followed by a pause as well. Whatever the reason, after maxUndecided shares in a
// row that the chain can't place the session ends.
//
// # Requests
//
// Each wanted id is asked of one peer at a time. A new share that its announcer
// doesn't deliver within RelayTimeout is asked of another who has it; a peer
// without any progress for StallTimeout has stalled: everything is asked of
// others, and after MaxStalls in a row the peer is disconnected. A notfound for
// what the peer named in a session itself is no progress. A request is always
// answered, by shares or notfound, so an honest peer never stalls.
//
// # Verdicts
//
// Valid: relayed to every peer that doesn't know the share (but not what a sync
// brings: at the end of a session the new tip is announced instead). Invalid, a
// RuleError: the sender is disconnected. Undecided: the missing shares are asked
// of the sender; nobody is to blame. Anything else is our own trouble or a
// duplicate, and ignored, but relayed if the share became valid meanwhile.
//
// # Concurrency
//
// A Manager is for one goroutine at a time: the caller locks. It calls the
// Chain's methods, which only read. Lock order: the caller's lock, then whatever
// locks the Chain has.
package netsync
