// Package message holds the wire messages of the peer network, one file each,
// and Bitcoin's v1 framing around them.
//
// # Frame
//
// All integers are little endian; a varint is Bitcoin's CompactSize in its
// shortest form, longer forms are refused.
//
//	bytes  field
//	4      magic, the first four bytes of the ChainID
//	12     command, ASCII, padded with zeros
//	4      payload length in bytes
//	4      checksum, the first four bytes of SHA256d(payload)
//	n      payload, at most MaxPayload and at most the message type's own cap
//
// # Messages
//
//	version     introduction: chain, best share, work, relay mode   cap  4,096 B
//	verack      the version is accepted                             cap      0 B
//	ping, pong  latency and liveness                                cap      8 B
//	inv         share ids: an announcement, or getlocator's answer  cap 64,003 B
//	getshares   ask for shares and generations of their ancestors   cap  9,224 B
//	shares      encoded shares: an answer, or a push                cap   240 kB
//	notfound    ids of getshares that cannot be served              cap  8,195 B
//	getlocator  ask for main-chain ids behind a locator             cap  2,085 B
//	setmode     change the relay mode of the link                   cap      1 B
//	getaddr     ask for addresses of nodes                          cap      0 B
//	addr        addresses: an answer, or a few new ones             cap 65,536 B
//	addrme      the sender listens, on this port                    cap      2 B
//	cmpctshare  a share's transactions, by what is known            cap 183,401 B
//	getsharetxn ask for some of them                                cap 50,033 B
//	sharetxn    those                                               cap 1,000,041 B
//	block       a share that is a Bitcoin block, all of it          cap 234,167 B
//
// # Rules of every decoder
//
// A length or count is checked against its named limit and against the bytes
// that are really there before anything is allocated by it. Bytes after the
// last field are refused, except in version, whose unknown tail belongs to
// later protocol versions. Addresses of unknown networks in addr are left out.
// Payload memory grows with the bytes received, never by the length the frame
// claims. A broken rule is a share.RuleError, which says that the sender is at
// fault; any other error of Reader is the connection's own.
//
// Package peer reads and writes the frames; netsync and the peer handshake make
// and interpret the messages. Messages are plain values: once handed to another
// goroutine they must not be changed. Reader is for one goroutine; everything
// else is stateless and safe for concurrent use.
package message
