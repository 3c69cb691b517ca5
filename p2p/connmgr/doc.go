// Package connmgr decides whom to dial: it takes addresses from the book of
// package addrmgr and keeps account of the outbound connections made that way. It
// makes none itself. Time is passed in; package p2p dials, reports and holds the
// lock.
//
// In this order of preference:
//
//	anchors   the longest outbound connections of the last run
//	full      until there are Config.Full outbound connections, each in another
//	          group: /16 of IPv4, /32 of IPv6 and so on
//	extra     one more if no new share has come for long; of all of them the one
//	          that has not brought any for longest is then let go
//	feeler    every two minutes, an address that has never been tried, or one in
//	          the way of another: whether it answers is all that matters
//
// Connections that the operator names are not among them. They take no slot and
// no group.
//
// A Chooser is for one goroutine at a time.
package connmgr
