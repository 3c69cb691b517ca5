package netsync

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/p2p/message"
)

// session is a sync of the chain that one peer names, in rounds of getlocator and
// inv. Its shares are asked of that peer and of others. A round is through when its
// inv has come and none of its shares is under way or being verified.
type session struct {
	peer     *peerState
	window   window                 // what it fetches
	helpers  map[*peerState]*helper // whom it has asked
	failures int                    // helpers that were no help
	opened   time.Time
	lead     bool // begun because the peer promised something, not as a probe
	more     bool // begun because of shares far ahead

	// root is the first id of the first inv if we didn't have it; zero: none. named
	// says that it has been decided on.
	root     chainhash.Hash
	named    bool
	restarts int  // sessions with the same peer right before that lost their root
	waiting  bool // for what is under way of such a one

	total     int                     // shares accepted in all rounds
	moved     bool                    // one of them became our tip
	undecided int                     // shares that something was missing for
	held      int                     // those of them since the last valid one
	offered   uint32                  // height that the named shares lead to
	reached   uint32                  // height of the last share accepted, or of our tip at the start
	began     uint32                  // height of the root
	rooted    bool                    // the root was accepted, and was not here before
	accepted  time.Time               // when a share was last accepted; at first, the start
	recent    [provenShares]time.Time // of the latest acceptances; total is the next place
	mark      time.Time               // start of the current SessionTimeout
	markTotal int                     // total then

	// Of this round:
	fresh int            // ids of the inv that we didn't have
	full  bool           // the inv was as long as may be, so there may be more
	dry   bool           // the inv was empty: there is no more
	valid int            // shares accepted since its locator was sent
	end   chainhash.Hash // last id of the latest answer to a locator

	known int // rounds in a row whose inv was full of known ids
}

// accept counts a share that the chain accepted.
func (s *session) accept(now time.Time, height uint32) {
	s.reached = height
	s.recent[s.total%provenShares] = now
	s.accepted = now
	s.valid++
	s.total++
	s.held = 0
}

// proven reports whether the session brings more than new shares can be.
func (s *session) proven(now time.Time) bool {
	oldest := s.recent[s.total%provenShares]
	return s.total >= provenShares && now.Sub(oldest) < ProvenInterval
}

// offer notes how far the session leads: wants shares are still to be fetched above
// the height. After a full inv there is more. Uncles make this too high by their
// number.
func (s *session) offer(height uint32, wants int) {
	if s.full {
		wants += message.MaxInv
	}
	s.offered = max(s.offered, uint32(min(uint64(height)+uint64(wants), math.MaxUint32)))
}

// startSession begins a sync with the best source, unless one is under way or
// there is none.
func (m *Manager) startSession() {
	if m.session != nil || m.loading {
		return
	}
	if p := m.bestSource(nil); p != nil {
		m.openSession(p, true)
	} else if slices.ContainsFunc(m.order, func(p *peerState) bool { return !p.gone }) {
		m.attempted = true
	}
}

// bestSource returns the peer to sync from, other than one, or nil if nobody
// promises more than we have.
func (m *Manager) bestSource(other *peerState) *peerState {
	_, _, work := m.chain.Tip()
	if m.chain.Joining() {
		work = uint256.Uint256{} // who has no more on top may have more below
	}
	var best *peerState
	for _, p := range m.order {
		if p != other && !p.gone && p.promises(m.now, &work) && (best == nil || p.betterSource(best)) {
			best = p
		}
	}
	return best
}

// promises reports whether the peer may have more than so much work.
func (p *peerState) promises(now time.Time, work *uint256.Uint256) bool {
	return !now.Before(p.retryAt) && (p.more || p.claim.Gt(work))
}

// betterSource reports whether to sync from p rather than from q: the more
// responsive one, one we dialed, the one that promises more.
func (p *peerState) betterSource(q *peerState) bool {
	return cmp.Or(
		cmp.Compare(p.stalls, q.stalls),
		cmp.Compare(p.rank(), q.rank()),
		q.claim.Cmp(&p.claim),
	) < 0
}

// openSession begins a sync with the peer. lead says whether it promised
// something; otherwise it is a probe.
func (m *Manager) openSession(p *peerState, lead bool) {
	m.session = m.newSession(p)
	if m.firstSync.IsZero() {
		m.firstSync = m.now
	}
	m.session.lead, m.session.more = lead, p.more
	p.more = false
	m.sendLocator(false)
}

func (m *Manager) newSession(p *peerState) *session {
	return &session{
		peer: p, helpers: make(map[*peerState]*helper),
		opened: m.now, accepted: m.now, mark: m.now, reached: m.height(),
	}
}

