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
	m.ticking = true
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
	m.checkAttempt()
	m.startSession()
	m.probe()
	m.proceed()
	m.pace.sample(now, m.session != nil)
	m.ticking = false
	return m.end()
}

func (m *Manager) isStalled(p *peerState) bool {
	busy := len(p.requests) > 0 || !p.locator.IsZero()
	return busy && m.now.Sub(p.progress) >= m.stallTimeout
}

// stall gives up all that the peer was asked for and asks others. What a session has
// given to others it still owes: it stalls again if it goes on like that.
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
		for _, r := range p.requests {
			r.owed = r.owed || r.sync
		}
		m.cancel(p)
	}
	m.startSession()
}

// cancel no longer waits for anything the peer was asked for and asks others, except
// for what was given to others before.
func (m *Manager) cancel(p *peerState) {
	p.requests = slices.DeleteFunc(p.requests, func(r *request) bool { return !r.owed })
	p.locator, p.progress = time.Time{}, m.now
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
	case m.dawdles() && m.bestSource(s.peer) != nil:
		m.swapSession()
	case m.now.Sub(s.mark) < SessionTimeout:
	case s.total-s.markTotal < minSessionShares && m.bestSource(s.peer) != nil:
		m.giveUpSession()
	default:
		s.mark, s.markTotal = m.now, s.total
	}
}

// checkAttempt ends the wait for the first sync when it has lasted long enough.
func (m *Manager) checkAttempt() {
	if !m.firstSync.IsZero() && m.now.Sub(m.firstSync) >= FirstSyncLimit {
		m.attempted = m.attempted || m.session == nil || !m.session.proven(m.now)
	}
}

// dawdles reports whether the session waits for its peer only, and for too long while
// there is another to sync from.
func (m *Manager) dawdles() bool {
	s := m.session
	if len(m.flight) > 0 || s.window.bytes > 0 || s.waiting || m.now.Sub(later(s.peer.progress, s.opened)) < m.patience {
		return false
	}
	return s.window.live == s.peer.syncWants && (s.total == 0 || s.window.live == 0)
}

// swapSession begins anew with another peer. The first is in no disfavour yet: if it
// still answers nothing it stalls.
func (m *Manager) swapSession() {
	p := m.session.peer
	m.stats.Replaced++
	m.impatient()
	for _, r := range p.requests {
		r.owed = r.owed || r.sync
	}
	m.abandonSession()
	p.retryAt = m.now.Add(StaleInterval)
	m.startSession()
}

// handOver asks others, who announced them too, for shares that the peer is slow
// to deliver. The peer still owes its answer. A session's shares are new only if
// others announced them, and late only if the session doesn't move. Its root is
// worth something only from the peer that named it.
func (m *Manager) handOver(p *peerState) {
	for _, r := range p.requests {
		start := r.offered
		if r.sync && m.session != nil {
			start = later(start, later(p.progress, m.session.accepted))
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
	if m.session != nil || m.loading || m.now.Sub(m.lastValid) < StaleInterval {
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
