// Package peer runs one connection of the peer network: handshake, reader,
// writer, bounded send queue, pings and statistics. It knows frames and
// liveness but nothing about shares; what a message means is decided by the
// owner's Handle function.
//
// The owner (package p2p) makes a connection, inbound or outbound, hands it to
// New and calls Run, which blocks until the connection and both goroutines are
// gone and returns why.
//
// # Handshake
//
//	dialer                    listener
//	version  ------------->
//	         <-------------   version
//	verack   ------------->
//	         <-------------   verack
//
// Each step waits for the one before it, so the exchange also works over an
// unbuffered pipe. Until it is complete only these two messages are accepted,
// frames are limited to a version's size, and everything must happen within
// HandshakeTimeout.
//
// # Concurrency
//
//	goroutine  life                     work
//	reader     Run to disconnect        handshake; reads a message, handles it, reads the next
//	writer     handshake to disconnect  sends the queue; pings
//
// Handle runs in the reader goroutine: while it works, nothing more is read
// from this peer, which is the back-pressure on peers that ask too much. Send,
// Disconnect, Stats and the other methods may be called from any goroutine and
// never block; SendWait blocks and is for Handle alone. The queue's mutex and
// the ping's mutex are leaves: nothing is called while they are held.
package peer
