// Package realchain is a sharechain for the tests of mining: blockchain.Chain itself,
// behind the methods that mining needs.
package realchain

import (
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
)

// Chain judges shares as a node does. It is safe for concurrent use.
type Chain struct {
	mu    sync.Mutex
	chain *blockchain.Chain
	now   func() time.Time
}

// New returns a chain without shares that knows Bitcoin's genesis block.
func New(t testing.TB, params *chainparams.Params, now func() time.Time) *Chain {
	t.Helper()
	c := &Chain{chain: blockchain.New(params), now: now}
	genesis := params.Bitcoin.GenesisBlock.Header
	if err := c.chain.AddBitcoinHeader(&genesis, 0); err != nil {
		t.Fatal(err)
	}
	return c
}

// Tip returns the best share and what builds on it.
func (c *Chain) Tip() *blockchain.Tip {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chain.Tip()
}

// Payouts returns the payouts of a share on parent; see blockchain.Chain.
func (c *Chain) Payouts(parent chainhash.Hash, bits uint32, value int64, class share.Class) (payout.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chain.Payouts(parent, bits, value, class)
}

// Accept judges a share as it would come from a peer: what the encoding loses must not
// matter.
func (c *Chain) Accept(s *share.Share) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := share.Decode(s.Encode())
	if err != nil {
		return err
	}
	_, err = c.chain.Accept(s, c.now())
	return err
}

// View calls a function with the chain, which nobody else uses meanwhile.
func (c *Chain) View(f func(*blockchain.Chain)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c.chain)
}
