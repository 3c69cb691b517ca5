// Package peertest is the dialer's side of the v2 transport for tests of hostile
// peers: it sends packets of any length, decoys, and contents that are no message.
//
// It is btcd's implementation, so that what it says is right in all that the test
// does not mean to be wrong. Tests of honest nodes use package peer.
package peertest
