package p2p

import (
	"math/rand/v2"
	"net"

	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// identity is a kind of way to a peer. This node shows another nonce on each of
// them, so that nobody can tell by it that a node on the Internet and one in Tor,
// say, are the same.
type identity uint8

// The kinds.
const (
	clearnet identity = iota // IPv4 and IPv6, private networks too
	proxied                  // the same through a proxy, whose address the peer sees
	local                    // this machine: other nodes on it, and hidden services that are not told apart
	onion                    // Tor, dialed or by a hidden service's own port
	garlic                   // I2P, likewise
	numIdentities
)

// identityOf returns the kind of a connection by its RemoteAddr.
func identityOf(addr net.Addr) identity {
	r := dialer.RemoteOf(addr)
	_, isLocal := addrHost(addr)
	switch {
	case r.Net == netaddr.TorV3:
		return onion
	case r.Net == netaddr.I2P:
		return garlic
	case r.Proxied:
		return proxied
	case isLocal:
		return local
	}
	return clearnet
}

// meets reports whether a dial of one kind may arrive at this node as the other:
// one to an own hidden service may come in as if from this machine.
func (k identity) meets(other identity) bool {
	hidden := func(k identity) bool { return k == onion || k == garlic }
	return k == other || k == local && hidden(other) || hidden(k) && other == local
}

// nonces are those of this node's version messages, one for each kind, drawn when
// it starts.
type nonces [numIdentities]uint64

func newNonces() (n nonces) {
	for k := range n {
		n[k] = rand.Uint64()
	}
	return n
}

// own reports whether a nonce that came in over one kind of connection is this
// node's. Those of kinds that the connection can't have gone by don't count: the
// answer, which the other side can see, would tell that they are one node's.
func (n *nonces) own(k identity, nonce uint64) bool {
	for other, ours := range n {
		if ours == nonce && k.meets(identity(other)) {
			return true
		}
	}
	return false
}

// hiddenCaller reports whether an inbound connection came through a hidden service
// of this node, so that its address says nothing.
func hiddenCaller(addr net.Addr) bool {
	n := dialer.RemoteOf(addr).Net
	return n == netaddr.TorV3 || n == netaddr.I2P
}
