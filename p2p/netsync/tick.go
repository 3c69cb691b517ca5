package netsync

import (
	"errors"
	"slices"
	"time"
)

// errStalled is why a peer is disconnected after MaxStalls.
var errStalled = errors.New("peer leaves requests unanswered")

// Tick handles whatever is due. The driver calls it every TickInterval.
func (m *Manager) Tick(now time.Time) []Action {
	m.begin(now)
	for _, p := range slices.Clone(m.order) {
		switch {
		case p.gone:
		case m.isStalled(p):
			m.stall(p)
		default:
			m.handOver(p)
		}
	}
	m.checkSession()
	m.startSession()
	m.probe()
	m.advance()
	return m.end()
}

func (m *Manager) isStalled(p *peerState) bool {
	busy := len(p.requests) > 0 || !p.locator.IsZero()
	return busy && m.now.Sub(p.progress) >= StallTimeout
}

// stall gives up all that the peer was asked for and asks others.
func (m *Manager) stall(p *peerState) {
	m.stats.Stalls++
	p.stalls++
	if p.stalls >= MaxStalls {
		m.drop(p, false, errStalled)
		return
	}
	m.dropClaim(p)
	if m.session != nil && m.session.peer == p {
		m.giveUpSession()
	} else {
		m.cancel(p)
	}
	m.startSession()
}

// cancel no longer waits for anything the peer was asked for and asks others.
func (m *Manager) cancel(p *peerState) {
	p.requests, p.locator = nil, time.Time{}
	for _, w := range m.wantsOf(p) {
		if w.state == wantAsked {
			m.retry(w)
		}
	}
	m.flush(p)
}

// checkSession gives the session up if its peer only keeps it open, or keeps
// others waiting who may be faster.
func (m *Manager) checkSession() {
	s := m.session
	switch {
	case s == nil:
	case m.now.Sub(s.accepted) >= SessionTimeout:
		m.dropClaim(s.peer)
		m.giveUpSession()
	case m.now.Sub(s.mark) < SessionTimeout:
	case s.total-s.markTotal < minSessionShares && m.bestSource(s.peer) != nil:
		m.giveUpSession()
	default:
		s.mark, s.markTotal = m.now, s.total
	}
}

// handOver asks others, who announced them too, for shares that the peer is slow
// to deliver. The peer still owes its answer. A session's shares are new only if
// others announced them, and late only if the session doesn't move. Its root is
// worth something only from the peer that named it.
func (m *Manager) handOver(p *peerState) {
	for _, r := range p.requests {
		start := r.offered
		if r.sync && p.progress.After(start) {
			start = p.progress
		}
		if m.now.Sub(start) < RelayTimeout {
			continue
		}
		r.offered = m.now
		for _, id := range r.ids {
			w := m.wants[id]
			if w == nil || w.peer != p || w.state != wantAsked || m.isRoot(w) || m.alternative(w) == nil {
				continue
			}
			if w.sync {
				m.leaveSession(w)
			}
			m.retry(w)
		}
	}
}

// probe asks the next peer in turn for news if no share was accepted for
// StaleInterval, whatever the peer claims: an announcement may have been lost.
func (m *Manager) probe() {
	if m.session != nil || m.now.Sub(m.lastValid) < StaleInterval {
		return
	}
	var next *peerState
	for _, p := range m.order {
		if p.gone || !p.locator.IsZero() || m.now.Before(p.retryAt) {
			continue
		}
		if next == nil || next.id <= m.probed && p.id > m.probed {
			next = p
		}
	}
	if next != nil {
		m.lastValid, m.probed = m.now, next.id
		m.openSession(next, false)
	}
}
