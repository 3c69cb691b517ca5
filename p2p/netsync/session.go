package netsync

import (
	"cmp"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

// session is a sync with one peer: rounds of getlocator, inv, getshares and
// shares. A round is through when its inv has come and none of its shares is
// under way or being verified.
type session struct {
	peer  *peerState
	total int // shares accepted in all rounds

	// Of this round:
	fresh int  // ids of the inv that we didn't have
	full  bool // the inv was as long as may be, so there may be more
	valid int  // shares accepted

	known int // rounds in a row whose inv was full of known ids
}

// startSession begins a sync with the peer that promises most, unless one is
// under way or nobody promises more than we have.
func (m *Manager) startSession() {
	if m.session != nil {
		return
	}
	_, _, work := m.chain.Tip()
	var best *peerState
	for _, p := range m.order {
		if p.gone || m.now.Before(p.retryAt) || !p.more && !p.claim.Gt(&work) {
			continue
		}
		if best == nil || p.betterSource(best) {
			best = p
		}
	}
	if best != nil {
		m.openSession(best)
	}
}

// betterSource reports whether to sync from p rather than from q: the more
// responsive one, one we dialed, the one that promises more.
func (p *peerState) betterSource(q *peerState) bool {
	inbound := map[bool]int{true: 1}
	return cmp.Or(
		cmp.Compare(p.stalls, q.stalls),
		cmp.Compare(inbound[p.inbound], inbound[q.inbound]),
		q.claim.Cmp(&p.claim),
	) < 0
}

func (m *Manager) openSession(p *peerState) {
	m.session = &session{peer: p}
	p.more = false
	m.sendLocator(false)
}

// sendLocator starts a round. A continued round goes on where the last inv
// ended, on whichever branch that is, even if it is not our best chain yet.
func (m *Manager) sendLocator(continued bool) {
	s, p := m.session, m.session.peer
	s.fresh, s.full, s.valid = 0, false, 0
	locator := m.chain.Locator()
	locator = locator[:min(len(locator), message.MaxLocator-1)]
	if continued && m.chain.Have(p.lastInv) {
		locator = slices.Insert(slices.Clip(locator), 0, p.lastInv)
	}
	m.expectProgress(p)
	p.locator = m.now
	m.send(p, &message.GetLocator{Locator: locator, Max: message.MaxInv})
}

// advance goes on with the session if its round is through.
func (m *Manager) advance() {
	s := m.session
	if s == nil || !s.peer.locator.IsZero() || s.peer.syncWants > 0 {
		return
	}
	switch {
	case s.valid > 0:
		s.known = 0
		m.sendLocator(true)
	case s.fresh == 0 && s.full && s.known < maxKnownRounds:
		s.known++
		m.sendLocator(true)
	default:
		m.finishSession()
	}
}

// finishSession ends a session that brings nothing more.
func (m *Manager) finishSession() {
	s, p := m.session, m.session.peer
	m.session = nil
	if s.fresh == 0 {
		// It has shown what it has: a higher claim is not to be believed.
		p.claim.SetUint64(0)
		p.height = min(p.height, m.height())
	}
	switch {
	case s.total > 0:
		p.fruitless = 0
		m.announceTip()
	case s.fresh > 0:
		// What it has cannot be judged here, perhaps for lack of a Bitcoin block:
		// don't download it all again every time.
		p.retryAt = m.now.Add(StaleInterval << p.fruitless)
		p.fruitless = min(p.fruitless+1, maxFruitless)
	}
	m.startSession()
}

// abandonSession ends a session whose peer stalled or left. Its shares are not
// asked of others one by one, as the next session's inv will name them, except
// for those that somebody else has announced.
func (m *Manager) abandonSession() {
	s := m.session
	m.session = nil
	for _, w := range m.wantsOf(s.peer) {
		switch {
		case !w.sync:
		case w.state == wantVerifying: // its verdict comes outside of any session
			m.leaveSession(w)
		case m.alternative(w) != nil:
			m.leaveSession(w)
			m.retry(w)
		default:
			m.forget(w)
		}
	}
	if s.total > 0 {
		m.announceTip()
	}
}

// leaveSession makes a session's want an ordinary one.
func (m *Manager) leaveSession(w *want) {
	w.sync = false
	w.peer.syncWants--
}

// announceTip tells the peers that don't know it of our tip. They ask for what
// lies below themselves.
func (m *Manager) announceTip() {
	id, _, work := m.chain.Tip()
	if work.IsZero() {
		return
	}
	inv := &message.Inv{IDs: []chainhash.Hash{id}}
	for _, p := range m.order {
		if !p.gone && !p.known.has(id) {
			p.known.add(id)
			m.send(p, inv)
		}
	}
}

func (m *Manager) height() uint32 {
	_, height, _ := m.chain.Tip()
	return height
}
