package netsync

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// Announce spreads a share that became valid otherwise than by a Verify: mined
// here, or an orphan whose parent came. raw is its encoding, which must not be
// changed afterwards. What a Verify brought is left to its Verdict, so that the
// driver may announce every share the chain accepts.
func (m *Manager) Announce(now time.Time, id chainhash.Hash, raw []byte) []Action {
	m.begin(now)
	if !m.Passed(id) {
		m.announced.add(id)
		m.released.remove(id)
		if w := m.wants[id]; w != nil {
			m.forget(w)
		}
		m.relay(id, raw)
		m.proceed()
	}
	return m.end()
}

// Passed reports whether Announce would do nothing for a share that the chain has
// accepted, and may be called before it to save reading the share: it was
// announced already, or came by a Verify. If the verdict of that is awaited it is
// noted that the share is valid: the verdict may turn out to be on a copy, which
// has no part in it, and then a Publish follows.
func (m *Manager) Passed(id chainhash.Hash) bool {
	switch {
	case m.announced.has(id):
		return true
	case m.awaited.has(id) && !m.released.has(id):
		m.released.add(id)
		return true
	}
	return false
}

// unjudged notes that a Verify of a share didn't make it valid. If it is valid
// all the same, nobody has been told.
func (m *Manager) unjudged(id chainhash.Hash) {
	m.awaited.remove(id)
	if m.released.has(id) && !m.announced.has(id) {
		m.out = append(m.out, &Publish{ID: id})
	}
}

// Unverified takes those shares of a Verify action that the driver doesn't give
// to the chain because their sender has gone.
func (m *Manager) Unverified(now time.Time, shares []*share.Share) []Action {
	m.begin(now)
	for _, s := range shares {
		m.landed(s)
		id := s.ID()
		m.unjudged(id)
		if w := m.wants[id]; w != nil && w.sync && w.share == s {
			m.requeue(w)
		}
	}
	m.proceed()
	return m.end()
}

// relay tells every peer that doesn't know the share: the share itself on
// low-latency links, its id on the others.
func (m *Manager) relay(id chainhash.Hash, raw []byte) {
	push := &message.Shares{Raw: [][]byte{raw}}
	inv := &message.Inv{IDs: []chainhash.Hash{id}}
	for _, p := range m.order {
		if p.gone || p.known.has(id) {
			continue
		}
		p.known.add(id)
		if m.linkMode(p) == message.LowLatency {
			m.send(p, push)
		} else {
			m.send(p, inv)
		}
	}
}

// Told returns the peers on low-latency links that have a share as far as we know,
// in ascending order: those that its transactions may be sent to.
func (m *Manager) Told(id chainhash.Hash) (list []PeerID) {
	for _, p := range m.order {
		if !p.gone && p.known.has(id) && m.linkMode(p) == message.LowLatency {
			list = append(list, p.id)
		}
	}
	return list
}
