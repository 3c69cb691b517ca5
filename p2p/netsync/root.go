package netsync

import (
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

// nameRoot decides on the session's root when its first inv comes. An inv of a
// single id names none: it is an announcement that overtook the answer, and a new
// tip is no place to start from.
func (m *Manager) nameRoot(s *session, ids []chainhash.Hash) {
	if s.named || len(ids) < 2 {
		return
	}
	s.named = true
	if !m.chain.Have(ids[0]) {
		s.root = ids[0]
	}
}

// isRoot reports whether a wanted share is the root of the session under way.
func (m *Manager) isRoot(w *want) bool {
	// A want is a session's as long as that lasts.
	return w.sync && w.id == m.session.root && w.id != (chainhash.Hash{})
}

// rootless reports whether the verdict on a session's share means that nothing
// above can be placed: it was to be the root, the chain doesn't take it, and what
// is missing is the parent, which its peer no longer has.
func (m *Manager) rootless(w *want, s *share.Share, undecided *blockchain.UndecidedError) bool {
	if !m.isRoot(w) || m.chain.Have(w.id) || m.chain.Have(s.Data.Previous) {
		return false
	}
	return undecided == nil || len(undecided.MissingShares) > 0
}

// breakOff ends a session whose shares don't find their place, without fetching
// more of them. What is under way comes in vain.
func (m *Manager) breakOff() {
	s := m.session
	m.attempted = true
	m.clearSession(false)
	if s.total == 0 {
		m.dropClaim(s.peer)
	}
	m.backOff(s)
	m.startSession()
}

// rootGone ends a session whose peer doesn't have the root that it named. If it has
// what lies above, its lowest share has moved up meanwhile: then the session begins
// anew, with another root, unless that happens again and again. What is under way
// is waited for: it comes in vain, as the chain has no place for it yet, and must
// not be taken for what the new session asks for.
func (m *Manager) rootGone() {
	s := m.session
	if s.undecided == 0 && s.window.bytes == 0 || s.restarts >= maxRestarts {
		m.breakOff()
		return
	}
	m.clearSession(false)
	m.session = m.newSession(s.peer)
	m.session.lead, m.session.more = s.lead, s.more
	m.session.restarts, m.session.waiting = s.restarts+1, true
}
