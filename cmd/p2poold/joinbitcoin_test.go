package main

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	btcchain "github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/internal/chainman"
)

// bitcoinChain is the Bitcoin chain of a net. Nobody has worked for its headers.
type bitcoinChain struct {
	header wire.BlockHeader // of the newest block
	rules  *chaincfg.Params

	mu     *sync.Mutex
	blocks []wire.BlockHeader // by height
}

func newBitcoinChain(rules *chaincfg.Params) bitcoinChain {
	genesis := rules.GenesisBlock.Header
	return bitcoinChain{header: genesis, rules: rules, mu: new(sync.Mutex), blocks: []wire.BlockHeader{genesis}}
}

// height returns the newest block's.
func (c *bitcoinChain) height() uint32 { return uint32(len(c.blocks) - 1) }

// bits returns the target of the next block in compact form: the last one's, or at the
// end of a period that times the part of the period's planned length that it took,
// between a quarter and four times. btcd's rules, which each share's header has to
// keep, compute it apart from this.
func (c *bitcoinChain) bits() uint32 {
	period, plan := c.rules.TargetTimespan/c.rules.TargetTimePerBlock, c.rules.TargetTimespan
	if len(c.blocks)%int(period) != 0 {
		return c.header.Bits
	}
	took := c.header.Timestamp.Sub(c.blocks[len(c.blocks)-int(period)].Timestamp)
	took = min(max(took, plan/4), plan*4)
	t := btcchain.CompactToBig(c.header.Bits)
	t.Div(t.Mul(t, big.NewInt(int64(took/time.Second))), big.NewInt(int64(plan/time.Second)))
	if t.Cmp(c.rules.PowLimit) > 0 {
		t = c.rules.PowLimit
	}
	return btcchain.BigToCompact(t)
}

// extend adds a block that is found so long after the last.
func (c *bitcoinChain) extend(after time.Duration) {
	next := wire.BlockHeader{
		Version: 0x20000000, PrevBlock: c.header.BlockHash(), Bits: c.bits(), Timestamp: c.header.Timestamp.Add(after),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header, c.blocks = next, append(c.blocks, next)
}

// bitcoinView is one Bitcoin node's view of the chain: the blocks that there were when it
// last looked.
type bitcoinView struct {
	chain *bitcoinChain
	known int // blocks, under the chain's lock
}

func (c *bitcoinChain) view() *bitcoinView {
	v := &bitcoinView{chain: c}
	v.look()
	return v
}

// look lets the Bitcoin node catch up.
func (v *bitcoinView) look() {
	v.chain.mu.Lock()
	defer v.chain.mu.Unlock()
	v.known = len(v.chain.blocks)
}

// HeadersBack implements chainman.Bitcoin.
func (v *bitcoinView) HeadersBack(_ context.Context, hash chainhash.Hash, n int) ([]wire.BlockHeader, uint32, error) {
	v.chain.mu.Lock()
	defer v.chain.mu.Unlock()
	blocks := v.chain.blocks[:v.known]
	at := slices.IndexFunc(blocks, func(h wire.BlockHeader) bool { return h.BlockHash() == hash })
	if at < 0 {
		return nil, 0, fmt.Errorf("%w: %v", chainman.ErrUnknownBlock, hash)
	}
	first := max(0, at+1-n)
	return slices.Clone(blocks[first : at+1]), uint32(first), nil
}

// Invalid implements chainman.Bitcoin.
func (v *bitcoinView) Invalid(context.Context, chainhash.Hash) (bool, error) { return false, nil }
