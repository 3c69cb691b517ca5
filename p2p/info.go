package p2p

import (
	"cmp"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/netsync"
)

// PeerInfo describes a connected peer, for the RPC.
type PeerInfo struct {
	ID        uint64            // of the connection, never used again
	Addr      string            // host:port; of an inbound peer of a hidden service the network and a number
	Network   netaddr.Network   // 0: not known, or not on the Internet
	Inbound   bool              // the peer dialed
	Kind      ConnectionKind    // what the connection is for
	SessionID []byte            // of the v2 transport, 32 bytes; nil: v1
	UserAgent string            // printable ASCII
	Protocol  uint32            // version of the peer protocol
	Services  message.Services  // what the peer offers
	Best      chainhash.Hash    // its tip when it introduced itself; zero: none
	Height    uint32            // best height claimed or proven, now
	Ping      time.Duration     // latest round trip; 0: not yet known
	Mode      message.RelayMode // of the link
	Connected time.Time

	// ClockOffset is the peer's clock in its version message minus ours when the
	// connection was ready for it, in seconds. Version messages are sent right then:
	// on a slow link this is nearer the truth than our clock at their arrival. It is 0
	// for a peer that does not tell its time, as over Tor.
	ClockOffset int64

	BytesIn, BytesOut       uint64
	MessagesIn, MessagesOut uint64
	LastRecv, LastSend      time.Time // of any bytes
	// BytesInPer and BytesOutPer are the bytes of messages by command, with their
	// frames; those of unknown ones together are peer.OtherMessages.
	BytesInPer, BytesOutPer map[string]uint64

	// Verifying and Serving are the time spent on the peer's shares and on its
	// requests, Throttled how long it was held back because it was out of budget.
	Verifying, Serving, Throttled time.Duration

	// Syncing is set if the node is catching up from this peer.
	Syncing bool
	// Whitelisted is set if the operator vouches for the peer's address.
	Whitelisted bool
	// Discouraged is what a peer of this address did before; empty: nothing.
	Discouraged string
	// Misbehaviour counts stalls in a row. A peer that breaks a rule is
	// disconnected at once and not listed.
	Misbehaviour int
}

// Peers returns the connected peers in the order of their connection.
func (s *Server) Peers() []PeerInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]PeerInfo, 0, len(s.peers))
	for id, p := range s.peers {
		v, stats, cost := p.Version(), p.Stats(), meterOf(p).Stats()
		bytesIn, bytesOut := p.BytesPerMessage()
		status, _ := s.manager.Peer(id)
		list = append(list, PeerInfo{
			ID:           uint64(id),
			Addr:         p.Addr(),
			Network:      dialer.RemoteOf(p.RemoteAddr()).Net,
			Inbound:      p.Inbound(),
			Kind:         s.kinds[id],
			SessionID:    p.SessionID(),
			UserAgent:    v.UserAgent,
			Protocol:     v.Protocol,
			Services:     v.Services,
			Best:         v.Best,
			Height:       status.Height,
			Ping:         stats.Ping,
			Mode:         status.Mode,
			Connected:    stats.Connected,
			ClockOffset:  clockOffset(v.Time, stats.Introduced),
			BytesIn:      stats.BytesIn,
			BytesOut:     stats.BytesOut,
			MessagesIn:   stats.MessagesIn,
			MessagesOut:  stats.MessagesOut,
			LastRecv:     stats.LastRecv,
			LastSend:     stats.LastSend,
			BytesInPer:   bytesIn,
			BytesOutPer:  bytesOut,
			Verifying:    cost.Verifying,
			Serving:      cost.Serving,
			Throttled:    cost.Throttled,
			Syncing:      status.Syncing,
			Whitelisted:  s.whitelisted(p.RemoteAddr()),
			Discouraged:  s.offence(p.Addr()),
			Misbehaviour: status.Stalls,
		})
	}
	slices.SortFunc(list, func(a, b PeerInfo) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// clockOffset returns a peer's time minus ours in seconds, 0 if it told none. A time
// before 1970 counts as 1970, so that no peer can make the difference overflow.
func clockOffset(theirs int64, ours time.Time) int64 {
	if theirs == 0 {
		return 0
	}
	return max(theirs, 0) - ours.Unix()
}

// ConnectedCount returns the number of peers that completed the handshake.
func (s *Server) ConnectedCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.peers)
}

// Progress returns the state of the sync.
func (s *Server) Progress() netsync.Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.manager.Progress(time.Now())
}

// Stats returns the counters of sync and relay.
func (s *Server) Stats() netsync.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.manager.Stats()
}
