// Package connlimit decides who may connect to the Stratum port: how many connections
// there may be in all, how many from one address and how fast it may open them, and
// which one makes room when all places are taken.
//
// A connection takes a Slot when it is accepted, before anything is read from it. Its
// client's address may become known later, from a PROXY header. Until its miner has
// logged in it is pending, after that untried, and with its first good submission it
// works. When there is no room, a pending connection ends; if there is none, one that has
// been untried for five minutes; if there is none, one whose last good submission is half
// an hour ago. Among those that are oldest it is one of the address that has the most
// connections. So neither half-open connections nor such that only hold a place keep a
// miner out, and one that works is never touched.
//
// One address is one IPv4 address or one IPv6 network of 64 bits, which is what a home
// or a rented server gets; there is a second, wider limit for an IPv6 network of 48 bits.
// Loopback and the addresses that the operator exempts are limited by the total only.
//
// Limiter.mu is a leaf: nothing is called while it is held.
package connlimit
