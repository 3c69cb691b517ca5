// Package connmgr decides whom to dial: it takes addresses from the book of
// package addrmgr and keeps account of the outbound connections made that way. It
// makes none itself. Time is passed in; package p2p dials, reports and holds the
// lock.
//
// In this order of preference:
//
//	anchors     outbound connections of the last run: the share-only ones, then the
//	            longest full ones. As many as there are share-only slots become
//	            share-only again, the others full
//	full        until there are Config.Full of them
//	share-only  until there are Config.ShareOnly of them. Nothing is said of
//	            addresses there, so that others cannot infer the connection from how
//	            addresses spread; they are the ones that an attacker cannot single out
//	extra       one more full one if no new share has come for long; of all of those
//	            the one that has not brought any for longest is then let go
//	feeler      every two minutes, an address that has never been tried, or one in
//	            the way of another: whether it answers is all that matters
//
// All but feelers are each in another group: /16 of IPv4, /32 of IPv6 and so on.
//
// Connections that the operator names are not among them. They take no slot and
// no group.
//
// A Chooser is for one goroutine at a time.
package connmgr
