package netsync

import (
	"errors"
	"time"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

// Verdict takes the result of Chain.Accept for a share of a Verify action. It
// may come after the peer has gone.
func (m *Manager) Verdict(now time.Time, from PeerID, s *share.Share, err error) []Action {
	m.begin(now)
	p := m.peers[from]
	if p != nil && p.gone {
		p = nil
	}
	w := m.wants[s.ID()]
	mine := w != nil && w.peer == p
	sync := mine && w.sync
	if mine {
		p.progress = m.now // we kept the peer waiting, not it us
	}

	if err != nil {
		m.unjudged(s.ID())
	}
	switch undecided, isUndecided := errors.AsType[*blockchain.UndecidedError](err); {
	case err == nil:
		m.valid(p, s, w, mine)
	case isUndecided:
		m.stats.Undecided++
		if sync && m.session != nil {
			m.session.undecided++
		}
		if mine {
			m.forget(w)
		}
		if p != nil {
			m.chase(p, s, sync, undecided)
		}
	case isRule(err):
		// The id may still belong to a valid share, as only a valid one is bound
		// to its header: if it was wanted, drop asks others for it.
		m.stats.Invalid++
		if p != nil {
			m.drop(p, true, err)
		}
	default:
		m.stats.Ignored++
		if mine {
			m.forget(w)
		}
	}
	m.startSession()
	m.advance()
	return m.end()
}

func isRule(err error) bool {
	_, ok := errors.AsType[share.RuleError](err)
	return ok
}

// valid notes and relays a valid share. p is its sender, nil if gone; w the want
// it fulfils, if any, and mine whether the sender was the one asked.
func (m *Manager) valid(p *peerState, s *share.Share, w *want, mine bool) {
	m.stats.Valid++
	m.lastValid = m.now
	m.awaited.remove(s.ID())
	m.released.remove(s.ID())
	m.announced.add(s.ID())
	if p != nil {
		p.chases = 0
		p.height = max(p.height, s.Data.Height)
	}
	old := false // a session asked for it: everybody else may have it long since
	if w != nil {
		old = w.sync && mine
		if w.sync && m.session != nil {
			m.session.accept(m.now)
		}
		m.forget(w)
	}
	if !old {
		m.relay(s.ID(), s.Encode())
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
			m.addWant(p, id, sync && m.session != nil, ChaseParents)
			asked = true
		}
	}
	if asked {
		p.chases++
		m.flush(p)
	}
}
