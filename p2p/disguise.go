package p2p

import (
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// announceStep is what the time of this node's announcement is rounded down to
// where its clock is nobody's business: half of what keeps it fresh enough to be
// passed on.
const announceStep = relayFresh / 2

// String returns the kind's name.
func (k identity) String() string {
	return [numIdentities]string{"clearnet", "proxied", "local", "onion", "i2p"}[k]
}

// private reports whether peers of this kind must not learn who this node is
// elsewhere.
func (k identity) private() bool { return k == proxied || k == onion || k == garlic }

// shows reports whether peers of this kind are told that an address is this node's:
// one of their own network only. Clearnet peers are not told of hidden services, nor
// these of IP addresses. What comes in from this machine may have come through a
// hidden service that is not told apart: it hears of private addresses at most.
func (k identity) shows(a netaddr.Addr, inbound bool) bool {
	switch a.Network() {
	case netaddr.TorV3:
		return k == onion
	case netaddr.I2P:
		return k == garlic
	}
	return k == clearnet || k == proxied || k == local && !(inbound && a.IsRoutable())
}

// disguise takes out of a version message what would be the same, and its own, on
// all networks: the clock, whose error can be measured to a fraction of a second,
// and the port. What is left is the program's, and the sharechain's state, which all
// nodes share.
func (k identity) disguise(v *message.Version) {
	if k.private() {
		v.Time, v.Port = 0, 0
	}
}
