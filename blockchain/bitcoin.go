package blockchain

import (
	"errors"
	"fmt"
	"time"

	btcchain "github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// maxBitcoinTimeAhead is how far Bitcoin lets a header's time lie ahead of the
// clock (Bitcoin Core's MAX_FUTURE_BLOCK_TIME).
const maxBitcoinTimeAhead = 2 * time.Hour

// bitcoinBlock is a Bitcoin header known from our own node.
type bitcoinBlock struct {
	hash   chainhash.Hash
	prev   chainhash.Hash
	parent *bitcoinBlock // prev, or nil for the oldest known
	height int32
	time   uint32
	bits   uint32
}

// bitcoinIndex holds the Bitcoin headers that shares are tied to. Only headers
// that our own node vouches for get in, and it is asked only for those that a
// share could validly build on.
type bitcoinIndex struct {
	params *chaincfg.Params
	blocks map[chainhash.Hash]*bitcoinBlock
	// rootless holds the blocks whose parent is not known, by that parent.
	rootless map[chainhash.Hash][]*bitcoinBlock
	// absent holds blocks that our node was asked for and does not have, and
	// invalid those that it has and calls invalid.
	absent, invalid map[chainhash.Hash]bool
}

// maxNoted bounds absent and invalid blocks: a dozen go stale in a month.
const maxNoted = 1_000

func newBitcoinIndex(params *chaincfg.Params) *bitcoinIndex {
	return &bitcoinIndex{
		params:   params,
		blocks:   make(map[chainhash.Hash]*bitcoinBlock),
		rootless: make(map[chainhash.Hash][]*bitcoinBlock),
		absent:   make(map[chainhash.Hash]bool),
		invalid:  make(map[chainhash.Hash]bool),
	}
}

// add enters a header. Its height is taken from its parent, or from the caller
// where the parent is older than everything known.
func (x *bitcoinIndex) add(header *wire.BlockHeader, height uint32) error {
	hash := header.BlockHash()
	if x.blocks[hash] != nil {
		return nil
	}
	b := &bitcoinBlock{
		hash: hash, prev: header.PrevBlock, height: int32(height),
		time: uint32(header.Timestamp.Unix()), bits: header.Bits,
	}
	if parent := x.blocks[header.PrevBlock]; parent != nil {
		if parent.height+1 != b.height {
			return fmt.Errorf("header %v of Bitcoin was given height %d, its parent has %d", hash, height, parent.height)
		}
		b.parent = parent
	} else {
		x.rootless[header.PrevBlock] = append(x.rootless[header.PrevBlock], b)
	}
	for _, child := range x.rootless[hash] {
		child.parent = b
	}
	delete(x.rootless, hash)
	delete(x.absent, hash)
	x.blocks[hash] = b
	return nil
}

// note adds a block to absent or invalid. When there are too many the others are
// forgotten, and asked for again.
func note(set map[chainhash.Hash]bool, hash chainhash.Hash) {
	if len(set) >= maxNoted {
		clear(set)
	}
	set[hash] = true
}

// errNeedsOlder says that a rule looks further back than the known headers.
var errNeedsOlder = errors.New("older Bitcoin headers are needed")

// checkHeader applies Bitcoin's contextual rules to a header on top of parent:
// required bits, median time past, BIP 94's time-warp rule on testnet4, version.
func (x *bitcoinIndex) checkHeader(header *wire.BlockHeader, parent *bitcoinBlock) error {
	if !x.reachesBack(parent) {
		return errNeedsOlder
	}
	err := btcchain.CheckBlockHeaderContext(header, headerCtx{parent}, btcchain.BFNone, chainCtx{x.params}, true)
	if _, ok := errors.AsType[btcchain.AssertError](err); ok {
		return errNeedsOlder
	}
	return err
}

// reachesBack reports whether enough ancestors of b are known for the median
// time of 11 blocks and, where blocks of minimum difficulty are allowed, for the
// search for the last other one within the retarget period. btcd's rules would
// silently make do with fewer.
func (x *bitcoinIndex) reachesBack(b *bitcoinBlock) bool {
	distance := int32(10)
	if x.params.ReduceMinDifficulty && !x.params.PoWNoRetargeting {
		distance = max(distance, b.height%chainCtx{x.params}.BlocksPerRetarget())
	}
	return headerCtx{b}.RelativeAncestorCtx(min(distance, b.height)) != nil
}

// oldest returns the first known ancestor of b.
func oldest(b *bitcoinBlock) *bitcoinBlock {
	for b.parent != nil {
		b = b.parent
	}
	return b
}

// headerCtx shows a bitcoinBlock to btcd's rules.
type headerCtx struct{ *bitcoinBlock }

func (c headerCtx) Height() int32    { return c.height }
func (c headerCtx) Bits() uint32     { return c.bits }
func (c headerCtx) Timestamp() int64 { return int64(c.time) }

func (c headerCtx) Parent() btcchain.HeaderCtx { return c.RelativeAncestorCtx(1) }

func (c headerCtx) RelativeAncestorCtx(distance int32) btcchain.HeaderCtx {
	b := c.bitcoinBlock
	for ; distance > 0 && b != nil; distance-- {
		b = b.parent
	}
	if b == nil {
		return nil // an untyped nil, which is what btcd compares with
	}
	return headerCtx{b}
}

// chainCtx gives btcd's rules the network's constants.
type chainCtx struct{ params *chaincfg.Params }

func (c chainCtx) ChainParams() *chaincfg.Params { return c.params }

func (c chainCtx) BlocksPerRetarget() int32 {
	return int32(c.params.TargetTimespan / c.params.TargetTimePerBlock)
}

func (c chainCtx) MinRetargetTimespan() int64 {
	return int64(c.params.TargetTimespan/time.Second) / c.params.RetargetAdjustmentFactor
}

func (c chainCtx) MaxRetargetTimespan() int64 {
	return int64(c.params.TargetTimespan/time.Second) * c.params.RetargetAdjustmentFactor
}

func (c chainCtx) VerifyCheckpoint(int32, *chainhash.Hash) bool { return true }

func (c chainCtx) FindPreviousCheckpoint() (btcchain.HeaderCtx, error) { return nil, nil }
