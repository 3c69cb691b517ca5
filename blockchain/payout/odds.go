package payout

import (
	"bytes"
	"math"
	"math/big"
	"slices"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// Odds explains payouts to people: what every payee of a table is owed out of a
// coinbase value, and what a block of each class holds for them before the
// parent, and with it the draw, is known. Consensus does not use it.
//
// Payees are named by their rank, in [0, Len): by score, the highest first, then
// by script. Odds keep no connection with the table and are safe for concurrent
// use.
type Odds struct {
	scores  []Score // by rank
	div     divider // of the reward
	classes []drawing
}

// drawing is a class's draw.
type drawing struct {
	exact  int // ranks below are paid exactly
	weight uint256.Uint256
	marks  int64
	amount int64 // sat that every mark is worth, rounded down
}

// Chance is what a block of one class holds for one payee.
type Chance struct {
	// Exact: every block of the class pays exactly what the payee is owed.
	Exact bool
	// Probability of being paid, in [0, 1]: that of being drawn, and 1 for those
	// who are paid exactly. It is the float64 next to marks·score/W, but 1 only
	// where that is 1, and 0 only where nothing is paid.
	Probability float64
	// Amount is the payment in sat: what the payee is owed if Exact, else what
	// it gets when it is drawn. S mod marks of those drawn get one sat more,
	// so that Probability times the mean payment is S·score/W, which differs
	// from R·score/Σ, of which Owed is the floor, by less than a sat.
	Amount int64
}

// Odds returns the odds of all payees for a coinbase value, at most
// share.MaxMoney.
func (t *Table) Odds(p *chainparams.Params, value int64) *Odds {
	o := &Odds{scores: make([]Score, len(t.byScore))}
	for rank, n := range t.byScore {
		o.scores[rank] = t.payees[n]
	}
	o.div = newDivider(&t.total, max(0, value-FinderFee(p, value)))
	for _, class := range share.Classes() {
		s := t.Split(p, value, class)
		d := drawing{exact: len(s.Exact), weight: s.Weight, marks: s.Marks}
		if s.Marks > 0 {
			d.amount = s.Small / s.Marks
		}
		o.classes = append(o.classes, d)
	}
	return o
}

// Len returns the number of payees.
func (o *Odds) Len() int { return len(o.scores) }

// Score returns the payee of a rank.
func (o *Odds) Score(rank int) Score { return o.scores[rank] }

// Rank returns the rank of a payee, and whether it is in the table.
func (o *Odds) Rank(script []byte) (int, bool) {
	rank := slices.IndexFunc(o.scores, func(s Score) bool { return bytes.Equal(s.Script, script) })
	return rank, rank >= 0
}

// Owed returns what a payee is owed in sat, rounded down.
func (o *Odds) Owed(rank int) int64 { return o.div.amount(&o.scores[rank].Weight) }

// Chance returns what a block of a valid class holds for a payee.
func (o *Odds) Chance(rank int, class share.Class) Chance {
	d := &o.classes[class]
	switch {
	case rank < d.exact:
		return Chance{Exact: true, Probability: 1, Amount: o.Owed(rank)}
	case d.marks == 0:
		return Chance{} // there is nothing to draw for
	}
	ratio := d.probability(&o.scores[rank].Weight)
	nearest, isExact := ratio.Float64()
	if nearest == 1 && !isExact {
		nearest = math.Nextafter(1, 0)
	}
	return Chance{Probability: nearest, Amount: d.amount}
}

// probability is the chance that one of the marks, which stand weight/marks
// apart behind a uniform start, falls on a score. See Table.sample: no score
// that draws is wider than that distance.
func (d *drawing) probability(score *uint256.Uint256) *big.Rat {
	hits := *score
	hits.MulUint64(uint64(d.marks)) // below 2²⁰³: scores are below 2¹⁹²
	return new(big.Rat).SetFrac(hits.ToBig(), d.weight.ToBig())
}
