// Package eviction decides whom to let go when all inbound slots are taken and
// another node knocks. Package p2p asks it; it is one pure function.
//
// An attacker who opens more connections than there are slots must not get all of
// them. So peers are set aside, a few for each of several merits that one attacker
// can hardly have all of at once, and of those that remain one of the network group
// with the most connections goes. What is set aside, in this order:
//
//	peers                  merit                   what it would take to have it
//	those in Protected     the operator says so    -
//	1 each of 4 groups     a keyed hash            to know this process's secret
//	8                      lowest round trip       to be near
//	8                      latest new valid share  to mine, or to relay faster
//	a quarter of the rest  longest connected, over a network at a disadvantage
//	a quarter of the rest  longest connected       to have come before the others
//
// If fewer are at a disadvantage, more are set aside for their time. Of those that
// remain the discouraged go first.
//
// These are the merits that Bitcoin Core looks at (src/node/eviction.cpp), with
// shares in place of its transactions and blocks. Addresses of nodes count for
// nothing: they cost nothing to invent. Of a group that the hash names only one
// peer is set aside, so that a group with many connections does not profit more.
package eviction
