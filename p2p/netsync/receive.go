package netsync

import (
	"time"

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
	fresh := 0
	for _, id := range msg.IDs {
		p.known.add(id)
		if !m.chain.Have(id) {
			fresh++
			m.addWant(p, id, s != nil, 0)
		}
	}
	if !p.locator.IsZero() {
		p.locator, p.progress = time.Time{}, m.now
		if fresh == 0 && len(p.requests) == 0 {
			p.stalls = 0 // else it has to deliver first
		}
	}
	if n := len(msg.IDs); n > 0 {
		p.lastInv = msg.IDs[n-1]
	}
	if s != nil {
		s.fresh += fresh
		// A peer doesn't part a share from its uncles: up to that many ids less
		// can be as many as fit.
		s.full = len(msg.IDs) >= message.MaxInv-share.MaxUncles
		s.offer(m.height(), p.syncWants)
	}
	m.flush(p)
	m.advance()
}

// receiveShares passes shares on to be verified, asked for or not. A share that
// we seem to have is no exception: Accept knows duplicates at once.
func (m *Manager) receiveShares(p *peerState, msg *message.Shares) {
	v := &Verify{From: p.id, Shares: make([]*share.Share, 0, len(msg.Raw))}
	for _, raw := range msg.Raw {
		s, err := share.Decode(raw)
		if err != nil {
			m.stats.Invalid++
			m.drop(p, true, err)
			return
		}
		id := s.ID()
		p.known.add(id)
		m.awaited.add(id)
		asked := m.settle(p, id, true)
		if w := m.wants[id]; w != nil && w.peer == p {
			w.state = wantVerifying
			if asked && m.isRoot(w) {
				v.Root = id
			}
		}
		v.Shares = append(v.Shares, s)
	}
	m.out = append(m.out, v)
	m.flush(p)
}

// receiveNotFound asks others. Ids that were not asked for are ignored.
func (m *Manager) receiveNotFound(p *peerState, msg *message.NotFound) {
	for _, id := range msg.IDs {
		if !m.settle(p, id, false) {
			continue
		}
		w := m.wants[id]
		if w == nil || w.peer != p || w.state != wantAsked {
			continue
		}
		if m.isRoot(w) && m.session.total == 0 {
			m.rootGone()
			continue
		}
		// The one who has just said no is not asked again.
		if w.sync || m.alternative(w) == nil {
			m.forget(w)
		} else {
			m.retry(w)
		}
	}
	m.flush(p)
	m.advance()
}
