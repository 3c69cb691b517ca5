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
	Exact  []int64         // sat for the first payees by score
	Weight uint256.Uint256 // sum of the other payees' scores
	Small  int64           // sat that the others are owed together
	Marks  int64           // number of outputs that the others draw for
}

// Split pays as many payees exactly as the class allows. With the payees in
// order of their scores, aᵢ = ⌊R·scoreᵢ/Σ⌋, R = value − finder fee, and W the sum
// of the scores behind the first k, it finds the greatest k ≤ outputs for which
//
//   - all of the first k are owed at least Params.MinPayout sat,
//   - the k-th has a higher score than the next, so that equals are treated alike,
//   - W is zero, or the k-th's score is at least W/(outputs − k), the part of an
//     output if those behind share all outputs that are left.
//
// For the others' S = ⌊R·W/Σ⌋ there are as many marks as there are outputs left,
// but no more than make a part of at least MinPayout sat and of at least the
// highest score among them. No more than outputs+1 scores are looked at.
func (t *Table) Split(p *chainparams.Params, value int64, class share.Class) Split {
	reward := value - FinderFee(p, value)
	if t.total.IsZero() || reward <= 0 {
		return Split{}
	}
	most := min(len(t.byScore), class.Outputs())
	div := newDivider(&t.total, reward)
	rest := t.total // of all but the first k scores
	t.amounts = t.amounts[:0]
	for _, n := range t.byScore[:most] {
		weight := &t.payees[n].Weight
		t.amounts = append(t.amounts, div.amount(weight))
		rest.Sub(weight)
	}
	k := most
	for ; k > 0 && !t.exact(k, &rest, class.Outputs(), p.MinPayout); k-- {
		rest.Add(&t.payees[t.byScore[k-1]].Weight)
	}
	s := Split{Exact: t.amounts[:k], Weight: rest, Small: div.amount(&rest)}
	if s.Small > 0 {
		// Small is a part of reward, hence Marks fits in 11 bits.
		s.Marks = min(int64(class.Outputs()-k), s.Small/p.MinPayout)
		parts := rest
		if parts.Div(&t.payees[t.byScore[k]].Weight); parts.LtUint64(uint64(s.Marks)) {
			s.Marks = int64(parts.Uint64())
		}
		s.Marks = max(1, s.Marks)
	}
	return s
}

// exact reports whether the first k payees can be paid exactly while those with
// the rest of the scores draw.
func (t *Table) exact(k int, rest *uint256.Uint256, outputs int, minPayout int64) bool {
	last := &t.payees[t.byScore[k-1]].Weight
	if t.amounts[k-1] < minPayout {
		return false
	}
	if k < len(t.byScore) && last.Eq(&t.payees[t.byScore[k]].Weight) {
		return false
	}
	parts := *last
	parts.MulUint64(uint64(outputs - k))
	return parts.GtEq(rest) // with no output left, only an empty rest will do
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
