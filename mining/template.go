package mining

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/rawtx"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

const (
	// DefaultWeightLimit is Bitcoin's limit of a block's weight (BIP 141), in
	// weight units. It stands in when a node reports no limit.
	DefaultWeightLimit = 4_000_000

	// DefaultSigopLimit is Bitcoin's limit of a block's signature operation cost
	// (BIP 141). It stands in when a node reports no limit.
	DefaultSigopLimit = 80_000

	// MinTxWeight is the weight of the smallest transaction Bitcoin can hold:
	// 60 bytes (version 4, counts 2, input 41, output 9, lock time 4) of 4 weight
	// units each.
	MinTxWeight = 60 * 4

	// MaxTemplateTxs bounds the transactions of a template: as many of the
	// smallest as fill a block, 4,000,000 / 240 = 16,666. The merkle branch of the
	// coinbase therefore has at most 15 hashes.
	MaxTemplateTxs = DefaultWeightLimit / MinTxWeight

	// maxTemplateHeight keeps the height inside the 31 bits in which Bitcoin nodes
	// hold it.
	maxTemplateHeight = 1<<31 - 1

	// minBlockVersion is the lowest header version Bitcoin accepts since BIP 65.
	minBlockVersion = 4
)

// ErrBadTemplate is wrapped by every error of [Template.Check]: the node's template
// can't be mined as it stands.
var ErrBadTemplate = errors.New("bad block template")

// Template is what a Bitcoin node proposes for the next block (BIP 22, BIP 23 and
// BIP 145), without the coinbase, which the pool makes itself.
//
// It is immutable after [Template.Check] and may be shared by any number of
// goroutines.
type Template struct {
	// Version is the header version with the soft fork signals the node wants.
	Version int32

	// PrevBlock is the block to build on, Height the height of the new block
	// (1 or more).
	PrevBlock chainhash.Hash
	Height    uint32

	// Bits is the compact target that the new block has to meet.
	Bits uint32

	// CurTime is the node's time for the header, MinTime the earliest time that
	// Bitcoin's rules allow (median time of the parent + 1), both in Unix seconds.
	CurTime uint32
	MinTime uint32

	// CoinbaseValue is what the coinbase may pay if the block holds all of Txs:
	// subsidy plus all fees, in sat, as the node says.
	CoinbaseValue int64

	// Txs are the transactions in block order, the coinbase excluded.
	Txs []TemplateTx

	// WeightLimit (weight units) and SigopLimit (signature operation cost) are the
	// block's limits as the node reports them.
	WeightLimit int64
	SigopLimit  int64

	// LongPollID names the template in the request that waits for the next one
	// (BIP 22); empty if the node has no long polling.
	LongPollID string

	// Rules are the consensus rules the node says are active, as it spells them
	// (BIP 9); a leading "!" marks those that a miner must understand.
	Rules []string

	// Deploying tells that a soft fork is being signalled or locked in, or that the node
	// doesn't say: rules may change where its next signalling period begins (BIP 9).
	Deploying bool

	// Empty marks a template made here by [EmptyTemplate], which stands in until the
	// node's own is there.
	Empty bool

	// Received is when the template arrived, by our own clock.
	Received time.Time
}

// TemplateTx is one transaction of a [Template].
type TemplateTx struct {
	// Raw is the serialized transaction, with its witness if it has one.
	Raw []byte

	// TxID and WTxID are the hashes without and with the witness (BIP 141).
	TxID  chainhash.Hash
	WTxID chainhash.Hash

	// Fee is the transaction's fee in sat, Weight its weight units, Sigops its
	// signature operation cost.
	Fee    int64
	Weight int64
	Sigops int64

	// Depends are the transactions that must precede this one, as zero-based
	// indices into Template.Txs; each is smaller than the transaction's own. (On
	// the wire, in getblocktemplate, they count from one.)
	Depends []int
}

// badTemplate returns an error that wraps [ErrBadTemplate].
func badTemplate(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadTemplate, fmt.Sprintf(format, args...))
}

// Check returns nil if the template is consistent in itself, so that a block built
// from it can only be wrong where the template's transactions are. It hashes every
// transaction, some 2 µs each, on all cores. Errors wrap [ErrBadTemplate].
func (t *Template) Check() error {
	if err := t.checkHeader(); err != nil {
		return err
	}
	if len(t.Txs) > MaxTemplateTxs {
		return badTemplate("%d transactions, more than the %d that fit a block",
			len(t.Txs), MaxTemplateTxs)
	}

	err := InParallel(len(t.Txs), func(i int) error {
		if err := t.Txs[i].check(i); err != nil {
			return badTemplate("transaction %d (%v): %v", i, t.Txs[i].TxID, err)
		}
		return nil
	})
	if err != nil {
		return err
	}

	var fees, weight, sigops int64
	seen := make(map[chainhash.Hash]struct{}, len(t.Txs))
	for i := range t.Txs {
		tx := &t.Txs[i]
		if _, ok := seen[tx.TxID]; ok {
			return badTemplate("transaction %d (%v): appears twice", i, tx.TxID)
		}
		seen[tx.TxID] = struct{}{}

		// No sum overflows: fees stop at share.MaxMoney, the others' addends are below
		// 2^25 and fewer than 2^15.
		weight += tx.Weight
		sigops += tx.Sigops
		if fees += tx.Fee; fees > share.MaxMoney {
			return badTemplate("fees of more than %d sat", int64(share.MaxMoney))
		}
	}

	switch {
	case t.CoinbaseValue < fees || t.CoinbaseValue > share.MaxMoney:
		return badTemplate("coinbase value %d sat is not between its fees of %d sat and %d sat",
			t.CoinbaseValue, fees, int64(share.MaxMoney))
	case weight > t.WeightLimit:
		return badTemplate("its transactions weigh %d, more than the limit of %d",
			weight, t.WeightLimit)
	case sigops > t.SigopLimit:
		return badTemplate("its transactions cost %d signature operations, more than the limit of %d",
			sigops, t.SigopLimit)
	}
	return nil
}

