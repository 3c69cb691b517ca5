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

// Result is a coinbase's distribution.
type Result struct {
	Finder  int64          // sat to the share's own payee: fee and rounding remainder
	Payouts []share.Payout // by amount descending, then script
}

// FinderFee returns the part of a coinbase value that is the finder's, in sat.
func FinderFee(p *chainparams.Params, value int64) int64 { return value / p.FinderFeeDivisor }

// Compute distributes a coinbase value, at most share.MaxMoney, over the scores
// of the window behind a parent, for the given class. Finder and payouts always
// sum to value. With no scores, as for the first share of a chain, all of it is
// the finder's.
func (t *Table) Compute(p *chainparams.Params, value int64, class share.Class, parent *chainhash.Hash) Result {
	return t.AppendCompute(nil, p, value, class, parent)
}

// AppendCompute is Compute with a buffer for the payouts, which may be nil.
func (t *Table) AppendCompute(buf []share.Payout, p *chainparams.Params, value int64, class share.Class, parent *chainhash.Hash) Result {
	s := t.Split(p, value, class)
	r := Result{Finder: value - s.Small, Payouts: slices.Grow(buf[:0], len(s.Exact)+int(s.Marks))}
	for i, amount := range s.Exact {
		r.Payouts = append(r.Payouts, share.Payout{Script: t.payees[t.byScore[i]].Script, Amount: amount})
		r.Finder -= amount
	}
	sortTies(r.Payouts)
	if s.Small > 0 {
		o := newOffset(parent)
		t.drawn = t.sample(t.drawn[:0], s, o.start(&s.Weight, s.Marks), o.extra(s.Marks))
		// They come by script and with two amounts: first those with the larger.
		step := s.Small / s.Marks
		t.ordered = appendIf(t.ordered[:0], t.drawn, func(amount int64) bool { return amount > step })
		t.ordered = appendIf(t.ordered, t.drawn, func(amount int64) bool { return amount == step })
		r.Payouts = merge(r.Payouts, t.ordered)
	}
	return r
}

// comparePayouts orders outputs by amount descending, then script.
func comparePayouts(a, b *share.Payout) int {
	switch {
	case a.Amount > b.Amount:
		return -1
	case a.Amount < b.Amount:
		return 1
	}
	return bytes.Compare(a.Script, b.Script)
}

// sortTies sorts the exact outputs, which come by score: only where two scores
// round to one amount can they be out of order, which is rare.
func sortTies(payouts []share.Payout) {
	for i := 1; i < len(payouts); i++ {
		if comparePayouts(&payouts[i-1], &payouts[i]) > 0 {
			slices.SortFunc(payouts, func(a, b share.Payout) int { return comparePayouts(&a, &b) })
			return
		}
	}
}

// appendIf appends the outputs with amounts that f picks.
func appendIf(dst, payouts []share.Payout, f func(amount int64) bool) []share.Payout {
	for i := range payouts {
		if f(payouts[i].Amount) {
			dst = append(dst, payouts[i])
		}
	}
	return dst
}

// merge merges the sorted list b into the sorted list a, from behind, in a's
// spare capacity if it has it.
func merge(a, b []share.Payout) []share.Payout {
	i, j := len(a)-1, len(b)-1
	a = append(a, b...)
	for k := len(a) - 1; i >= 0 && j >= 0; k-- {
		if comparePayouts(&a[i], &b[j]) > 0 {
			a[k] = a[i]
			i--
		} else {
			a[k] = b[j]
			j--
		}
	}
	if j >= 0 {
		copy(a, b[:j+1])
	}
	return a
}

