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
//     Unverified. A Verify with Sync may come from any event, not only from a
//     message of the peer that it names. Only one such is out at a time, so one
//     goroutine of their own does for all of them.
//  5. A Serve action carries a request of the peer: call Serve with it, likewise
//     without the lock. Messages to the peer may be held back until it reads.
//     With Config.Loading, call Loaded when the chain is loaded; there is no Verify and
//     no Serve before.
//  6. Call Announce for shares that became valid in any other way: those mined
//     here, and orphans whose missing parent arrived. A Publish action names one.
//
// # Sync
//
// One peer at a time, the session's, names the chain: it is asked for the ids of its
// main chain after our locator, at most message.MaxInv at a time. The shares are asked
// of it and of others, as below. The next locator starts where the last inv ended; it
// is sent as soon as there is room in the window, provided that shares were accepted
// since the one before, so that the sources never run dry. The session goes on until
// nothing new comes.
//
// A peer is chosen for a session if it claims more work than our tip has or sent a
// share far ahead of it. Claims are believed only until the peer has been asked: one that
// has nothing to show for its claim, or stalls, loses it and is not asked again
// for a while. A session without an accepted share for SessionTimeout ends; one
// that is slow yields if another peer promises more too, and at once if nothing at
// all has come from its peer for as long as our patience lasts. As a safety net a peer
// is asked in turn whenever no share was accepted for StaleInterval.
//
// A claim alone proves nothing, and nothing must depend on it but whom to ask:
// Progress tells claims from proven syncing, when shares come in faster than
// anybody could mine them. That a first attempt ends is bounded by FirstSyncLimit,
// whatever peers do, unless they bring real shares all the time.
//
// # The window
//
// The named ids make up the session's window, oldest first, of MaxSyncWants at most.
// They are asked in batches of MaxBatch of all who may have them: the session's peer,
// and once it has brought a share that the chain took, maxHelpers others whose
// height seems sufficient. Each has one batch under way at first and one more for
// each that it answered, up to MaxSyncRequests; the session's own peer less the more
// others help, as its invs must not wait behind shares. Those that haven't
// answered yet are tried one at a time, then as many as have proved good and one more.
//
// What arrives out of its turn waits in the window, of MaxWindowBytes at most, with the
// name of its sender. The chain gets the shares in the order of the window, those of
// one sender at a time, and the next when it has judged them. So whoever delivers bad
// shares is to blame for them and nobody else, and nothing behind them has been
// judged yet: they are asked of others.
//
// The oldest batch decides. If its peer keeps the window waiting for longer than our
// patience while others have delivered what comes next, all it was asked for is asked of
// others. Patience is minPatience, doubles each time up to maxPatience, as our own link may
// be slow, and shrinks while the window moves. A quarter of it is enough if the peer
// never answered in this session, or if another that did would be idle. Who holds
// the window up twice, or denies two batches, is out of this session; after
// maxFailures of that kind no new helpers are tried. What a helper denies is asked of the
// session's own peer; if that denies it too, it is passed over.
//
// # Joining from the middle
//
// A node keeps the upper part of the sharechain only. So a new node, or one that
// was away for long, has to start from a share whose parent nobody has: a root.
// When the first inv of a session, of two ids or more, begins with an id that we
// don't have, that id is the session's root: the peer knew nothing in our locator,
// and this is the lowest share it can give. (Or the peer did know something; then
// the share's parent is here, and calling it a root changes nothing.) When the
// share arrives, asked of this peer and no other in this session, its Verify names it, and the
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
// others, and after MaxStalls in a row the peer is disconnected. What was given to
// others it still owes: it goes on stalling until it answers. A notfound for
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
