package mining

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

const (
	// versionBase is the header version of all jobs: BIP 9's prefix with every
	// bit that devices may roll (BIP 320's mask) zeroed, for servers and firmware
	// disagree on whether rolled bits are combined by OR or XOR.
	versionBase = 0x20000000
	versionMask = 0x1fffe000

	// SignalledBits are the version bits that every block of the pool has set: no soft
	// fork's. Work on a template that requires others would make invalid blocks.
	SignalledBits = versionBase

	// rollTime is how far, in seconds, a device may move a header's time beyond
	// its job's: within the two hours Bitcoin allows, with room for clocks.
	rollTime = 7000
)

// Work is one Bitcoin template joined to one share tip. It is immutable and safe
// for concurrent use.
type Work struct {
	params   *chainparams.Params
	chain    Chain
	template *Template
	tip      *blockchain.Tip
	data     share.Data // of every share of this work, but for payee and class

	trims       *trims   // of the template
	aux         *AuxWork // nil: nothing of other chains
	shareTarget uint256.Uint256
	blockTarget uint256.Uint256
	minTime     uint32
	maxTime     uint32
	now         func() time.Time

	classes [5]func() *classWork // by class, computed when first needed
}

// classWork is what all jobs of a work and class have in common.
type classWork struct {
	variant *variant
	result  payout.Result
	shared  *Shared
	coinb2  []byte
	fits    bool  // the block stays within its limits of weight and sigops
	err     error // there are no payouts: the tip has left the chain's memory

	look lastLook
}

// newWork joins template and tip. What was prepared of the template is taken over
// from previous work on it.
func newWork(cfg *Config, t *Template, tip *blockchain.Tip, previous *Work) (*Work, error) {
	bitcoinTarget, err := target.FromCompact(t.Bits)
	if err != nil {
		return nil, fmt.Errorf("template bits %08x: %w", t.Bits, err)
	}
	// Building on an older block than the tip's is invalid, and a node that
	// offers it will catch up.
	if t.Height <= tip.BitcoinHeight {
		return nil, fmt.Errorf("the Bitcoin node is behind: its template has height %d, the share tip builds on block %d", t.Height, tip.BitcoinHeight)
	}
	now := uint32(min(cfg.Now().Unix(), math.MaxUint32))
	w := &Work{
		params: cfg.Params, chain: cfg.Chain, template: t, tip: tip, now: cfg.Now,
		shareTarget: tip.NextTarget,
		blockTarget: cfg.Params.BlockTarget(bitcoinTarget, tip.NextTarget),
		data: share.Data{
			Version: share.Version, Previous: tip.ID, Uncles: tip.Uncles,
			Height: tip.NextHeight, Time: max(now, tip.MinTime), Bits: tip.NextBits,
			Anchor: tip.NextAnchor, Count: tip.NextCount, Work: tip.NextWork,
			BitcoinHeight: t.Height, CoinbaseValue: t.CoinbaseValue, Tag: cfg.Tag,
		},
	}
	w.commitMerged(cfg.Merged)
	if tip.Empty {
		w.data.Anchor = w.data.Time
	}
	w.minTime = t.MinTime
	w.maxTime = w.jobTime() + rollTime
	if p := cfg.Params.Bitcoin; p.ReduceMinDifficulty && !p.PoWNoRetargeting && t.Bits != p.PowLimitBits {
		// Testnet4's 20-minute rule: a later time may demand other bits.
		w.maxTime = w.jobTime()
	}
	if previous != nil && previous.template == t {
		w.trims = previous.trims
	} else {
		w.trims = newTrims(t)
	}
	for class := range w.classes {
		w.classes[class] = sync.OnceValue(func() *classWork { return w.classWork(share.Class(class)) })
	}
	return w, nil
}

// jobTime is the template's header time.
func (w *Work) jobTime() uint32 { return max(w.template.CurTime, w.template.MinTime) }

// PrevBlock returns the Bitcoin block that the work builds on.
func (w *Work) PrevBlock() chainhash.Hash { return w.template.PrevBlock }

// Template returns the template of the work.
func (w *Work) Template() *Template { return w.template }

// Tip returns the share tip the work builds on.
func (w *Work) Tip() *blockchain.Tip { return w.tip }

