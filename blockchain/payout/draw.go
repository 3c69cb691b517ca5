package payout

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// drawTag separates the seed of the draw from every other use of a ShareID.
const drawTag = "p2pool/draw"

// Owed is what the sharechain owes one payee out of a coinbase.
type Owed struct {
	Script []byte
	Amount int64 // sat, the expected payment
}

// Result is a coinbase's distribution.
type Result struct {
	Finder  int64          // sat to the share's own payee: fee and rounding remainder
	Payouts []share.Payout // by amount descending, then script
}

// FinderFee returns the part of a coinbase value that is the finder's, in sat.
func FinderFee(p *chainparams.Params, value int64) int64 { return value / p.FinderFeeDivisor }

// Compute distributes a coinbase value over the scores of the window behind a
// parent, for the given class. Finder and payouts always sum to value. With no
// scores, as for the first share of a chain, all of it is the finder's.
func Compute(p *chainparams.Params, scores []Score, value int64, class share.Class, parent *chainhash.Hash) Result {
	owed, finder := Amounts(p, scores, value)
	payouts := draw(owed, Threshold(owed, class.Outputs(), p.MinPayout), newOffset(parent))
	slices.SortFunc(payouts, func(a, b share.Payout) int {
		if a.Amount != b.Amount {
			if a.Amount > b.Amount {
				return -1
			}
			return 1
		}
		return bytes.Compare(a.Script, b.Script)
	})
	return Result{Finder: finder, Payouts: payouts}
}

// Amounts returns what each payee is owed, R·score/Σscore rounded down with
// R = value − fee, in the order of the scores, and what the finder gets: the fee
// and all that rounding left. Payees owed nothing are left out.
func Amounts(p *chainparams.Params, scores []Score, value int64) (owed []Owed, finder int64) {
	reward := value - FinderFee(p, value)
	var total uint256.Uint256
	for i := range scores {
		total.Add(&scores[i].Weight)
	}
	finder = value
	if total.IsZero() || reward <= 0 {
		return nil, finder
	}
	owed = make([]Owed, 0, len(scores))
	for i := range scores {
		amount := scores[i].Weight
		amount.MulUint64(uint64(reward)).Div(&total)
		if sat := int64(amount.Uint64()); sat > 0 {
			owed = append(owed, Owed{Script: scores[i].Script, Amount: sat})
			finder -= sat
		}
	}
	return owed, finder
}

// Threshold returns the smallest T ≥ minPayout, in sat, such that paying
// everyone owed at least T exactly and drawing for the rest in steps of at
// least T needs no more than outputs outputs:
//
//	#{aᵢ ≥ T} + ⌈S/T⌉ ≤ outputs,  S = Σ{aᵢ < T}
//
// The left side never grows with T (raising T past some aᵢ removes one output
// and adds less than one step), so a binary search finds it.
func Threshold(owed []Owed, outputs int, minPayout int64) int64 {
	amounts := make([]int64, len(owed))
	for i := range owed {
		amounts[i] = owed[i].Amount
	}
	slices.Sort(amounts)
	below := make([]int64, len(amounts)+1) // below[i] = Σ amounts[:i]
	for i, a := range amounts {
		below[i+1] = below[i] + a
	}
	fits := func(t int64) bool {
		i, _ := slices.BinarySearch(amounts, t)
		steps := (below[i] + t - 1) / t
		return int64(len(amounts)-i)+steps <= int64(outputs)
	}
	// One output always suffices above the sum of everything.
	low, high := minPayout, max(minPayout, below[len(amounts)]+1)
	for low < high {
		if mid := low + (high-low)/2; fits(mid) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// draw pays everyone owed at least the threshold exactly, and the rest by
// systematic sampling: their amounts laid end to end in script order over
// [0, S), n = max(1, ⌊S/threshold⌋) marks stand S/n apart behind a common
// offset, and whoever lies under a mark gets S/n. Nobody can lie under two, for
// no small amount exceeds a step, and each is hit with a chance of amount/(S/n).
func draw(owed []Owed, threshold int64, from offset) []share.Payout {
	var small int64
	payouts := make([]share.Payout, 0, 64)
	for i := range owed {
		if owed[i].Amount >= threshold {
			payouts = append(payouts, share.Payout(owed[i]))
		} else {
			small += owed[i].Amount
		}
	}
	if small == 0 {
		return payouts
	}
	n := max(1, small/threshold)
	return sample(payouts, owed, threshold, small, n, from.start(small, n), from.extra(n))
}

// sample appends the drawn payouts for n marks over the small amounts' sum.
//
// Positions are scaled by n to stay integers: payee i covers [n·cᵢ, n·cᵢ₊₁) and
// mark k stands at start + k·small. small < 2⁵¹ sat and n ≤ 1152 make 62 bits.
func sample(payouts []share.Payout, owed []Owed, threshold, small, n, start, extra int64) []share.Payout {
	var covered, mark int64
	for i := range owed {
		if owed[i].Amount >= threshold {
			continue
		}
		covered += owed[i].Amount
		if start+mark*small >= n*covered {
			continue
		}
		amount := small / n
		// small mod n satoshis are left over; they go to as many marks in a row,
		// beginning at random, so that every mark is worth small/n on average.
		if (mark+extra)%n < small%n {
			amount++
		}
		payouts = append(payouts, share.Payout{Script: owed[i].Script, Amount: amount})
		mark++
	}
	return payouts
}

// offset is the randomness of one draw: a point on [0, 1) in 128-bit fixed
// point, common to all classes so that their draws nest, and a second number
// for the left-over satoshis.
type offset struct {
	hi, lo uint64
	rest   uint64
}

// newOffset derives the draw of the shares that follow a parent. Its hash is
// proof of work, so choosing the draw costs as much as finding shares.
func newOffset(parent *chainhash.Hash) offset {
	seed := sha256.Sum256(append([]byte(drawTag), parent[:]...))
	return offset{
		hi:   binary.BigEndian.Uint64(seed[0:]),
		lo:   binary.BigEndian.Uint64(seed[8:]),
		rest: binary.BigEndian.Uint64(seed[16:]),
	}
}

// start returns the first mark's place in [0, small), in units of 1/n sat. The
// common point times S is a mark of every class; modulo the step it is
// frac(n·point)·S.
func (o offset) start(small, n int64) int64 {
	carry, lo := bits.Mul64(o.lo, uint64(n))
	hi := o.hi*uint64(n) + carry // the integer part of n·point drops out
	// frac·S: the upper 64 bits of a 128 by 64 bit product.
	upper, lower := bits.Mul64(hi, uint64(small))
	fromLo, _ := bits.Mul64(lo, uint64(small))
	if _, c := bits.Add64(lower, fromLo, 0); c == 1 {
		upper++
	}
	return int64(upper)
}

// extra returns the mark, in [0, n), at which the left-over satoshis begin.
func (o offset) extra(n int64) int64 {
	hi, _ := bits.Mul64(o.rest, uint64(n))
	return int64(hi)
}
