// Package p2p is the peer network of a node: it listens, dials, runs the
// connections and moves messages between them and one netsync.Manager, which
// decides about sync and relay. The chain behind it is the Chain of the
// configuration.
//
// cmd/p2poold builds the Server and calls Run; internal/chainman calls Announce
// for shares mined here and for orphans that became valid; the RPC server reads
// Peers and Progress, and changes the list of bans.
//
// A Server can run before the chain is loaded (Config.Loading), which waits for the
// Bitcoin node: a block that an earlier run of this node left reaches peers then already.
//
// Package dialer leads to the networks that there are, through proxies where need
// be, and says of every connection which network it belongs to. What a peer is told
// of this node goes by its identity, the kind of way to it (identity.go,
// disguise.go), so that a node in several networks is not recognised as one.
//
// Who gets in is decided by limits per host and group (inbound.go) and, when all
// slots are taken, by package eviction. Of two connections with one node, one goes
// (duplicate.go).
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
//	two keepers     save the address book and the list of bans
//	one mapper      keeps the port mapped on the router (package portmap)
//	one searcher    looks for nodes in the local network (package lan)
//	per node there  dials, runs the peer, dials again while it answers
//	one ticker      deadlines of netsync, progress log
//	one verifier    has the chain judge what syncs fetched from several peers
//	one taker       for a moment, of blocks that waited for the first template
//
// Run returns when all of them are gone.
//
// # Locks
//
// Server.mu guards the Manager, the peers, the inbound slots, the choice of whom
// to dial and the gossip about addresses. It is held for the decision on one event
// and for putting the resulting messages into send queues, never for a validation,
// a disk access or a wait: Chain.AcceptAll and the answers to requests run in the
// reader goroutine of the peer that caused them, without the lock, so a peer that
// sends much work delays itself only. How much it may send, and whose turn it is, is
// what package budget is for (budget_conn.go). What a sync fetches is judged by the
// verifier, in its order; the Manager bounds how much of it there is. Lock order:
// Server.mu, then a peer's queue, the lock of the address book or of the list of
// bans, or the chain's reading lock. Nothing may call into the Server while it
// holds a lock that the Chain's reading methods need.
package p2p
