package payout

import (
	"iter"
	"slices"
	"strings"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/target"
)

// Entry is one main-chain share of the window with the uncles it references.
type Entry struct {
	Height uint32
	Work   uint256.Uint256 // expected hashes for the share's bits
	Payee  []byte
	Uncles []Uncle
}

// Uncle is an uncle's part in an Entry.
type Uncle struct {
	Work  uint256.Uint256
	Payee []byte
}

// Score is the weighted work credited to one payee. Scores mean something only
// in relation to the others of the same window.
type Score struct {
	Script []byte
	Weight uint256.Uint256
}

// Scores adds up a window. Entries come from the tip downwards with falling
// heights; reading stops at the window's length in shares, or behind the share
// with which their work, uncles included, reaches Params.WindowBlocks times
// blockWork, the work of one Bitcoin block. The result is ordered by script.
//
// Each share credits its payee NephewShareDivisor·work + Σ uncle work and each
// uncle's payee (NephewShareDivisor−1)·uncle work, times the weight of the
// share's height. Sums cannot overflow on a chain whose bits are valid: 2⁹⁶
// hashes a share, 17 bits of shares, 17+5 of weight and 4 of units are 134 bits.
func Scores(p *chainparams.Params, entries iter.Seq[Entry], blockWork *uint256.Uint256) []Score {
	window := slices.Collect(Limit(p, entries, blockWork))
	if len(window) == 0 {
		return nil
	}
	base := window[len(window)-1].Height / p.DecayShares
	sums := make(map[string]*uint256.Uint256)
	credit := func(payee []byte, work *uint256.Uint256, units, weight uint64) {
		sum := sums[string(payee)]
		if sum == nil {
			sum = new(uint256.Uint256)
			sums[string(payee)] = sum
		}
		amount := *work
		amount.MulUint64(units).MulUint64(weight)
		sum.Add(&amount)
	}
	for i := range window {
		e := &window[i]
		weight := Weight(p, e.Height, base)
		credit(e.Payee, &e.Work, p.NephewShareDivisor, weight)
		for j := range e.Uncles {
			u := &e.Uncles[j]
			credit(e.Payee, &u.Work, 1, weight)
			credit(u.Payee, &u.Work, p.NephewShareDivisor-1, weight)
		}
	}
	return sorted(sums)
}

// Limit yields those of the entries that belong to the window; see Scores.
func Limit(p *chainparams.Params, entries iter.Seq[Entry], blockWork *uint256.Uint256) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		limit := *blockWork
		limit.MulUint64(p.WindowBlocks)
		var shares uint32
		var work uint256.Uint256
		for e := range entries {
			shares++
			work.Add(&e.Work)
			for i := range e.Uncles {
				work.Add(&e.Uncles[i].Work)
			}
			if !yield(e) || shares >= p.WindowShares || p.WindowBlocks > 0 && work.GtEq(&limit) {
				return
			}
		}
	}
}

// sorted turns the sums into a list ordered by script.
func sorted(sums map[string]*uint256.Uint256) []Score {
	scores := make([]Score, 0, len(sums))
	for script, sum := range sums {
		scores = append(scores, Score{Script: []byte(script), Weight: *sum})
	}
	slices.SortFunc(scores, func(a, b Score) int {
		return strings.Compare(string(a.Script), string(b.Script))
	})
	return scores
}

// Weight is the weight of a unit of work at a height: 2^(height/DecayShares)
// relative to the epoch base, in 16-bit fixed point. An epoch is DecayShares
// heights, and moving the base by one epoch is an exact halving of everything.
func Weight(p *chainparams.Params, height, base uint32) uint64 {
	epoch, within := height/p.DecayShares, height%p.DecayShares
	fraction := uint64(within) << 16 / uint64(p.DecayShares)
	return target.Exp2(uint16(fraction)) << (epoch - base)
}
