// Package p2p is the peer network of a node: it listens, dials, runs the
// connections and moves messages between them and one netsync.Manager, which
// decides about sync and relay. The chain behind it is the Chain of the
// configuration.
//
// cmd/p2poold builds the Server and calls Run; internal/chainman calls Announce
// for shares mined here and for orphans that became valid; the RPC server reads
// Peers and Progress.
//
// # Goroutines
//
//	per listener    accepts connections
//	per peer        three: Run, its reader (handles its messages), its writer
//	per Connect     dials, runs the peer, waits, dials again
//	  or AddNode
//	per found node  dials, runs the peer
//	one finder      decides whom to dial next (package connmgr)
//	one seeker      asks the seeds while there are too few connections
//	one keeper      saves the address book
//	one ticker      deadlines of netsync, progress log
//
// Run returns when all of them are gone.
//
// # Locks
//
// Server.mu guards the Manager, the peers, the listeners' books, the choice of
// whom to dial and the gossip about addresses. It is held for the decision on one
// event and for putting the resulting messages into send queues, never for a
// validation, a disk access or a wait: Chain.AcceptAll and the answers to
// requests run in the reader goroutine of the peer that caused them, without the
// lock, so a peer that sends much work delays itself only. Lock order: Server.mu,
// then a peer's queue, the address book's or the chain's reading lock. Nothing
// may call into the Server while it holds a lock that the Chain's reading methods
// need.
package p2p
