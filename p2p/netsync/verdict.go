package netsync

import (
	"errors"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

// Verdict takes the chain's verdict on a share of a Verify action: nil for a valid
// share, a share.RuleError for an invalid one, a *blockchain.UndecidedError if
// something is missing, anything else for duplicates and the node's own trouble.
// It may come after the peer has gone.
func (m *Manager) Verdict(now time.Time, from PeerID, s *share.Share, err error) []Action {
	m.begin(now)
	p := m.peers[from]
	if p != nil && p.gone {
		p = nil
	}
	id := s.ID()
	m.landed(s)
	w := m.wants[id]
	mine := w != nil && w.peer == p && (!w.sync || w.share == s)
	if mine {
		p.progress = m.now // we kept the peer waiting, not it us
	}

	if err != nil {
		m.unjudged(id)
	}
	switch undecided, isUndecided := errors.AsType[*blockchain.UndecidedError](err); {
	case err == nil:
		m.valid(p, s, id, w, mine)
	case isRule(err):
		// A body that is not bound to its header was refused for that, and the id may
		// still belong to a valid share: if it was wanted, drop asks others for it.
		m.stats.Invalid++
		if p != nil {
			m.drop(p, true, err)
		}
	case isUndecided:
		m.stats.Undecided++
		m.unplaced(p, s, w, mine, undecided)
	default:
		m.stats.Ignored++
		m.unplaced(p, s, w, mine, nil)
	}
	m.startSession()
	if len(m.flight) == 0 {
		m.proceed()
	}
	return m.end()
}

// isRule reports whether a verdict is the sender's fault. What our Bitcoin node calls an
// invalid block, the sender's may not have judged yet.
func isRule(err error) bool {
	rule, ok := errors.AsType[share.RuleError](err)
	return ok && rule.Kind != blockchain.ErrBitcoinInvalid
}

// valid notes and relays a valid share. p is its sender, nil if gone; w the want
// it fulfils, if any, and mine whether the sender was the one asked.
func (m *Manager) valid(p *peerState, s *share.Share, id chainhash.Hash, w *want, mine bool) {
	m.stats.Valid++
	m.lastValid = m.now
	m.awaited.remove(id)
	m.released.remove(id)
	m.announced.add(id)
	if p != nil {
		p.chases = 0
		p.height = max(p.height, s.Data.Height)
	}
	old := false // a session asked for it: everybody else may have it long since
	if w != nil {
		root := m.isRoot(w) && !m.chain.Have(s.Data.Previous)
		// Of a session that brings little it may be new: no more than that can be said.
		old = w.sync && mine && (m.session == nil || m.session.total >= provenShares)
		m.forget(w)
		if w.sync {
			if root {
				m.session.began, m.session.rooted = s.Data.Height, true
				m.session.reached = s.Data.Height
			}
			m.pace.add(m.session.reached, s.Data.Height)
			m.session.accept(m.now, s.Data.Height)
			m.session.offer(s.Data.Height, m.session.window.live)
			if !m.session.moved {
				tip, _, _ := m.chain.Tip()
				m.session.moved = tip == id
			}
		}
	}
	if !old && !m.chain.Joining() { // what was taken on trust is not vouched for
		m.relay(id, s.Encode())
	}
}

// unplaced ends the want of a share that the chain has no place for, and looks for
// what is missing. A session that only brings more of the kind ends. e is nil if
// it is our own trouble or a duplicate.
func (m *Manager) unplaced(p *peerState, s *share.Share, w *want, mine bool, e *blockchain.UndecidedError) {
	sync, stuck := mine && w.sync, false
	if sync {
		stuck = m.rootless(w, s, e)
		if e != nil && !stuck {
			m.session.undecided++
			m.session.held++
			stuck = m.session.held > maxUndecided
		}
	}
	if mine {
		m.forget(w)
	}
	switch {
	case stuck:
		m.breakOff()
	case p != nil && e != nil:
		m.chase(p, s, sync, e)
	}
}

// chase asks the sender of an undecided share for what is missing, or leaves it
// to a sync if that is too far away.
func (m *Manager) chase(p *peerState, s *share.Share, sync bool, e *blockchain.UndecidedError) {
	near := uint64(s.Data.Height) <= uint64(m.height())+ChaseParents
	if len(e.MissingShares) == 0 {
		return // it waits for Bitcoin or for its time
	}
	if !sync && !near || p.chases >= MaxChases {
		p.more = true
		return
	}
	asked := false
	for _, id := range e.MissingShares[:min(len(e.MissingShares), MaxMissing)] {
		if m.wants[id] == nil && !m.chain.Have(id) {
			asked = m.addWant(p, id, sync, ChaseParents) || asked
			if sync && near && m.wants[id] != nil {
				m.session.window.hasten() // else what comes next lacks it too
			}
		}
	}
	if asked {
		p.chases++
		m.flush(p)
	}
}
