// Package lan finds the nodes of the same pool in the local network, and lets them
// find this one, by DNS-Based Service Discovery over Multicast DNS (RFC 6763 and
// 6762) for IPv4. Package p2p calls Run and dials whom OnFound names.
//
// A node answers for an instance of _p2pool._tcp with a random name, new in each
// run, on the port it listens on. Its TXT record has the first bytes of the ChainID:
// nodes of other pools and networks are passed over.
//
// # Whom it believes
//
// Any machine of the local network can send anything, in any number. Therefore
// nothing that is heard is kept: a datagram either names, by itself, nodes of the
// pool, or nothing. That is why the records are handled here, on top of the codec and
// the sockets of golang.org/x/net: the libraries for service discovery collect what
// strangers send, piece by piece and without bounds. In particular:
//
//   - a node's address is the one that its datagram came from. Others that a record
//     names are not looked at, so that nobody can name a third machine;
//   - the sender must be in a network of this machine, and must have sent to the
//     multicast group from port 5353;
//   - more datagrams than maxRate a second are thrown away unread;
//   - whatever is asked, and however often, this node answers once a second at most,
//     to the group: it can't be used to flood anybody.
//
// A machine that floods keeps others from being found, no more. How many of the found
// are dialed is bounded by package p2p.
//
// # Where
//
// Only on interfaces with a private address: a server on the Internet does not
// announce itself to its neighbours, nor does a node to the other end of a tunnel.
// Where there is no multicast, as in some containers, nothing is found, and a line at
// level debug says so.
//
// # Concurrency
//
// Run has one goroutine besides, the reader, which calls OnFound and tells Run by a
// channel that somebody asks.
package lan
