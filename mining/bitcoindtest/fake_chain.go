package bitcoindtest

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"sync"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// fakeBlock is a block of a [Fake].
type fakeBlock struct {
	block  *wire.MsgBlock
	hash   chainhash.Hash
	height int
	// invalid marks a block that the node has found invalid.
	invalid bool
}

// fakeChain is the block tree of a [Fake]. The best chain is the one that was extended
// last to the greatest height.
type fakeChain struct {
	params *chaincfg.Params

	mu      sync.Mutex // guards what follows
	best    []*fakeBlock
	blocks  map[chainhash.Hash]*fakeBlock
	touched int           // counts changes of the mempool
	changed chan struct{} // closed at the next change of the template
}

func newFakeChain(params *chaincfg.Params) *fakeChain {
	genesis := &fakeBlock{block: params.GenesisBlock, hash: *params.GenesisHash}
	return &fakeChain{
		params: params, best: []*fakeBlock{genesis}, changed: make(chan struct{}),
		blocks: map[chainhash.Hash]*fakeBlock{genesis.hash: genesis},
	}
}

// Mine adds count blocks to the best chain and returns the last one's hash. The network's
// proof of work must be regtest's.
func (f *Fake) Mine(count int) chainhash.Hash {
	var hash chainhash.Hash
	for range count {
		hash = f.MineOn(f.chain.tip().hash)
	}
	return hash
}

// MineOn adds a block on top of any known one and returns its hash. The block joins the
// best chain if that makes a longer one.
func (f *Fake) MineOn(parent chainhash.Hash) chainhash.Hash {
	block := f.chain.next(parent)
	if reason := f.chain.accept(block); reason != "" {
		panic("bitcoindtest: own block refused: " + reason)
	}
	return block.BlockHash()
}

// Header returns the header of a block that the node has.
func (f *Fake) Header(hash chainhash.Hash) wire.BlockHeader {
	return f.chain.lookup(hash.String()).block.Header
}

// MarkInvalid makes the node call a block beside its best chain invalid.
func (f *Fake) MarkInvalid(hash chainhash.Hash) {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	f.chain.blocks[hash].invalid = true
}

// Back makes a block of the best chain its tip again, as invalidateblock on the one after
// it would. The blocks above stay known.
func (f *Fake) Back(tip chainhash.Hash) {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	f.chain.best = f.chain.best[:f.chain.blocks[tip].height+1]
	f.chain.change()
}

// Tip returns the best block and its height.
func (f *Fake) Tip() (chainhash.Hash, int) {
	tip := f.chain.tip()
	return tip.hash, tip.height
}

// precious makes a block the best one if it is as high as that.
func (c *fakeChain) precious(b *fakeBlock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.invalid || b.height != len(c.best)-1 || c.best[b.height] == b {
		return
	}
	for at := b; c.best[at.height] != at; at = c.blocks[at.block.Header.PrevBlock] {
		c.best[at.height] = at
	}
	c.change()
}

// TouchMempool changes the id of the template, as new transactions do.
func (f *Fake) TouchMempool() {
	f.chain.mu.Lock()
	defer f.chain.mu.Unlock()
	f.chain.touched++
	f.chain.change()
}

// change wakes longpolls. The lock must be held.
func (c *fakeChain) change() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// next returns a solved block on top of parent.
func (c *fakeChain) next(parent chainhash.Hash) *wire.MsgBlock {
	p := c.lookup(parent.String())
	script, err := txscript.NewScriptBuilder().AddInt64(int64(p.height + 1)).AddInt64(time.Now().UnixNano()).Script()
	if err != nil {
		panic(err) // far below the builder's limits
	}
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: wire.MaxPrevOutIndex}, script, nil))
	coinbase.AddTxOut(wire.NewTxOut(c.subsidy(p.height+1), []byte{txscript.OP_TRUE}))

	root := coinbase.TxHash()
	header := wire.NewBlockHeader(0x20000000, &parent, &root, c.params.PowLimitBits, 0)
	header.Timestamp = p.block.Header.Timestamp.Add(10 * time.Minute)
	block := wire.NewMsgBlock(header)
	if err := block.AddTransaction(coinbase); err != nil {
		panic(err) // the first of thousands allowed
	}
	Solve(&block.Header)
	return block
}

// Solve changes the header's nonce until its hash meets its own bits. On regtest every
// second hash does; on other networks it doesn't end.
func Solve(header *wire.BlockHeader) {
	for !solved(header) {
		header.Nonce++
	}
}

// solved tells whether a header meets its own bits.
func solved(header *wire.BlockHeader) bool {
	hash := header.BlockHash()
	return blockchain.HashToBig(&hash).Cmp(blockchain.CompactToBig(header.Bits)) <= 0
}