// Payouts returns the distribution of the coinbase value for a class, computed
// when first asked for. Finder's part goes to whoever finds the next share.
func (w *Work) Payouts(class share.Class) (payout.Result, error) {
	if !class.Valid() {
		return payout.Result{}, fmt.Errorf("unknown output class %d", uint8(class))
	}
	c := w.classes[class]()
	return c.result, c.err
}

// classWork distributes the coinbase value to a class, and makes room for that many
// outputs if need be: fewer transactions bring less, which may change the payouts.
func (w *Work) classWork(class share.Class) *classWork {
	c := new(classWork)
	var weight, sigops int64 // to be freed
	for range maxFits {
		if c.variant, c.err = w.trims.without(weight, sigops); c.err != nil {
			if c.err == errTrim {
				c.err = nil // not fits
			}
			return c
		}
		c.result, c.err = w.chain.Payouts(w.tip.ID, w.template.Bits, c.variant.CoinbaseValue, class)
		if c.err != nil {
			return c
		}
		moreWeight, moreSigops := c.variant.excess(&c.result)
		if c.fits = moreWeight <= 0 && moreSigops <= 0; c.fits {
			break
		}
		// From the full template on, as the variant may have lost more than it had to.
		freed, freedSigops := w.template.Weight()-c.variant.Weight(), w.template.Sigops()-c.variant.Sigops()
		weight, sigops = max(freed+moreWeight, weight), max(freedSigops+moreSigops, sigops)
	}
	data := w.data
	data.WitnessCommitment = c.variant.commitment[:]
	c.coinb2 = binary.LittleEndian.AppendUint32(nil, data.LockTime())
	c.shared = &Shared{Bytes: data.AppendCoinbaseTail(nil, c.result.Payouts)}
	return c
}

// maxFits is how often a class's payouts are computed until they fit: once, once
// more with the room they need, and twice if the smaller value spreads over more.
const maxFits = 4

// check returns why even the smallest class has no job.
func (w *Work) check() error {
	_, err := w.Job(nobody, share.Class12)
	return err
}

// nobody is the payee of what nobody mines: P2WPKH of a key that nobody has.
var nobody = append([]byte{txscript.OP_0, 20}, make([]byte, 20)...)

func errNoRoom(class share.Class) error {
	return fmt.Errorf("the template leaves no room for a coinbase of %d outputs: raise -blockreservedweight of the Bitcoin node", class.Outputs())
}

// Job returns the job that pays payee, an output script of a standard form, with
// a coinbase of at most the class: where the template cannot make room for that
// many outputs, the largest class that fits is taken.
func (w *Work) Job(payee []byte, class share.Class) (*Job, error) {
	if err := share.CheckPayee(payee); err != nil {
		return nil, err
	}
	if !class.Valid() {
		return nil, fmt.Errorf("unknown output class %d", uint8(class))
	}
	c := w.classes[class]()
	for c.err == nil && !c.fits && class > share.Class12 {
		class--
		c = w.classes[class]()
	}
	if c.err != nil {
		return nil, c.err
	}
	if !c.fits {
		return nil, errNoRoom(class)
	}
	m := &jobMemory{Job: Job{
		PrevBlock: w.template.PrevBlock, Version: versionBase, Bits: w.template.Bits,
		Time: w.currentTime(), MinTime: w.minTime, MaxTime: w.maxTime, Shared: c.shared, Coinb2: c.coinb2,
		Branch: c.variant.branch, ShareTarget: w.shareTarget, BlockTarget: w.blockTarget, AuxTarget: w.auxTarget(), aux: w.aux,
		ShareHeight: w.data.Height, BitcoinHeight: w.data.BitcoinHeight, data: w.data, template: c.variant.Template,
	}}
	j, data := &m.Job, &m.Job.data
	data.Payee, data.Class = append(m.payee[:0], payee...), class
	data.CoinbaseValue, data.WitnessCommitment = c.variant.CoinbaseValue, c.variant.commitment[:]
	m.commitment = data.Commitment(&w.params.ChainID)
	j.Head, j.Tail = data.AppendCoinbaseHead(m.head[:0], c.result.Finder, len(c.result.Payouts)), m.commitment[:]
	j.lazy = &m.lazy
	if err := j.audit(c); err != nil {
		return nil, err
	}
	return j, nil
}

// currentTime is the job's header time: the template's, moved on by its age.
func (w *Work) currentTime() uint32 {
	age := uint32(max(0, w.now().Sub(w.template.Received)/time.Second))
	return min(w.jobTime()+age, w.maxTime)
}
