package netsync

import (
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

// Announce spreads a share that became valid otherwise than by a Verify: mined
// here, or an orphan whose parent came. raw is its encoding, which must not be
// changed afterwards. What a Verify brought is left to its Verdict, so that the
// driver may announce every share the chain accepts.
func (m *Manager) Announce(now time.Time, id chainhash.Hash, raw []byte) []Action {
	m.begin(now)
	if !m.judged.has(id) {
		m.judged.add(id)
		if w := m.wants[id]; w != nil {
			m.forget(w)
		}
		m.relay(id, raw)
		m.advance()
	}
	return m.end()
}

// Judged reports whether Announce would do nothing, as the share came by a Verify
// or was announced already.
func (m *Manager) Judged(id chainhash.Hash) bool { return m.judged.has(id) }

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