// checkHeader checks everything but the transactions.
func (t *Template) checkHeader() error {
	if t.Version < minBlockVersion {
		return badTemplate("block version %d is below %d", t.Version, minBlockVersion)
	}
	if t.Height < 1 || t.Height > maxTemplateHeight {
		return badTemplate("height %d is out of range", t.Height)
	}
	if t.PrevBlock == (chainhash.Hash{}) {
		return badTemplate("no previous block")
	}
	if _, err := target.FromCompact(t.Bits); err != nil {
		return badTemplate("bits %08x: %v", t.Bits, err)
	}
	if t.CurTime < t.MinTime {
		return badTemplate("time %d is before the earliest allowed time %d", t.CurTime, t.MinTime)
	}
	if t.WeightLimit < 1 || t.WeightLimit > DefaultWeightLimit {
		return badTemplate("weight limit %d is not in 1..%d", t.WeightLimit, DefaultWeightLimit)
	}
	if t.SigopLimit < 1 || t.SigopLimit > DefaultSigopLimit {
		return badTemplate("signature operation limit %d is not in 1..%d", t.SigopLimit, DefaultSigopLimit)
	}
	return nil
}

// check compares the transaction, the one at the given index of its template, with
// its own bytes.
func (tx *TemplateTx) check(index int) error {
	// Bounded before parsing: a byte weighs at least one unit.
	if len(tx.Raw) > DefaultWeightLimit {
		return fmt.Errorf("%d bytes are more than a block holds", len(tx.Raw))
	}
	info, err := rawtx.Parse(tx.Raw)
	switch {
	case err != nil:
		return fmt.Errorf("can't be read: %v", err)
	case info.TxID != tx.TxID:
		return fmt.Errorf("its bytes hash to %v", info.TxID)
	case info.WTxID != tx.WTxID:
		return fmt.Errorf("its bytes with witness don't hash to %v", tx.WTxID)
	case info.Weight != tx.Weight:
		return fmt.Errorf("weighs %d, not %d", info.Weight, tx.Weight)
	case tx.Fee < 0 || tx.Fee > share.MaxMoney:
		return fmt.Errorf("fee of %d sat is out of range", tx.Fee)
	case tx.Sigops < 0 || tx.Sigops > DefaultSigopLimit:
		return fmt.Errorf("%d signature operations are out of range", tx.Sigops)
	}
	for _, d := range tx.Depends {
		if d < 0 || d >= index {
			return fmt.Errorf("depends on transaction %d, which doesn't precede it", d)
		}
	}
	return nil
}

// HasWitness tells whether the transaction carries a witness.
func (tx *TemplateTx) HasWitness() bool { return tx.TxID != tx.WTxID }

// TxIDs returns the ids of the transactions in block order, the coinbase excluded.
func (t *Template) TxIDs() []chainhash.Hash {
	ids := make([]chainhash.Hash, len(t.Txs))
	for i := range t.Txs {
		ids[i] = t.Txs[i].TxID
	}
	return ids
}

// WTxIDs returns the ids with witness of the transactions in block order, the
// coinbase excluded.
func (t *Template) WTxIDs() []chainhash.Hash {
	ids := make([]chainhash.Hash, len(t.Txs))
	for i := range t.Txs {
		ids[i] = t.Txs[i].WTxID
	}
	return ids
}

// rawTxs returns the serialized transactions in block order.
func (t *Template) rawTxs() [][]byte {
	list := make([][]byte, len(t.Txs))
	for i := range t.Txs {
		list[i] = t.Txs[i].Raw
	}
	return list
}

// Fees returns the sum of the transactions' fees in sat.
func (t *Template) Fees() int64 {
	var sum int64
	for i := range t.Txs {
		sum += t.Txs[i].Fee
	}
	return sum
}

// Subsidy returns what the block pays without any transaction, in sat.
func (t *Template) Subsidy() int64 { return t.CoinbaseValue - t.Fees() }

// Weight returns the sum of the transactions' weight units. Header, transaction count
// and coinbase come on top.
func (t *Template) Weight() int64 {
	var sum int64
	for i := range t.Txs {
		sum += t.Txs[i].Weight
	}
	return sum
}

// Sigops returns the sum of the transactions' signature operation costs. The
// coinbase's comes on top.
func (t *Template) Sigops() int64 {
	var sum int64
	for i := range t.Txs {
		sum += t.Txs[i].Sigops
	}
	return sum
}

// HasWitness tells whether any transaction carries a witness, in which case the block
// must hold a witness commitment (BIP 141).
func (t *Template) HasWitness() bool {
	return slices.ContainsFunc(t.Txs, func(tx TemplateTx) bool { return tx.HasWitness() })
}

// MerkleBranch returns the hashes that lead from the coinbase to the merkle root of a
// block with the template's transactions, lowest level first.
func (t *Template) MerkleBranch() []chainhash.Hash { return share.MerkleBranch(t.TxIDs()) }

// WitnessCommitment returns the hash of the coinbase's witness commitment output
// (BIP 141). It is always computed here: nodes differ in when they report one.
func (t *Template) WitnessCommitment() chainhash.Hash { return share.WitnessCommitment(t.WTxIDs()) }
