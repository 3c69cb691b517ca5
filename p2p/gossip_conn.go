package p2p

import (
	"net"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

// joinGossip introduces a peer to the gossip. The caller holds the lock.
func (s *Server) joinGossip(now time.Time, id netsync.PeerID, p *peer.Peer) {
	addr, _ := netaddr.Parse(p.Addr(), 0) // the zero address if there is none, as behind a hidden service
	s.tell(s.finder.gossip.join(now, id, p.Inbound(), identityOf(p.RemoteAddr()), addr, uint64(p.Version().Services)))
}

// receiveGossip takes a message about addresses. It reports false for others.
func (s *Server) receiveGossip(p *peer.Peer, id netsync.PeerID, msg message.Message) bool {
	switch msg.(type) {
	case *message.GetAddr, *message.Addr, *message.AddrMe:
	default:
		return false
	}
	s.mu.Lock()
	reply, keep, source := s.finder.gossip.receive(time.Now(), id, msg)
	s.mu.Unlock()
	if reply != nil {
		p.SendWait(reply)
	}
	if len(keep) > 0 {
		s.finder.book.Add(keep, source)
	}
	if _, ok := msg.(*message.Addr); ok {
		s.fetched(p)
	}
	return true
}

// tickGossip sends what is due.
func (s *Server) tickGossip(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell(s.finder.gossip.tick(now))
}

// tell queues messages. The caller holds the lock.
func (s *Server) tell(list []telling) {
	for _, t := range list {
		if p := s.peers[t.to]; p != nil {
			p.Send(t.msg)
		}
	}
}

// announcement returns what tells a peer how to reach this node, nil for nothing:
// what the operator says of that kind of connection, else the address of a router
// that forwards the port, or else that the peer shall take the address it sees. A
// peer that dialed this node knows the latter, and behind a proxy it is not this
// node's. The caller holds the lock.
func (s *Server) announcement(kind identity, inbound bool) message.Message {
	now := time.Now()
	if kind.private() {
		now = now.Truncate(announceStep)
	}
	m := new(message.Addr)
	for _, a := range s.cfg.Discovery.External {
		if kind.shows(a, inbound) {
			m.List = append(m.List, netaddr.Record{Addr: a, Services: uint64(s.services()), Seen: uint32(now.Unix())})
		}
	}
	if len(m.List) > 0 {
		return m
	}
	if m := s.mappedTo(kind); m != nil {
		return m
	}
	tcp, ok := s.plainAddr().(*net.TCPAddr)
	if inbound || kind.private() || !ok {
		return nil
	}
	return &message.AddrMe{Port: s.publicPort(tcp.Port)}
}
