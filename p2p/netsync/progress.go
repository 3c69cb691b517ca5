package netsync

import (
	"slices"
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
	// or peers were there but none promised more than our chain; FirstSyncLimit after
	// the first attempt began at the latest, but for one that is proven.
	Attempted bool
	// Joining is set while the chain lacks what lies below its lowest share.
	Joining bool
	// Peers is the number of peers that completed the handshake.
	Peers int

	// For display: the sync goes from the height Began, that of the chain's lowest
	// share or of the session's root, to Target, and has come to Reached. Estimate is
	// set if Target is what unproven peers claim. Without a sync all three are Height
	// or below.
	Began, Reached, Target uint32
	Estimate               bool
	// Rate is how many shares a second were accepted lately, uncles counted; 0: not
	// known. Left is how long the sync will take at that rate; 0: not known.
	Rate float64
	Left time.Duration
	// Sources is the number of peers that are being asked for shares of the session.
	Sources int
}

// Shares returns how many heights of the sync are done, and of how many.
func (pr *Progress) Shares() (done, total uint32) {
	return pr.Reached - min(pr.Began, pr.Reached), pr.Target - min(pr.Began, pr.Target)
}

// Percent returns how much of the sync is done, 0 to 100. It is below 100 as long as
// Syncing is set.
func (pr *Progress) Percent() float64 {
	const most = 99.9
	done, total := pr.Shares()
	switch {
	case !pr.Syncing:
		return 100
	case total == 0:
		return 0
	}
	return min(100*float64(done)/float64(total), most)
}

// Progress returns the state of the sync.
func (m *Manager) Progress(now time.Time) Progress {
	if m.loading {
		return Progress{Peers: len(m.peers)}
	}
	_, height, work := m.chain.Tip()
	pr := Progress{Height: height, BestHeight: height, Offered: height, Attempted: m.attempted, Joining: m.chain.Joining()}
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
		if p.syncRequests() > 0 {
			pr.Sources++
		}
		if p.promises(now, &work) {
			pr.Syncing = true
			pr.BestHeight = max(pr.BestHeight, p.height)
		}
	}
	m.measure(now, &pr)
	return pr
}

// measure fills in how far the sync has come.
func (m *Manager) measure(now time.Time, pr *Progress) {
	pr.Began, pr.Reached, pr.Target = min(m.chain.Base(), pr.Height), pr.Height, pr.Offered
	s := m.session
	if s != nil && s.rooted {
		pr.Began, pr.Reached = s.began, s.reached
		pr.Target = max(s.offered, s.reached)
	}
	if !pr.Syncing {
		return
	}
	if claim := m.claimed(pr.Reached); claim > pr.Reached { // the other counts uncles for heights
		pr.Target, pr.Estimate = claim, !pr.Proven
	}
	var heights float64
	pr.Rate, heights = m.pace.rates(now)
	pr.Left = left(pr.Target-pr.Reached, heights)
}

// claimed returns the height that half of those peers claim at least who claim more
// than so much, the session's peer first of all if it has shown that it has more. A
// single liar among others changes little.
func (m *Manager) claimed(above uint32) uint32 {
	if s := m.session; s != nil && s.proven(m.now) && s.peer.height > above {
		return s.peer.height
	}
	var heights []uint32
	for _, p := range m.order {
		if !p.gone && p.height > above {
			heights = append(heights, p.height)
		}
	}
	if len(heights) == 0 {
		return above
	}
	slices.Sort(heights)
	return heights[(len(heights)-1)/2]
}

// Stats returns the counters.
func (m *Manager) Stats() Stats { return m.stats }

// PeerStatus is the Manager's view of a peer.
type PeerStatus struct {
	Height  uint32            // best height claimed or proven
	Mode    message.RelayMode // of the link
	Syncing bool              // the running session asks it for ids or shares
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
		Syncing: m.session != nil && (m.session.peer == p || p.syncRequests() > 0),
		Stalls:  p.stalls,
		Pending: len(p.requests),
	}, true
}
