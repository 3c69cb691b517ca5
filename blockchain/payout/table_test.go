package payout

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/decred/dcrd/math/uint256"
)

// scoresOf returns scores of n payees in any order, many of them equal and some zero.
func scoresOf(n int, rng *rand.Rand) []Score {
	list := make([]Score, n)
	for i, at := range rng.Perm(n) {
		list[at].Script = script(i)
		list[at].Weight.SetUint64(rng.Uint64N(uint64(n)/2 + 1)).Lsh(uint32(rng.IntN(2) * 100))
	}
	return list
}

// same fails unless two tables are the same in all that can be seen of them.
func same(t *testing.T, got, want *Table) {
	t.Helper()
	equal := func(a, b Score) bool { return string(a.Script) == string(b.Script) && a.Weight == b.Weight }
	byScore := func(t *Table) (list []Score) {
		for _, n := range t.byScore {
			list = append(list, t.payees[n])
		}
		return list
	}
	if got.Total() != want.Total() || !slices.EqualFunc(got.Scores(), want.Scores(), equal) || !slices.EqualFunc(byScore(got), byScore(want), equal) {
		t.Fatalf("%d payees of %v, want %d of %v", got.Len(), got.Total(), want.Len(), want.Total())
	}
}

// TestNewTable: a table that is made at once is the one that comes of adding its scores one
// by one, and goes on as that does.
func TestNewTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, 3, 10, 500} {
		for range 20 {
			scores := scoresOf(n, rng)
			want := new(Table)
			for i := range scores {
				want.Add(scores[i].Script, &scores[i].Weight)
			}
			got := NewTable(scores)
			same(t, got, want)
			for range n {
				payee, weight := script(rng.IntN(2*n)), new(uint256.Uint256).SetUint64(1+rng.Uint64N(100))
				got.Add(payee, weight)
				want.Add(payee, weight)
				if s := scores[rng.IntN(n)]; rng.IntN(4) == 0 && !s.Weight.IsZero() {
					got.Add(s.Script, weight)
					got.Sub(s.Script, weight)
				}
			}
			same(t, got, want)
		}
	}
}

// BenchmarkNewTable is what getpayouts does first for a full window of 120,960 payees.
func BenchmarkNewTable(b *testing.B) {
	scores := NewTable(scoresOf(120_960, rand.New(rand.NewPCG(1, 1)))).Scores()
	for b.Loop() {
		NewTable(scores)
	}
}
