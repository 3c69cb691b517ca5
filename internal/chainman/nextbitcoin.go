package chainman

import (
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain"
)

// NextBitcoinWork returns what Bitcoin's rules demand of the block after prev, or a
// blockchain.ErrNoNextBitcoin where they are not known here.
func (m *Manager) NextBitcoinWork(prev chainhash.Hash) (blockchain.NextBitcoin, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.NextBitcoinWork(prev)
}

// AddNextBitcoin enters the header of the Bitcoin node's new tip and returns what the block
// after it needs. It asks nobody and takes microseconds; where the header's parent is
// not known, or the rules are not, it returns a blockchain.ErrNoNextBitcoin. BitcoinTip
// should follow, which judges the shares that waited for the block.
func (m *Manager) AddNextBitcoin(header *wire.BlockHeader) (blockchain.NextBitcoin, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.chain.AddNextBitcoinHeader(header)
}
