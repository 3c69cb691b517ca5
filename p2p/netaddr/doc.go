// Package netaddr has the network addresses of nodes: IPv4, IPv6, Tor v3, I2P
// and CJDNS, as numbered by BIP 155. An Addr says where a node listens, a Record
// also what is told of it by gossip, a Group which addresses are likely to belong
// to one operator.
//
// Package message encodes records, addrmgr keeps them, connmgr dials them. All
// types are plain comparable values, safe for concurrent use.
//
// # Groups
//
// Whoever has one address of a group is taken to be able to have all of them:
//
//	network  group           why
//	IPv4     /16             what one hoster or provider has in one piece
//	IPv6     /32             the least that a provider is assigned
//	Tor, I2P first 4 bits    keys cost nothing: sixteen groups in all, so that
//	                         they can fill a share of a table only
//	CJDNS    first 12 bits   the same, behind the constant first byte
//
// Bitcoin Core groups in the same way, but for its list of autonomous systems.
package netaddr
