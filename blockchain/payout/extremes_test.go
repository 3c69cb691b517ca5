package payout

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// equalTable is a table of so many payees with that score.
func equalTable(payees int, score uint64) *Table {
	weights := make([]uint64, payees)
	for i := range weights {
		weights[i] = score
	}
	return tableOf(weights...)
}

// TestFullWindowExtremes distributes values from nothing to all bitcoin over as many
// payees as a window has shares, and over one: the sum is exact, the outputs are
// bounded, nobody is paid twice or less than nothing, and with enough to share out
// every output is used.
func TestFullWindowExtremes(t *testing.T) {
	p := testParams(t)
	all := int(p.WindowShares)
	greatest := uint64(math.MaxUint64)
	for _, pool := range []struct {
		name  string
		table *Table
	}{
		{"one payee", equalTable(1, 1)},
		{"one payee, great score", equalTable(1, greatest)},
		{"all equal", equalTable(all, 1)},
		{"all equal and great", equalTable(all, greatest)},
		{"ten large", fullWindow(p)},
		{"one has all but dust", dusty(all)},
	} {
		for _, value := range []int64{0, 1, 199, 200, 4_999, 5_000, 5_026, 60_000, 312_500_000, share.MaxMoney} {
			for _, class := range share.Classes() {
				name := fmt.Sprintf("%s, %d sat, class %v", pool.name, value, class)
				got := pool.table.Compute(p, value, class, &chainhash.Hash{byte(value)})
				checkBounds(t, name, got, value, class)
				split := pool.table.Split(p, value, class)
				if used := len(split.Exact) + int(split.Marks); len(got.Payouts) != used {
					t.Errorf("%s: %d outputs, the split has %d", name, len(got.Payouts), used)
				}
				if pool.table.Len() == all && value == share.MaxMoney && len(got.Payouts) != class.Outputs() && pool.name != "one has all but dust" {
					t.Errorf("%s: %d outputs are used", name, len(got.Payouts))
				}
			}
		}
	}
}

// dusty is a table in which one payee has nearly everything.
func dusty(payees int) *Table {
	table := equalTable(payees-1, 1)
	w := work(math.MaxUint64)
	table.Add(script(payees), &w)
	return table
}

func checkBounds(t *testing.T, name string, r Result, value int64, class share.Class) {
	t.Helper()
	if sum(r) != value || r.Finder < 0 || len(r.Payouts) > class.Outputs() {
		t.Errorf("%s: %d sat in %d outputs, finder %d", name, sum(r), len(r.Payouts), r.Finder)
	}
	seen := make(map[string]bool, len(r.Payouts))
	for i, o := range r.Payouts {
		if o.Amount < 0 || seen[string(o.Script)] || i > 0 && comparePayouts(&r.Payouts[i-1], &o) >= 0 {
			t.Fatalf("%s: output %d is %+v", name, i, o)
		}
		seen[string(o.Script)] = true
	}
}

// TestComputeOfUnknownClass: CheckSanity lets none through, but asking harms nobody.
func TestComputeOfUnknownClass(t *testing.T) {
	r := tableOf(1, 2, 3).Compute(testParams(t), 1_000_000, share.Class(200), &chainhash.Hash{})
	if sum(r) != 1_000_000 || r.Finder < 0 {
		t.Errorf("%+v", r)
	}
}

// TestOutOfMoneyRange: nor do values that CheckSanity refuses.
func TestOutOfMoneyRange(t *testing.T) {
	for _, value := range []int64{math.MinInt64, -1, math.MaxInt64} {
		r := tableOf(1, 2, 3).Compute(testParams(t), value, share.Class12, &chainhash.Hash{})
		if sum(r) != value {
			t.Errorf("%d sat became %d", value, sum(r))
		}
	}
}

// TestWindowAtGreatestHeights: scores are the same at the greatest heights that a
// chain can reach as at its beginning, where both begin at an epoch's start.
func TestWindowAtGreatestHeights(t *testing.T) {
	p := shortWindow(t, 12, 0)
	low, high := NewWindow(p), NewWindow(p)
	const top = 1<<31 + 1<<30
	for h := range uint32(40) {
		for w, height := range map[*Window]uint32{low: h, high: top + h} {
			entry := func(back uint32) *Entry {
				return &Entry{
					Height: height - back, Work: work(1 << 40), Payee: script(int((h - back) % 5)),
					Uncles: []Uncle{{Work: work(1 << 39), Payee: script(99)}},
				}
			}
			w.AddNewest(entry(0))
			if h >= 12 {
				w.RemoveOldest(entry(12))
			}
		}
		if fmt.Sprint(low.Scores()) != fmt.Sprint(high.Scores()) || low.Total() != high.Total() {
			t.Fatalf("share %d: %v at height %d, %v at %d", h, low.Scores(), h, high.Scores(), top+h)
		}
	}
}

