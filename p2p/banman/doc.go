// Package banman is the node's list of those it wants nothing to do with: bans,
// which the operator sets by hand, and discouraged addresses, whose nodes broke a
// rule. Package p2p asks it before it takes or makes a connection, tells it of
// violations, and saves it.
//
//	             ban                       discouragement
//	comes from   the operator              a violation
//	of           address or network        address; of IPv6 its /64
//	lasts        as long as the operator   Config.Duration
//	             says
//	means        no connection at all      not dialed; inbound only while there is
//	                                       room for others too
//	when full    an error                  the one that would end first goes
//
// The model is Bitcoin Core's (banman), but that discouragements have a reason,
// can be listed, and outlive a restart.
//
// # Limits
//
// There are at most MaxManual bans and MaxAutomatic discouragements, in two tables
// that do not displace each other. To look an address up costs one map access for
// each prefix length in use.
//
// # Concurrency
//
// All methods are safe for concurrent use. The mutex is a leaf, and nobody holds
// it during disk accesses. There is no goroutine.
package banman
