package netsync

import (
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// Progress says how far the sync is.
type Progress struct {
	// Syncing is set while a peer is known or claims to have more than our chain.
	// Without peers it is unset: there is nobody to learn from. A peer can claim
	// whatever it likes: this is for display.
	Syncing bool
	// Height is our tip's, BestHeight the highest known or claimed by a peer
	// with more work than ours.
	Height, BestHeight uint32
	// Proven is set while a session brings valid shares faster than the pool could
	// mine them: provenShares within ProvenInterval. Offered is then the height
	// that the shares named in the session lead to, at least Height. Without a
	// session Proven is unset and Offered is Height.
	Proven  bool
	Offered uint32
	// Attempted is set for good once a sync attempt has ended, whatever its result,
	// or peers were there but none promised more than our chain.
	Attempted bool
	// Peers is the number of peers that completed the handshake.
	Peers int
}

// Progress returns the state of the sync.
func (m *Manager) Progress(now time.Time) Progress {
	_, height, work := m.chain.Tip()
	pr := Progress{Height: height, BestHeight: height, Offered: height, Attempted: m.attempted}
	if s := m.session; s != nil {
		pr.Syncing = s.fresh > 0 || s.total > 0
		pr.Proven = s.proven(now)
		pr.Offered = max(height, s.offered)
	}
	for _, p := range m.order {
		if p.gone {
			continue
		}
		pr.Peers++
		if p.promises(now, &work) {
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