// sample draws for the payees behind the exact ones by systematic sampling:
// their scores are laid end to end in script order over [0, W), Marks marks
// stand W/Marks apart behind a common start, and whoever lies under one gets
// Small/Marks. Nobody lies under two, for nobody's score is more than a step, and
// each is hit with a chance of score/(W/Marks).
//
// start, in [0, W), is the first mark's place in units of 1/Marks.
func (t *Table) sample(payouts []share.Payout, s Split, start uint256.Uint256, extra int64) []share.Payout {
	// Who is paid exactly has a higher score than everybody else, as amounts
	// grow with scores.
	var highest uint256.Uint256
	if k := len(s.Exact); k < len(t.byScore) {
		highest = t.payees[t.byScore[k]].Weight
	}
	m := newMarks(&start, &s.Weight, uint64(s.Marks))
	var covered uint256.Uint256
	for _, n := range t.byScript {
		p := &t.payees[n]
		if p.Weight.Gt(&highest) {
			continue
		}
		covered.Add(&p.Weight)
		if covered.LtEq(&m.at) {
			continue
		}
		amount := s.Small / s.Marks
		// Small mod Marks satoshis are left over; they go to as many marks in a
		// row, beginning at random, so that every mark is worth Small/Marks on
		// average.
		if (m.number+extra)%s.Marks < s.Small%s.Marks {
			amount++
		}
		payouts = append(payouts, share.Payout{Script: p.Script, Amount: amount})
		if m.number++; m.number == s.Marks {
			break
		}
		m.advance()
	}
	return payouts
}

// marks steps through the places ⌊(start + k·W)/n⌋ without dividing again.
type marks struct {
	number    int64           // k
	at        uint256.Uint256 // the place of mark k, rounded down
	rest      uint64          // what rounding left, in 1/n
	step      uint256.Uint256
	stepRest  uint64
	perNumber uint64 // n
}

func newMarks(start, w *uint256.Uint256, n uint64) marks {
	m := marks{at: *start, step: *w, perNumber: n}
	m.rest = divRest(&m.at, n)
	m.stepRest = divRest(&m.step, n)
	return m
}

// divRest divides v by n in place and returns the remainder.
func divRest(v *uint256.Uint256, n uint64) uint64 {
	q := *v
	q.DivUint64(n)
	product := q
	product.MulUint64(n)
	rest := *v
	rest.Sub(&product)
	*v = q
	return rest.Uint64()
}

func (m *marks) advance() {
	m.at.Add(&m.step)
	if m.rest += m.stepRest; m.rest >= m.perNumber {
		m.rest -= m.perNumber
		m.at.AddUint64(1)
	}
}

// offset is the randomness of one draw: a point on [0, 1) in 128-bit fixed
// point, common to all classes, and a second number for the left-over satoshis.
// Where nobody is paid exactly, the marks of a class are among those of the
// larger ones; a finder gains the less by choosing the class after the draw.
type offset struct {
	hi, lo uint64
	rest   uint64
}

// newOffset derives the draw of the shares that follow a parent. Its hash is
// proof of work, so choosing the draw costs as much as finding shares.
func newOffset(parent *chainhash.Hash) offset {
	var tagged [len(drawTag) + chainhash.HashSize]byte
	copy(tagged[:], drawTag)
	copy(tagged[len(drawTag):], parent[:])
	seed := sha256.Sum256(tagged[:])
	return offset{
		hi:   binary.BigEndian.Uint64(seed[0:]),
		lo:   binary.BigEndian.Uint64(seed[8:]),
		rest: binary.BigEndian.Uint64(seed[16:]),
	}
}

// start returns the first mark's place on [0, w) in units of 1/n. The common
// point times w is a mark for every n; modulo the step it is frac(n·point)·w.
// Weights are below 2¹⁹², so the 64 bits of the fraction fit on top.
func (o offset) start(w *uint256.Uint256, n int64) uint256.Uint256 {
	carry, _ := bits.Mul64(o.lo, uint64(n))
	frac := o.hi*uint64(n) + carry // the integer part of n·point drops out
	s := *w
	s.MulUint64(frac).Rsh(64)
	return s
}

// extra returns the mark, in [0, n), at which the left-over satoshis begin.
func (o offset) extra(n int64) int64 {
	hi, _ := bits.Mul64(o.rest, uint64(n))
	return int64(hi)
}