// subsidy returns a block's subsidy in sat.
func (c *fakeChain) subsidy(height int) int64 {
	return blockchain.CalcBlockSubsidy(int32(height), c.params)
}

// accept adds a block, or returns why not, in Bitcoin Core's words.
func (c *fakeChain) accept(block *wire.MsgBlock) (reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()

	hash := block.BlockHash()
	if _, ok := c.blocks[hash]; ok {
		return "duplicate"
	}
	parent := c.blocks[block.Header.PrevBlock]
	switch {
	case parent == nil:
		return "prev-blk-not-found"
	case block.Header.Bits != c.params.PowLimitBits:
		return "bad-diffbits"
	case !solved(&block.Header):
		return "high-hash"
	}
	b := &fakeBlock{block: block, hash: hash, height: parent.height + 1}
	c.blocks[hash] = b
	if b.height < len(c.best) {
		return ""
	}
	c.best = append(c.best, nil)
	for at := b; c.best[at.height] != at; at = c.blocks[at.block.Header.PrevBlock] {
		c.best[at.height] = at
	}
	c.change()
	return ""
}

func (c *fakeChain) tip() *fakeBlock {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.best[len(c.best)-1]
}

// at returns the best chain's block at a height, or nil.
func (c *fakeChain) at(height int) *fakeBlock {
	c.mu.Lock()
	defer c.mu.Unlock()
	if height < 0 || height >= len(c.best) {
		return nil
	}
	return c.best[height]
}

// lookup returns a block, or nil.
func (c *fakeChain) lookup(text string) *fakeBlock {
	hash, err := chainhash.NewHashFromStr(text)
	if err != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blocks[*hash]
}

// confirmations returns -1 for a block beside the best chain.
func (c *fakeChain) confirmations(b *fakeBlock) int {
	if c.at(b.height) != b {
		return -1
	}
	return c.tip().height - b.height + 1
}

// tips answers getchaintips.
func (c *fakeChain) tips() []map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	hasChild := make(map[chainhash.Hash]bool)
	for _, b := range c.blocks {
		hasChild[b.block.Header.PrevBlock] = true
	}
	var tips []map[string]any
	for hash, b := range c.blocks {
		if hasChild[hash] {
			continue
		}
		status := "valid-fork"
		if b.height < len(c.best) && c.best[b.height] == b {
			status = "active"
		}
		if b.invalid {
			status = "invalid"
		}
		tips = append(tips, map[string]any{"height": b.height, "hash": hash.String(), "status": status})
	}
	return tips
}

// longPollID names the present template. The lock must be held.
func (c *fakeChain) longPollID() string {
	return fmt.Sprintf("%v-%d", c.best[len(c.best)-1].hash, c.touched)
}

// waitChange returns as soon as the present template isn't the one named, or ctx ends.
func (c *fakeChain) waitChange(ctx context.Context, id string) {
	for ctx.Err() == nil {
		c.mu.Lock()
		present, changed := c.longPollID(), c.changed
		c.mu.Unlock()
		if id != present {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// template answers getblocktemplate.
func (c *fakeChain) template() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	tip := c.best[len(c.best)-1]
	minTime := tip.block.Header.Timestamp.Unix() + 1
	return map[string]any{
		"version": 0x20000000, "rules": []string{"csv", "!segwit", "taproot"},
		"vbavailable": map[string]any{}, "vbrequired": 0,
		"previousblockhash": tip.hash.String(), "transactions": []any{},
		"coinbaseaux": map[string]any{}, "coinbasevalue": c.subsidy(tip.height + 1),
		"longpollid": c.longPollID(), "target": fmt.Sprintf("%064x", c.target()),
		"mintime": minTime, "mutable": []string{"time", "transactions", "prevblock"},
		"noncerange": "00000000ffffffff", "sigoplimit": 80000, "sizelimit": 4000000,
		"weightlimit": 4000000, "curtime": max(minTime, time.Now().Unix()),
		"bits": fmt.Sprintf("%08x", c.params.PowLimitBits), "height": tip.height + 1,
	}
}

// target returns the target of all blocks.
func (c *fakeChain) target() *big.Int { return blockchain.CompactToBig(c.params.PowLimitBits) }

// hexOf returns the hex form of what a Serialize method writes.
func hexOf(serialize func(io.Writer) error) string {
	var buf bytes.Buffer
	if err := serialize(&buf); err != nil {
		panic(err) // a buffer takes everything
	}
	return hex.EncodeToString(buf.Bytes())
}

// unhex reads a block from its hex form.
func unhex(text string, block *wire.MsgBlock) error {
	b, err := hex.DecodeString(text)
	if err != nil {
		return err
	}
	return block.Deserialize(bytes.NewReader(b))
}