// sendLocator starts a round. A continued round goes on where the last inv
// ended, on whichever branch that is, even if it is not our best chain yet, or not
// here yet.
func (m *Manager) sendLocator(continued bool) {
	s, p := m.session, m.session.peer
	s.fresh, s.full, s.dry, s.valid = 0, false, false, 0
	s.named = s.named || continued
	locator := m.chain.Locator()
	locator = locator[:min(len(locator), message.MaxLocator-1)]
	if continued && (s.window.live > 0 || m.chain.Have(s.end)) {
		locator = slices.Insert(slices.Clip(locator), 0, s.end)
	}
	m.expectProgress(p)
	p.locator = m.now
	m.send(p, &message.GetLocator{Locator: locator, Max: message.MaxInv})
}

// advance goes on with the session: with its next round if this one is through, or
// before, so that there is always something to fetch, if there is more, the window has
// room for it, and shares were accepted since the last time.
func (m *Manager) advance() {
	s := m.session
	if s == nil || !s.peer.locator.IsZero() {
		return
	}
	switch {
	case s.window.live > 0:
		if s.full && s.valid > 0 && s.window.live <= MaxSyncWants-message.MaxInv {
			m.sendLocator(true)
		}
	case s.waiting:
		if s.waiting = s.peer.syncRequests() > 0; !s.waiting {
			m.sendLocator(false)
		}
	case s.valid > 0 && !s.dry:
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
	_, _, work := m.chain.Tip()
	short := p.claim.Gt(&work) // of what it claimed; if not, another was faster
	m.session, m.attempted = nil, true
	if s.fresh == 0 || !s.moved {
		m.dropClaim(p) // it has shown what it has
	}
	switch {
	case s.total > 0 && !s.moved && (short || s.more):
		m.backOff(s)
	case s.total > 0:
		p.fruitless = 0
		m.announceTip(m.order)
	case s.fresh > 0 || short || s.more:
		m.backOff(s)
	}
	m.startSession()
}

// giveUpSession ends a session whose peer doesn't deliver.
func (m *Manager) giveUpSession() {
	s := m.session
	m.attempted = true
	m.abandonSession()
	m.backOff(s)
	m.cancel(s.peer)
	m.startSession()
}

// dropClaim no longer believes that the peer has more than we have.
func (m *Manager) dropClaim(p *peerState) {
	p.claim.SetUint64(0)
	p.more = false
	p.height = min(p.height, m.height())
}

// backOff lets others have their turn after a session that ended badly; a probe
// that got no answer is no reason. The pause grows with every such session for
// peers that we dialed, and for those whose shares came but couldn't be judged
// here, perhaps for lack of a Bitcoin block: don't download it all again every
// time. Other inbound peers get the full one, as a stranger with an empty promise
// costs us more than we lose with it.
func (m *Manager) backOff(s *session) {
	p := s.peer
	if !s.lead && s.fresh == 0 && s.total == 0 {
		return
	}
	pause := StaleInterval << p.fruitless
	if p.inbound && s.total == 0 && s.undecided == 0 {
		pause = ClaimBackoff
	}
	p.retryAt = m.now.Add(pause)
	p.fruitless = min(p.fruitless+1, maxFruitless)
}

// abandonSession ends a session whose peer stalled or left. Its shares are not
// asked of others one by one, as the next session's inv will name them, except
// for those that somebody else has announced.
func (m *Manager) abandonSession() { m.clearSession(true) }

// clearSession ends a session. Its shares are asked of others who have them if
// handOver is set.
func (m *Manager) clearSession(handOver bool) {
	s := m.session
	for _, w := range slices.Clone(s.window.order) {
		switch {
		case !w.inWindow():
		case w.state == wantVerifying: // its verdict comes outside of any session
			m.leaveSession(w)
		case handOver && m.alternative(w) != nil:
			m.leaveSession(w)
			m.retry(w)
		default:
			m.forget(w)
		}
	}
	m.session = nil
	if s.total > 0 {
		m.announceTip(m.order)
	}
}

// leaveSession makes a session's want an ordinary one.
func (m *Manager) leaveSession(w *want) {
	m.session.window.drop(w)
	w.sync = false
	w.peer.syncWants--
}

// announceTip tells those of some peers that don't know it of our tip. They ask for
// what lies below themselves.
func (m *Manager) announceTip(peers []*peerState) {
	id, _, work := m.chain.Tip()
	if work.IsZero() || m.chain.Joining() {
		return
	}
	inv := &message.Inv{IDs: []chainhash.Hash{id}}
	for _, p := range peers {
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
