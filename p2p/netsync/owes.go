package netsync

import "github.com/btcsuite/btcd/chainhash/v2"

// Owes reports whether a peer was asked for a share and has not answered yet.
func (m *Manager) Owes(from PeerID, id chainhash.Hash) bool {
	p := m.peers[from]
	if p == nil {
		return false
	}
	for _, r := range p.requests {
		if _, ok := r.pending[id]; ok {
			return true
		}
	}
	return false
}

// Wants reports whether a share is to be fetched, of whomever it is asked.
func (m *Manager) Wants(id chainhash.Hash) bool { return m.wants[id] != nil }
