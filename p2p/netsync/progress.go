package netsync

import "github.com/p2poold/p2poold/p2p/message"

// Progress says how far the sync is.
type Progress struct {
	// Syncing is set while a peer is known or credibly claims to have more than
	// our chain. Without peers it is unset: there is nobody to learn from.
	Syncing bool
	// Height is our tip's, BestHeight the highest known or claimed by a peer
	// with more work than ours.
	Height, BestHeight uint32
	// Peers is the number of peers that completed the handshake.
	Peers int
}

// Progress returns the state of the sync.
func (m *Manager) Progress() Progress {
	_, height, work := m.chain.Tip()
	pr := Progress{Height: height, BestHeight: height}
	pr.Syncing = m.session != nil && (m.session.fresh > 0 || m.session.total > 0)
	for _, p := range m.order {
		if p.gone {
			continue
		}
		pr.Peers++
		if p.more || p.claim.Gt(&work) {
			pr.Syncing = true
			pr.BestHeight = max(pr.BestHeight, p.height)
		}
	}
	return pr
}

// Stats returns the counters.
func (m *Manager) Stats() Stats { return m.stats }

// PeerStatus is the Manager's view of a peer.
type PeerStatus struct {
	Height  uint32            // best height claimed or proven
	Mode    message.RelayMode // of the link
	Syncing bool              // it serves the running session
	Stalls  int               // StallTimeouts in a row
	Pending int               // requests under way
}

// Peer returns the status of a peer; the second result is false if it is
// unknown.
func (m *Manager) Peer(id PeerID) (PeerStatus, bool) {
	p := m.peers[id]
	if p == nil {
		return PeerStatus{}, false
	}
	return PeerStatus{
		Height:  p.height,
		Mode:    m.linkMode(p),
		Syncing: m.session != nil && m.session.peer == p,
		Stalls:  p.stalls,
		Pending: len(p.requests),
	}, true
}
