package netsync

import (
	"cmp"
	"slices"
	"time"
)

// helper is what a session knows of a peer that it asks for shares: its own peer or
// another that may have them.
type helper struct {
	proved  bool // it has answered a request in full
	credit  int  // requests answered since it last held the window up
	lags    int  // how often it held the window up
	denials int  // requests for what it doesn't have
}

// out reports whether the session asks the helper no more.
func (h *helper) out() bool { return h.lags >= maxLags || h.denials >= maxDenials }

// helper returns what the session knows of a peer.
func (s *session) helper(p *peerState) *helper {
	h := s.helpers[p]
	if h == nil {
		h = new(helper)
		s.helpers[p] = h
	}
	return h
}

// allowance returns how many requests of the session the peer may have under way:
// one at first, one more for each that it answered. Others than the session's own
// peer are asked once that has shown that it names a chain that we can place. It is
// asked for less the more others help, so that its invs don't queue up behind shares.
func (s *session) allowance(p *peerState) int {
	h, most := s.helper(p), MaxSyncRequests
	switch {
	case p == s.peer:
		most = max(MaxSyncRequests-s.proved(), 1)
	case s.total == 0 || h.out():
		return 0
	}
	return min(1+h.credit, most)
}

// proved counts the others that have shown that they help.
func (s *session) proved() (n int) {
	for p, h := range s.helpers {
		if h.proved && !h.out() && p != s.peer {
			n++
		}
	}
	return n
}

// fetch asks for what the session needs next, the oldest first.
func (m *Manager) fetch() {
	for asked := true; asked && m.session.window.toAsk(); {
		asked = false
		for _, p := range m.suppliers() {
			if batch := m.syncBatch(p); len(batch) > 0 {
				m.request(p, batch)
				asked = true
				break
			}
		}
	}
}

// suppliers returns whom the session may ask for more, the one with the least to do
// first. A few at a time may be on trial, as many as proved good and one more, so
// that peers that help nobody cost little.
func (m *Manager) suppliers() []*peerState {
	s := m.session
	var list, trials []*peerState
	busy, onTrial := 0, 0
	for _, p := range m.order {
		load := p.syncRequests()
		if p.gone || len(p.requests) >= MaxRequests {
			continue
		}
		if p == s.peer {
			if load < s.allowance(p) {
				list = append(list, p)
			}
			continue
		}
		h := s.helpers[p]
		switch {
		case h != nil && h.proved && !h.out():
			if load > 0 {
				busy++
			}
			if load < s.allowance(p) {
				list = append(list, p)
			}
		case load > 0:
			if h != nil && h.lags == 0 {
				onTrial++
				busy++
			}
		case m.mayHelp(p):
			trials = append(trials, p)
		}
	}
	slices.SortStableFunc(trials, func(p, q *peerState) int {
		return cmp.Or(cmp.Compare(p.stalls, q.stalls), cmp.Compare(p.rank(), q.rank()))
	})
	room := min(1+s.proved()-onTrial, maxHelpers-busy)
	list = append(list, trials[:min(max(room, 0), len(trials))]...)
	slices.SortStableFunc(list, func(p, q *peerState) int { return cmp.Compare(p.syncRequests(), q.syncRequests()) })
	return list
}

// rank orders those that we dialed before inbound peers, which are easily made in
// numbers.
func (p *peerState) rank() int {
	if p.inbound {
		return 1
	}
	return 0
}

// mayHelp reports whether a peer that hasn't proved good in this session may be
// asked for its next shares: it should be as high as they are. Uncles make
// those seem higher by their number.
func (m *Manager) mayHelp(p *peerState) bool {
	s := m.session
	need := uint64(s.reached) + uint64(s.window.next) + MaxBatch
	return s.failures < maxFailures && s.allowance(p) > 0 && uint64(p.height) >= need
}

