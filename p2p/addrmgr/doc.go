// Package addrmgr is the node's book of other nodes' addresses: what it heard of
// (new) and what it once was connected to (tried). It is built so that nobody can
// fill it with addresses of his own, and chooses from it whom to dial.
//
// Package p2p adds what gossip brings, asks it through connmgr for addresses to
// dial, reports how that went, and saves it.
//
// # Buckets
//
// The two tables are those of Bitcoin Core (addrman), with its sizes:
//
//	table  buckets  slots each  the bucket is chosen by
//	new    1,024    64          source group: 64 buckets, one of them by address group
//	tried  256      64          address group: 8 buckets, one of them by address
//
// Bucket and slot follow from a hash with a secret key, so that nobody knows what
// he would have to announce to push out a certain address. All that one group of
// sources can tell goes into 64 of the 1,024 new buckets, 6.25 %, and all addresses
// of one group into 8 of the 256 tried ones, 3.1 %. An address gets into tried by
// a connection that we made. There it gives way to another only after it has been
// dialed once more, in vain (test before evict).
//
// A choice takes the table by a throw of a coin, then one of its buckets that
// aren't empty, then an address in it: one group's share of the choices is at
// most that of its buckets, not that of its addresses.
//
// # Why not btcd's addrmgr
//
// It has the same buckets, but its addresses are of IPv4, IPv6 and Tor only; it
// drops all that is not routable, which is everything on regtest; clock and random
// numbers can't be given to it, and choices by the order of a map can't be
// repeated; it doesn't test before it evicts; it writes its file in place and
// without a checksum; and its logger is global. What would be left of it behind a
// wrapper is the two formulas for the buckets.
//
// # Concurrency and limits
//
// All methods are safe for concurrent use; the mutex is a leaf. There is no
// goroutine. The book holds at most 65,536 new and 16,384 tried addresses, some
// 300 bytes each: 25 MB when all slots are taken.
package addrmgr
