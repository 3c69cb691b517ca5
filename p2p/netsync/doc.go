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
//     before the next call into the Manager.
//  4. A Verify action carries shares: give each in order to Chain.Accept and its
//     result to Verdict. This may take long and should happen without whatever
//     lock guards the Manager. If the peer is gone meanwhile,
//     stop and give the rest to Unverified.
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
// Chain's reading methods only, never Accept. Lock order: the caller's lock, then
// whatever locks the Chain has.
package netsync
