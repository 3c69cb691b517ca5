package netsync

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// Receive takes a message from a peer. Messages of peers that are unknown or on
// their way out are ignored, as are those the Manager has no use for.
func (m *Manager) Receive(now time.Time, id PeerID, msg message.Message) []Action {
	m.begin(now)
	p := m.peers[id]
	if p == nil || p.gone {
		return m.end()
	}
	if m.loading {
		m.receiveEarly(p, msg)
		return m.end()
	}
	switch msg := msg.(type) {
	case *message.Inv:
		m.receiveInv(p, msg)
	case *message.Shares:
		m.receiveShares(p, msg)
	case *message.NotFound:
		m.receiveNotFound(p, msg)
	case *message.GetShares:
		for _, id := range msg.IDs {
			p.known.add(id) // it is about to have them
		}
		m.out = append(m.out, &Serve{To: p.id, Request: msg})
	case *message.GetLocator:
		m.out = append(m.out, &Serve{To: p.id, Request: msg})
	case *message.SetMode:
		p.mode = msg.Mode
	}
	return m.end()
}

// receiveInv asks for what we lack. An inv answers an open getlocator, though an
// announcement may overtake the answer: then the answer is taken for an
// announcement, and as ids from the session's peer count for the session
// either way, nothing is lost.
func (m *Manager) receiveInv(p *peerState, msg *message.Inv) {
	s := m.session
	if s != nil && s.peer != p {
		s = nil
	}
	if s != nil {
		m.nameRoot(s, msg.IDs)
	}
	// A single id with no locator open is an announcement, or overtook the answer.
	answer := !p.locator.IsZero() || len(msg.IDs) > 1
	fresh, held := 0, 0
	for i, id := range msg.IDs {
		p.known.add(id)
		if !m.chain.Have(id) {
			fresh++
			if !m.addWant(p, id, s != nil, 0) {
				continue
			}
		}
		if held == i {
			held++
		}
	}
	if !p.locator.IsZero() {
		p.locator, p.progress = time.Time{}, m.now
		if fresh == 0 && len(p.requests) == 0 {
			p.stalls = 0 // else it has to deliver first
		}
	}
	if s != nil {
		s.fresh += fresh
		if answer {
			s.answered(msg.IDs, held)
		}
		s.offer(m.height(), s.window.live)
	}
	m.flush(p)
	m.proceed()
}

// answered notes an inv to a locator, of which the first so many ids are here or
// wanted now.
func (s *session) answered(ids []chainhash.Hash, held int) {
	// A peer doesn't part a share from its uncles: up to that many ids less
	// can be as many as fit.
	s.full, s.dry = len(ids) >= message.MaxInv-share.MaxUncles, len(ids) == 0
	if held > 0 {
		s.end = ids[held-1]
	}
}

// receiveShares passes shares on to be verified, asked for or not. A share that
// we seem to have is no exception: Accept knows duplicates at once. What a session
// has asked for goes into its window first.
func (m *Manager) receiveShares(p *peerState, msg *message.Shares) {
	v := &Verify{From: p.id, Shares: make([]*share.Share, 0, len(msg.Raw))}
	for _, raw := range msg.Raw {
		s, err := share.Decode(raw)
		if err != nil {
			m.stats.Invalid++
			m.drop(p, true, err)
			m.proceed()
			return
		}
		id := s.ID()
		p.known.add(id)
		r := m.settle(p, id, true)
		if r != nil {
			m.answered(p, r)
		}
		if m.take(p, r, id, s, len(raw), v.Shares) {
			continue
		}
		m.awaited.add(id)
		if w := m.wants[id]; w != nil && w.peer == p && !w.sync {
			w.state = wantVerifying
		}
		v.Shares = append(v.Shares, s)
	}
	if len(v.Shares) > 0 {
		m.out = append(m.out, v)
	}
	m.flush(p)
	m.proceed()
}

// receiveNotFound asks others. Ids that were not asked for are ignored.
func (m *Manager) receiveNotFound(p *peerState, msg *message.NotFound) {
	for _, id := range msg.IDs {
		r := m.settle(p, id, false)
		w := m.wants[id]
		if r == nil || w == nil || w.peer != p || w.state != wantAsked {
			continue
		}
		switch {
		case m.isRoot(w) && m.session.total == 0:
			m.rootGone()
		case w.sync && p != m.session.peer:
			m.denied(p, r, w)
		case w.sync || m.alternative(w) == nil:
			m.forget(w)
		default: // the one who has just said no is not asked again
			m.retry(w)
		}
	}
	m.flush(p)
	m.proceed()
}
