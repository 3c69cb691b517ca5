// Package peer runs one connection of the peer network: transport, handshake,
// reader, writer, bounded send queue, pings and statistics. It knows frames and
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
// # Transports
//
// Messages travel in plain frames (v1) or in the encrypted packets of BIP 324
// (v2). The dialer chooses by Config.V2; the listener tells them apart by the
// first bytes. Before the exchange above, v2 has one of its own:
//
//	dialer                                    listener
//	key, garbage                 ----------->
//	                             <-----------   key, garbage, terminator, version packet
//	terminator, version packet   ----------->
//
// The ciphers are btcd's v2transport, the keys btcec's. The handshake and the
// packets' framing are written here because v2transport's allocate by the length
// that a peer claims, up to 16 MiB, accept decoys without end and keep the session
// id to themselves. Here a length is checked against the cap of the moment first,
// memory follows the bytes received, and the key exchanges of all strangers
// together are limited in time (Limiter).
//
// Until a packet has been authenticated, whatever is wrong with it may be the work
// of somebody on the path: such a connection ends for ReasonEncryption, which is no
// violation. A packet that authenticates and breaks a rule is its sender's.
//
// Every key and secret lives as long as its connection and is never logged.
//
// # Concurrency
//
//	goroutine  life                     work
//	reader     Run to disconnect        handshake; reads a message, handles it, reads the next
//	writer     handshake to disconnect  sends the queue; pings
//
// Handle runs in the reader goroutine: while it works, nothing more is read
// from this peer, which is the back-pressure on peers that ask too much. Before that,
// Config.Budget may let a message wait, to the same effect. Send,
// Disconnect, Stats and the other methods may be called from any goroutine and
// never block; SendWait and AwaitRoom block and are for Handle alone. The mutexes of
// the queue, of Config.Large and
// the ping are leaves: nothing is called while they are held.
package peer
