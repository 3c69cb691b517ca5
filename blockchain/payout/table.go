package payout

import (
	"bytes"
	"slices"
	"sort"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Score is the weighted work credited to one payee. Scores mean something only
// in relation to the others of the same window.
type Score struct {
	Script []byte
	Weight uint256.Uint256
}

// Table holds the scores of a window's payees, ordered both by script and by
// score, so that a change of one costs two binary searches and two short moves
// of memory, and the draw reads as many scores as it pays.
//
// The zero Table is empty. A Table is not safe for concurrent use.
type Table struct {
	payees   []Score // by number; the weight of a free number is zero
	free     []int32 // numbers to use again
	byScript []int32 // numbers, ascending by script
	byScore  []int32 // numbers, descending by weight, ascending by script among equals
	total    uint256.Uint256

	// What one computation leaves for the next to use again.
	amounts []int64
	drawn   []share.Payout
	ordered []share.Payout
}

// NewTable returns a table of the given scores, of which no two may have the
// same script. Zero scores are left out.
func NewTable(scores []Score) *Table {
	// In one go, as each Add moves half of a list: ten times as long for a full window.
	t := &Table{payees: make([]Score, 0, len(scores)), byScript: make([]int32, 0, len(scores))}
	for i := range scores {
		if !scores[i].Weight.IsZero() {
			t.byScript = append(t.byScript, t.number(scores[i]))
			t.total.Add(&scores[i].Weight)
		}
	}
	slices.SortFunc(t.byScript, func(a, b int32) int {
		return bytes.Compare(t.payees[a].Script, t.payees[b].Script)
	})
	t.byScore = slices.Clone(t.byScript)
	slices.SortFunc(t.byScore, func(a, b int32) int {
		if c := t.payees[b].Weight.Cmp(&t.payees[a].Weight); c != 0 {
			return c
		}
		return bytes.Compare(t.payees[a].Script, t.payees[b].Script)
	})
	return t
}

// Len returns the number of payees with a score above zero.
func (t *Table) Len() int { return len(t.byScript) }

// Total returns the sum of all scores.
func (t *Table) Total() uint256.Uint256 { return t.total }

// Scores returns a copy of all scores, ordered by script.
func (t *Table) Scores() []Score {
	out := make([]Score, len(t.byScript))
	for i, n := range t.byScript {
		out[i] = t.payees[n]
	}
	return out
}

// Add credits a payee. The script is kept and must not change.
func (t *Table) Add(script []byte, weight *uint256.Uint256) {
	if weight.IsZero() {
		return
	}
	t.total.Add(weight)
	at, known := t.findScript(script)
	if !known {
		n := t.number(Score{Script: script, Weight: *weight})
		t.byScript = slices.Insert(t.byScript, at, n)
		t.byScore = slices.Insert(t.byScore, t.findScore(script, weight), n)
		return
	}
	n := t.byScript[at]
	from := t.findScore(script, &t.payees[n].Weight)
	t.payees[n].Weight.Add(weight)
	// The score grew: it moves towards the front.
	to := t.findScoreIn(t.byScore[:from], script, &t.payees[n].Weight)
	copy(t.byScore[to+1:from+1], t.byScore[to:from])
	t.byScore[to] = n
}

// Sub takes back what Add credited. A payee without a score is dropped. It
// panics if more is taken than was credited, which is a mistake of the caller.
func (t *Table) Sub(script []byte, weight *uint256.Uint256) {
	if weight.IsZero() {
		return
	}
	at, known := t.findScript(script)
	if !known || t.payees[t.byScript[at]].Weight.Lt(weight) {
		panic("payout: more was taken from a payee than credited")
	}
	t.total.Sub(weight)
	n := t.byScript[at]
	p := &t.payees[n]
	from := t.findScore(script, &p.Weight)
	p.Weight.Sub(weight)
	if p.Weight.IsZero() {
		t.byScript = slices.Delete(t.byScript, at, at+1)
		t.byScore = slices.Delete(t.byScore, from, from+1)
		p.Script = nil
		t.free = append(t.free, n)
		return
	}
	to := from + t.findScoreIn(t.byScore[from+1:], script, &p.Weight)
	copy(t.byScore[from:to], t.byScore[from+1:to+1])
	t.byScore[to] = n
}

// Double and Halve change the unit of all scores by a factor of two. Halving is
// exact only if every score is even.
func (t *Table) Double() {
	for _, n := range t.byScript {
		t.payees[n].Weight.Lsh(1)
	}
	t.total.Lsh(1)
}

// Halve is the inverse of Double.
func (t *Table) Halve() {
	for _, n := range t.byScript {
		t.payees[n].Weight.Rsh(1)
	}
	t.total.Rsh(1)
}

// number stores a payee under a free number.
func (t *Table) number(p Score) int32 {
	if last := len(t.free) - 1; last >= 0 {
		n := t.free[last]
		t.free = t.free[:last]
		t.payees[n] = p
		return n
	}
	t.payees = append(t.payees, p)
	return int32(len(t.payees) - 1)
}

// findScript returns the place of a script in byScript, and whether it is there.
func (t *Table) findScript(script []byte) (int, bool) {
	return slices.BinarySearchFunc(t.byScript, script, func(n int32, script []byte) int {
		return bytes.Compare(t.payees[n].Script, script)
	})
}

// findScore returns the place in byScore of a payee that has or would have that
// weight.
func (t *Table) findScore(script []byte, weight *uint256.Uint256) int {
	return t.findScoreIn(t.byScore, script, weight)
}

func (t *Table) findScoreIn(list []int32, script []byte, weight *uint256.Uint256) int {
	return sort.Search(len(list), func(i int) bool {
		p := &t.payees[list[i]]
		if c := p.Weight.Cmp(weight); c != 0 {
			return c < 0
		}
		return bytes.Compare(p.Script, script) >= 0
	})
}
