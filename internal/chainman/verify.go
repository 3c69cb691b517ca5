package chainman

import (
	"iter"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// Verifier judges the shares of a store again, as far as that can be done without
// a Bitcoin node: form, proof of work, links, heights, times, bits, sums, uncles,
// and, where the payout window is known, coinbases and payouts.
type Verifier struct {
	chain  *blockchain.Chain
	lowest uint32 // height of the first share

	Shares  int // that hold
	Checked int // of which the payouts were checked too
	Dropped int // that do not hold
}

// NewVerifier returns a Verifier without shares.
func NewVerifier(params *chainparams.Params) *Verifier {
	return &Verifier{chain: blockchain.New(params)}
}

// Add judges the next share; they come in ascending order of height. root says
// that it was stored as a root. The error says what is wrong with it; such a
// share, and what stands on it, is left out.
func (v *Verifier) Add(s *share.Share, root bool) error {
	if v.Shares+v.Dropped == 0 {
		v.lowest = s.Data.Height
	}
	whole, err := v.chain.RestoreChecked(s, root || s.Data.Height == v.lowest)
	if err != nil {
		v.Dropped++
		return err
	}
	v.Shares++
	if whole {
		v.Checked++
	}
	return nil
}

// Finish compares the stored tip and base with what the shares amount to.
func (v *Verifier) Finish(tip chainhash.Hash, base uint32) error { return v.chain.Restored(tip, base) }

// refillBatch is how many shares Refill stores at a time.
const refillBatch = 1_000

// Refill stores those of the shares that hold, with the tip that has the most work
// among them. Holes, and what stands on them, are left for the peers to fill.
func (v *Verifier) Refill(shares iter.Seq2[*share.Share, bool], dst Store) error {
	var batch []blockchain.Accepted
	flush := func() error {
		err := dst.Append(batch, v.chain.Best(), 0)
		batch = batch[:0]
		return err
	}
	for s, root := range shares {
		if v.Add(s, root) != nil {
			continue
		}
		batch = append(batch, blockchain.Accepted{Share: s, ID: s.ID(), Root: root || s.Data.Height == v.lowest && !s.Data.IsFirst()})
		if len(batch) == refillBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
