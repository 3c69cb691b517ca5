package p2p

import (
	"context"
	"fmt"
	"net"

	"github.com/p2poold/p2poold/p2p/compact"
	"github.com/p2poold/p2poold/p2p/peer"
)

// node is what tells whether two connections lead to the same node. It is
// comparable; the zero value is none.
//
// A nonce alone proves nothing: who talks to a node knows its nonce, and could show
// it to others. So the host has to be the same too, as TCP proves it. Then the most
// that anybody gains with another's nonce is to be taken for a node on his own host,
// whose connections he could meddle with already, or behind the same NAT. To those
// of all others nothing happens, and whoever shows a low nonce so that a connection
// of his own replaces the one this node dialed has only freed an outbound slot for
// somebody else.
type node struct {
	kind  identity
	host  string
	nonce uint64
}

// nodeOf returns the node at the other end, zero before its version message or if
// its host is not known, as of those that come in through a hidden service.
func nodeOf(p *peer.Peer) node {
	v := p.Version()
	if v == nil || p.Inbound() && hiddenCaller(p.RemoteAddr()) {
		return node{}
	}
	host, _, err := net.SplitHostPort(p.Addr())
	if err != nil {
		return node{}
	}
	if ip := net.ParseIP(host); ip != nil {
		host = ip.String() // IPv4 in IPv6 is IPv4
	}
	return node{identityOf(p.RemoteAddr()), host, v.Nonce}
}

// originOf returns where a peer is, for the limits on telling it of blocks. What it shows of
// itself counts beside its host only, as in node. Those whose host is not known are one crowd
// for each network.
func (s *Server) originOf(addr net.Addr, n node) compact.Origin {
	o := compact.Origin{Host: identityOf(addr).String(), Crowd: s.ungrouped(addr)}
	if n != (node{}) {
		o.Node = fmt.Sprint(n)
	}
	if !hiddenCaller(addr) {
		host, _ := addrHost(addr)
		o.Host += " " + host
	}
	return o
}

// settleDuplicates sees to it that of two connections with the same node one
// remains, and reports whether the new one p may join. Both sides decide alike
// without a word:
//
//   - If each dialed the other, the connection stays that the node with the lower
//     nonce dialed.
//   - Of two that this node dialed, by name and by address, the younger goes.
//   - Two that the other dialed are left to it: if both sides chose, each might
//     choose another one, and none would be left. It may also have lost the older
//     one without our knowing.
//
// The caller holds the lock.
func (s *Server) settleDuplicates(p *peer.Peer) bool {
	n := nodeOf(p)
	if n == (node{}) {
		return true
	}
	var losers []*peer.Peer
	for _, q := range s.peers {
		switch {
		case nodeOf(q) != n || ended(q) || p.Inbound() && q.Inbound():
		case !p.Inbound() && !q.Inbound(), s.keeps(n, q):
			return false
		default:
			losers = append(losers, q)
		}
	}
	for _, q := range losers {
		q.Disconnect(peer.ReasonDuplicate, nil)
	}
	return true
}

// keeps reports whether a connection stays if there is one in the other direction.
func (s *Server) keeps(n node, q *peer.Peer) bool {
	weDialed := !q.Inbound()
	return weDialed == (s.nonces[n.kind] < n.nonce)
}

// ended reports whether a connection is about to end.
func ended(p *peer.Peer) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// linked returns a connection with a node, nil if there is none.
func (s *Server) linked(n node) *peer.Peer {
	if n == (node{}) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		if nodeOf(p) == n && !ended(p) {
			return p
		}
	}
	return nil
}

// awaitFree waits until there is no connection with a node, and reports whether it
// had to, and whether the context still stands.
func (s *Server) awaitFree(ctx context.Context, n node) (waited, ok bool) {
	for {
		p := s.linked(n)
		if p == nil {
			return waited, ctx.Err() == nil
		}
		waited = true
		select {
		case <-p.Done():
		case <-ctx.Done():
			return waited, false
		}
	}
}