// syncBatch takes wants of one kind off the window for a peer to be asked. Shares that
// have come by another way meanwhile are not asked for. What only the session's
// peer can know is asked of no other.
func (m *Manager) syncBatch(p *peerState) []*want {
	win := &m.session.window
	var batch []*want
	for _, w := range win.order[min(win.next, len(win.order)):] {
		switch {
		case len(batch) == MaxBatch:
			return batch
		case !w.inWindow() || w.state != wantQueued:
		case (w.own || m.isRoot(w)) && p != m.session.peer:
		case m.chain.Have(w.id):
			m.forget(w)
		case len(batch) > 0 && w.parents != batch[0].parents:
			return batch
		default:
			m.move(w, p)
			batch = append(batch, w)
		}
	}
	return batch
}

// unblock asks another for the oldest shares of the window if their peer keeps all
// that came after them waiting. That is soon if it never answered in this session, or
// if another, which did, has nothing else to do.
func (m *Manager) unblock() {
	s := m.session
	w := s.window.head(m.now)
	if w == nil || w.state != wantAsked || w.own || m.isRoot(w) {
		return // nobody else can be asked
	}
	stuck := m.now.Sub(later(w.asked.sent, s.window.since))
	if stuck < m.patience/hastyFraction {
		return
	}
	other, idle := m.substitute(w.peer)
	hasty := idle && !s.window.toAsk() || !s.helper(w.peer).proved && w.peer != s.peer
	if other == nil || !idle && s.window.bytes == 0 || !hasty && stuck < m.patience {
		return
	}
	m.heldUp(w.peer)
	if batch := m.syncBatch(other); len(batch) > 0 { // else all of it has come by another way
		m.request(other, batch)
	}
}

// substitute returns whom to ask in the place of a peer that is too slow, nil if there
// is nobody who has shown to be any better, and whether that one has nothing to do.
func (m *Manager) substitute(slow *peerState) (best *peerState, idle bool) {
	s := m.session
	least := MaxSyncRequests + 1
	for _, p := range m.order {
		h := s.helpers[p]
		if p == slow || p.gone || len(p.requests) >= MaxRequests || h == nil || !h.proved || h.out() && p != s.peer {
			continue
		}
		if load := p.syncRequests(); load < least {
			best, least = p, load
		}
	}
	return best, least == 0
}

// heldUp takes from a peer what it was asked for, but for the root, as it keeps the
// window waiting. It still owes the answers, and is asked no more before it gives them.
func (m *Manager) heldUp(p *peerState) {
	s := m.session
	m.stats.Replaced++
	m.impatient()
	for _, r := range p.requests {
		r.owed = r.owed || r.sync
	}
	for _, w := range s.window.order {
		if w.inWindow() && w.state == wantAsked && w.peer == p && !m.isRoot(w) {
			m.requeue(w)
		}
	}
	h := s.helper(p)
	if h.credit = 0; p != s.peer {
		if h.lags++; h.lags == maxLags || !h.proved {
			s.failures++
		}
	}
}

// impatient doubles the time that a peer may keep others waiting: it may be our own
// link that is slow.
func (m *Manager) impatient() { m.patience = min(2*m.patience, maxPatience) }

// answered notes that a request of a session has got all of its answer.
func (m *Manager) answered(p *peerState, r *request) {
	if m.session == nil || !r.sync || len(r.pending) > 0 || r.denied {
		return
	}
	h := m.session.helper(p)
	h.proved = true
	h.credit++
}

// denied takes a helper's word that it doesn't have a share: the session's peer, who
// has named it, is asked.
func (m *Manager) denied(p *peerState, r *request, w *want) {
	if !r.denied {
		r.denied = true
		h := m.session.helper(p)
		if h.denials++; h.denials == maxDenials {
			m.session.failures++
		}
	}
	p.progress = m.now // it does answer
	w.own = true
	m.requeue(w)
}

// proceed does what can be done for the session after any event.
func (m *Manager) proceed() {
	if m.session == nil {
		return
	}
	m.release()
	m.unblock()
	m.fetch()
	m.advance()
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
