package chainman

import (
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
)

// Share returns the encoding of an accepted share. One that is just being stored is
// waited for: peers may have learnt its ID already.
func (m *Manager) Share(id chainhash.Hash) ([]byte, error) {
	raw, known, err := m.stored(id)
	if err != nil && known {
		m.acceptMu.Lock() // whoever has it stores what it has accepted
		defer m.acceptMu.Unlock()
		raw, _, err = m.stored(id)
	}
	return raw, err
}

// stored reads a share from the store, and tells whether the chain has it.
func (m *Manager) stored(id chainhash.Hash) (raw []byte, known bool, err error) {
	m.mu.RLock()
	height, known := m.chain.HeightOf(id)
	store := m.store
	m.mu.RUnlock()
	if !known {
		return nil, false, fmt.Errorf("share %v is unknown, or was pruned", id)
	}
	raw, err = store.Share(height, id)
	return raw, true, err
}

// Have reports whether a share is accepted, by our chain or by one that is being
// fetched.
func (m *Manager) Have(id chainhash.Hash) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.Have(id) || m.candidate != nil && m.candidate.chain.Have(id)
}

// Joining reports whether the chain still lacks what lies below its lowest share.
func (m *Manager) Joining() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.Joining()
}

// Locator returns IDs by which a peer finds the fork with its own chain.
func (m *Manager) Locator() []chainhash.Hash {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.Locator()
}

// AfterLocator returns the main-chain IDs that follow a locator.
func (m *Manager) AfterLocator(locator []chainhash.Hash, stop chainhash.Hash, max int) []chainhash.Hash {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.AfterLocator(locator, stop, max)
}

// Ancestors returns the IDs of a share's ancestors with their uncles.
func (m *Manager) Ancestors(id chainhash.Hash, generations int, stops []chainhash.Hash) []chainhash.Hash {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.Ancestors(id, generations, stops)
}

// Payouts returns what the coinbase of a share on top of parent pays. It takes
// the lock for writing, as the chain moves its window there.
func (m *Manager) Payouts(parent chainhash.Hash, headerBits uint32, value int64, class share.Class) (payout.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.chain.Payouts(parent, headerBits, value, class)
}

// Scores returns a copy of the scores of the window behind a share. It takes the
// lock for writing, as Payouts does.
func (m *Manager) Scores(parent chainhash.Hash, headerBits uint32) ([]payout.Score, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.chain.Scores(parent, headerBits)
}

// Info describes an accepted share.
func (m *Manager) Info(id chainhash.Hash) (blockchain.Info, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.Info(id)
}

// Latest describes up to n main-chain shares, newest first.
func (m *Manager) Latest(n int) []blockchain.Info {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.Latest(n)
}

// Blocks describes up to n shares that are Bitcoin blocks, newest first.
func (m *Manager) Blocks(n int) []blockchain.Info {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.Blocks(n)
}

// Stats counts what the chain holds.
func (m *Manager) Stats() blockchain.Stats {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.Stats()
}

// IDAt returns the main-chain share of a height.
func (m *Manager) IDAt(height uint32) (chainhash.Hash, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.IDAt(height)
}

// Window returns the extent of the payout window behind a share. It takes the
// lock for writing, as Payouts does.
func (m *Manager) Window(parent chainhash.Hash, headerBits uint32) blockchain.Window {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.chain.Window(parent, headerBits)
}

// WindowEntries returns what the payout window behind a share is made of, oldest
// first. It takes the lock for writing, as Payouts does, for a millisecond or two.
func (m *Manager) WindowEntries(parent chainhash.Hash, headerBits uint32) []*payout.Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.chain.WindowEntries(parent, headerBits)
}

// Hashrate estimates the pool's hashrate, in hashes per second, over the last
// main-chain shares.
func (m *Manager) Hashrate(shares int) float64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.Hashrate(shares)
}

// Weigh compares what a share took to make with the newest tip; see blockchain.Tip.
func (m *Manager) Weigh(s *share.Share) (dear bool, err error) {
	return m.Tip().Weigh(m.cfg.Params, s)
}
