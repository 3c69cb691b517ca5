package blockchain

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	btcchain "github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// NextBitcoin is what Bitcoin's rules demand of the block after a known one.
type NextBitcoin struct {
	Height  uint32 // of the next block
	Bits    uint32 // compact target it has to meet
	MinTime uint32 // earliest header time that is safe, Unix seconds
}

// ErrNoNextBitcoin is wrapped by the errors of [Chain.NextBitcoinWork]: what the next
// block needs is not known here, and the Bitcoin node has to be asked.
var ErrNoNextBitcoin = errors.New("the next Bitcoin block's rules are not known")

// maxTimeWarp is how far, in seconds, the first block of a retarget period may lie
// before its parent (BIP 94, which testnet4 enforces and BIP 54 proposes for all
// networks). To keep to it costs nothing elsewhere.
const maxTimeWarp = 600

// NextBitcoinWork returns what the block after prev needs, by the headers known. It
// gives an error where it isn't sure: prev is unknown, older headers are missing, or
// the network's required difficulty depends on the block's own time (testnet4).
func (c *Chain) NextBitcoinWork(prev chainhash.Hash) (NextBitcoin, error) {
	parent := c.bitcoin.blocks[prev]
	if parent == nil {
		return NextBitcoin{}, fmt.Errorf("%w: block %v is unknown", ErrNoNextBitcoin, prev)
	}
	return c.bitcoin.next(parent)
}

// AddNextBitcoinHeader enters the header of a block whose parent is known, and returns
// what the block after it needs. It refuses a header that breaks Bitcoin's rules. Unlike
// those of AddBitcoinHeader it may come from a node that hasn't validated the block yet;
// if that turns out to be invalid, BitcoinBlockInvalid says so later.
func (c *Chain) AddNextBitcoinHeader(header *wire.BlockHeader) (NextBitcoin, error) {
	parent := c.bitcoin.blocks[header.PrevBlock]
	if parent == nil {
		return NextBitcoin{}, fmt.Errorf("%w: block %v is unknown", ErrNoNextBitcoin, header.PrevBlock)
	}
	hash := header.BlockHash()
	if c.bitcoin.blocks[hash] == nil {
		if err := c.bitcoin.checkHeader(header, parent); err != nil {
			return NextBitcoin{}, fmt.Errorf("%w: header %v: %w", ErrNoNextBitcoin, hash, err)
		}
		if err := c.bitcoin.add(header, uint32(parent.height+1)); err != nil {
			return NextBitcoin{}, err
		}
	}
	return c.NextBitcoinWork(hash)
}

// next works out the rules for a block on top of parent. The result has passed
// checkHeader, so that a fault here can cost a moment but never a block.
func (x *bitcoinIndex) next(parent *bitcoinBlock) (NextBitcoin, error) {
	if x.invalid[parent.hash] {
		return NextBitcoin{}, fmt.Errorf("%w: block %v is invalid", ErrNoNextBitcoin, parent.hash)
	}
	if x.params.ReduceMinDifficulty && !x.params.PoWNoRetargeting {
		return NextBitcoin{}, fmt.Errorf("%w: on %s they depend on the block's time", ErrNoNextBitcoin, x.params.Name)
	}
	if !x.reachesBack(parent) || parent.height == math.MaxInt32 {
		return NextBitcoin{}, fmt.Errorf("%w: %w", ErrNoNextBitcoin, errNeedsOlder)
	}
	retarget := (parent.height+1)%chainCtx{x.params}.BlocksPerRetarget() == 0
	bits, err := x.nextBits(parent, retarget)
	if err != nil {
		return NextBitcoin{}, fmt.Errorf("%w: %w", ErrNoNextBitcoin, err)
	}
	minTime := btcchain.CalcPastMedianTime(headerCtx{parent}).Unix() + 1
	if retarget {
		minTime = max(minTime, int64(parent.time)-maxTimeWarp)
	}
	n := NextBitcoin{Height: uint32(parent.height + 1), Bits: bits, MinTime: uint32(min(minTime, math.MaxUint32))}
	header := wire.BlockHeader{
		Version: anyVersion, PrevBlock: parent.hash, Bits: n.Bits, Timestamp: time.Unix(int64(n.MinTime), 0),
	}
	if err := x.checkHeader(&header, parent); err != nil {
		return NextBitcoin{}, fmt.Errorf("%w: %w", ErrNoNextBitcoin, err)
	}
	return n, nil
}

// anyVersion is a header version that Bitcoin accepts at every height.
const anyVersion = 0x20000000

// nextBits returns the compact target after parent: its own, but for the first block of
// a retarget period, where the length of the last one adjusts it.
func (x *bitcoinIndex) nextBits(parent *bitcoinBlock, retarget bool) (uint32, error) {
	ctx := chainCtx{x.params}
	switch {
	case x.params.PoWNoRetargeting:
		return x.params.PowLimitBits, nil
	case !retarget:
		return parent.bits, nil
	}
	// Bitcoin measures from the period's first block to its last, one interval short.
	first, ok := headerCtx{parent}.RelativeAncestorCtx(ctx.BlocksPerRetarget() - 1).(headerCtx)
	if !ok {
		return 0, errNeedsOlder
	}
	span := int64(parent.time) - int64(first.time)
	span = max(ctx.MinRetargetTimespan(), min(span, ctx.MaxRetargetTimespan()))
	old := parent.bits
	if x.params.EnforceBIP94 {
		old = first.bits
	}
	t := btcchain.CompactToBig(old)
	t.Mul(t, big.NewInt(span))
	t.Div(t, big.NewInt(int64(x.params.TargetTimespan/time.Second)))
	if t.Cmp(x.params.PowLimit) > 0 {
		t.Set(x.params.PowLimit)
	}
	return btcchain.BigToCompact(t), nil
}
