package payout

import (
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// Split says how a class treats a window: the payees with the highest scores
// are paid exactly, and the others draw. It is valid until the table is used
// again.
type Split struct {
	Threshold int64           // sat; who is owed as much is paid exactly
	Exact     []int64         // sat for the first payees by score
	Weight    uint256.Uint256 // sum of the other payees' scores
	Small     int64           // sat that the others are owed together
	Marks     int64           // number of outputs that the others draw for
}

// Split finds the smallest threshold T of at least Params.MinPayout, in sat,
// such that paying everyone owed at least T exactly and drawing for the rest in
// steps of at least T needs no more outputs than the class has:
//
//	#{aᵢ ≥ T} + ⌈S/T⌉ ≤ outputs,  aᵢ = ⌊R·scoreᵢ/Σ⌋,  S = ⌊R·Σ{score: a < T}/Σ⌋
//
// with R = value − finder fee. The left side never grows with T: raising T past
// some aᵢ removes one output and adds at most one step. So among the candidates
// "the first k by score are exact" the largest feasible k has the smallest T,
// and no more than outputs+1 scores have to be looked at.
func (t *Table) Split(p *chainparams.Params, value int64, class share.Class) Split {
	reward := value - FinderFee(p, value)
	if t.total.IsZero() || reward <= 0 {
		return Split{Threshold: p.MinPayout}
	}
	outputs := int64(class.Outputs())
	most := min(len(t.byScore), int(outputs))
	div := newDivider(&t.total, reward)
	rest := t.total // of all but the first k scores
	amounts := t.amounts[:0]
	for i, n := range t.byScore[:min(len(t.byScore), most+1)] {
		weight := &t.payees[n].Weight
		amounts = append(amounts, div.amount(weight))
		if i < most {
			rest.Sub(weight)
		}
	}
	t.amounts = amounts
	for k := most; ; k-- {
		if k < most {
			rest.Add(&t.payees[t.byScore[k]].Weight)
		}
		small := div.amount(&rest)
		threshold, ok := thresholdFor(amounts, k, small, outputs, p.MinPayout)
		if !ok {
			continue // k = 0 is always feasible
		}
		s := Split{Threshold: threshold, Exact: amounts[:k], Weight: rest, Small: small}
		if small > 0 {
			s.Marks = max(1, small/threshold)
		}
		return s
	}
}

// thresholdFor returns the smallest threshold at which exactly the first k
// amounts are exact, if there is one that needs no more than the outputs.
func thresholdFor(amounts []int64, k int, small, outputs, minPayout int64) (int64, bool) {
	threshold := minPayout
	if k < len(amounts) {
		threshold = max(threshold, amounts[k]+1)
	}
	if small > 0 {
		left := outputs - int64(k)
		if left == 0 {
			return 0, false
		}
		threshold = max(threshold, (small+left-1)/left)
	}
	return threshold, k == 0 || amounts[k-1] >= threshold
}

// divider computes ⌊reward·weight/total⌋ for many weights.
type divider struct {
	total  uint256.Uint256
	reward uint64
}

func newDivider(total *uint256.Uint256, reward int64) divider {
	return divider{total: *total, reward: uint64(reward)}
}

// amount is at most reward, as no weight exceeds the total.
func (d *divider) amount(weight *uint256.Uint256) int64 {
	n := *weight
	n.MulUint64(d.reward).Div(&d.total)
	return int64(n.Uint64())
}

// Owed returns what each score is owed out of a coinbase value, in sat rounded
// down: the expected payment, which those below the threshold get by the draw.
func Owed(p *chainparams.Params, scores []Score, value int64) []int64 {
	var total uint256.Uint256
	for i := range scores {
		total.Add(&scores[i].Weight)
	}
	owed := make([]int64, len(scores))
	reward := value - FinderFee(p, value)
	if total.IsZero() || reward <= 0 {
		return owed
	}
	div := newDivider(&total, reward)
	for i := range scores {
		owed[i] = div.amount(&scores[i].Weight)
	}
	return owed
}
