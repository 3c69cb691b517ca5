// Package connlimit decides who may connect to the Stratum port: how many connections
// there may be in all, how many from one address and how fast it may open them, and
// which one makes room when all places are taken.
//
// A connection takes a Slot when it is accepted, before anything is read from it. Its
// client's address may become known later, from a PROXY header. Once its miner has
// logged in the slot is settled and nobody takes it away. Until then it is pending:
// when there is no room, a pending connection of the address that has the most of them
// ends, so that a crowd of half-open connections keeps no miner out.
//
// One address is one IPv4 address or one IPv6 network of 64 bits, which is what a home
// or a rented server gets. Loopback and the addresses that the operator exempts are
// limited by the total only.
//
// Limiter.mu is a leaf: nothing is called while it is held.
package connlimit