// TestLimitOfImpossibleBlocks: the work of four blocks at the hardest target does
// not fit in 256 bits. No window is ever empty for it, or longer than its shares.
func TestLimitOfImpossibleBlocks(t *testing.T) {
	p := shortWindow(t, 10, 4)
	for _, shift := range []uint32{0, 128, 253, 254, 255} {
		blockWork := work(1)
		blockWork.Lsh(shift)
		limit := LimitFor(p, &blockWork)
		n := 0
		for range limit.Entries(func(yield func(Entry) bool) {
			for h := uint32(100); h > 0 && yield(Entry{Height: h, Work: work(2), Payee: script(1)}); h-- {
			}
		}) {
			n++
		}
		if n < 1 || n > 10 {
			t.Errorf("a window of %d shares for blocks of 2^%d hashes", n, shift)
		}
	}
}

// TestAmountsTie: two scores that differ and round to one amount are ordered by
// script, whichever score is the higher.
func TestAmountsTie(t *testing.T) {
	p := testParams(t)
	for _, weights := range [][]uint64{{1_000_000, 1_000_001}, {1_000_001, 1_000_000}} {
		r := tableOf(weights...).Compute(p, 20_001, share.Class12, &chainhash.Hash{})
		checkBounds(t, fmt.Sprint(weights), r, 20_001, share.Class12)
		if len(r.Payouts) != 2 || r.Payouts[0].Amount != r.Payouts[1].Amount {
			t.Errorf("%v: %+v", weights, r)
		}
	}
}

// TestOwedOfNothing: without scores, or without anything to share out, nobody is
// owed.
func TestOwedOfNothing(t *testing.T) {
	p := testParams(t)
	if owed := Owed(p, nil, 1_000_000); len(owed) != 0 {
		t.Errorf("%v are owed to nobody", owed)
	}
	for _, value := range []int64{0, -5} {
		if owed := Owed(p, tableOf(1, 2).Scores(), value); owed[0] != 0 || owed[1] != 0 {
			t.Errorf("%v are owed of %d", owed, value)
		}
	}
}

// TestTakingTooMuchPanics: it would be a mistake of the caller, after which no
// score is right.
func TestTakingTooMuchPanics(t *testing.T) {
	for name, take := range map[string]func(*Table){
		"from a stranger":    func(table *Table) { w := work(1); table.Sub(script(9), &w) },
		"more than there is": func(table *Table) { w := work(6); table.Sub(script(0), &w) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: nothing happened", name)
				}
			}()
			take(tableOf(5))
		}()
	}
}

// TestEmptiedWindow: a window that everything has left, at either end, begins anew
// wherever the next share stands.
func TestEmptiedWindow(t *testing.T) {
	p := shortWindow(t, 10, 0)
	for name, remove := range map[string]func(*Window, *Entry){"newest": (*Window).RemoveNewest, "oldest": (*Window).RemoveOldest} {
		for _, add := range []func(*Window, *Entry){(*Window).AddNewest, (*Window).AddOldest} {
			w := NewWindow(p)
			e := Entry{Height: 1000, Work: work(7), Payee: script(1)}
			w.AddNewest(&e)
			remove(w, &e)
			if w.Len() != 0 || w.Shares() != 0 || !w.total.IsZero() || !w.work.IsZero() {
				t.Fatalf("%s: %d scores, %d shares are left", name, w.Len(), w.Shares())
			}
			low := Entry{Height: 3, Work: work(7), Payee: script(2)}
			add(w, &low)
			if want := windowOf(p, []Entry{low}); fmt.Sprint(w.Scores()) != fmt.Sprint(want.Scores()) {
				t.Errorf("%s: %v, want %v", name, w.Scores(), want.Scores())
			}
		}
	}
}

// TestEntriesMayBeLeft: whoever has seen enough of a window can stop.
func TestEntriesMayBeLeft(t *testing.T) {
	n := 0
	for range (Limit{Shares: 10}).Entries(slices.Values(make([]Entry, 20))) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d entries", n)
	}
}
