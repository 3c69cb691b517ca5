package payout

import (
	"fmt"
	"slices"
	"testing"

	"github.com/decred/dcrd/math/uint256"
	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/blockchain/chainparams"
)

func work(n uint64) uint256.Uint256 { return *new(uint256.Uint256).SetUint64(n) }

// shortWindow is a chain whose weights halve every 4 shares.
func shortWindow(t testing.TB, window uint32, blocks uint64) *chainparams.Params {
	return testParams(t, chainparams.WithWindow(window, 4, window+8, 4), func(p *chainparams.Params) { p.WindowBlocks = blocks })
}

// windowOf fills a window with entries, newest first.
func windowOf(p *chainparams.Params, entries []Entry) *Window {
	w := NewWindow(p)
	for i := range entries {
		if i == 0 {
			w.AddNewest(&entries[i])
		} else {
			w.AddOldest(&entries[i])
		}
	}
	return w
}

func TestScoresByHand(t *testing.T) {
	p := shortWindow(t, 100, 0)
	w := windowOf(p, []Entry{
		{Height: 2, Work: work(100), Payee: script(0), Uncles: []Uncle{{Work: work(50), Payee: script(1)}}},
		{Height: 1, Work: work(100), Payee: script(1)},
		{Height: 0, Work: work(10), Payee: script(2)},
	})
	// The nephew gets 10·100 + 50, the uncle 9·50. Heights 1 and 2 of an epoch of
	// 4 weigh 2^(1/4) and 2^(1/2).
	w1, w2 := Weight(p, 1, 0), Weight(p, 2, 0)
	want := []uint64{1050 * w2, 450*w2 + 1000*w1, 100 * 65536}
	got := w.Scores()
	if len(got) != len(want) {
		t.Fatalf("%d payees", len(got))
	}
	for i := range want {
		if !got[i].Weight.EqUint64(want[i]) || string(got[i].Script) != string(script(i)) {
			t.Errorf("payee %d: %v, want %d", i, got[i].Weight, want[i])
		}
	}
	if w1 != 77938 || w2 != 92674 {
		t.Errorf("weights %d and %d", w1, w2)
	}
}

func TestLimitCutsByLength(t *testing.T) {
	p := shortWindow(t, 3, 0)
	var entries []Entry
	for h := range uint32(10) {
		entries = append(entries, Entry{Height: 9 - h, Work: work(1), Payee: script(int(9 - h))})
	}
	got := slices.Collect(LimitFor(p, &uint256.Uint256{}).Entries(slices.Values(entries)))
	if len(got) != 3 || got[2].Height != 7 {
		t.Errorf("window of 3 has %d entries", len(got))
	}
}

func TestLimitCutsByWork(t *testing.T) {
	p := shortWindow(t, 100, 4)
	blockWork := work(25) // the window ends where 100 is reached
	entries := []Entry{
		{Height: 9, Work: work(60), Payee: script(0)},
		{Height: 8, Work: work(30), Payee: script(1), Uncles: []Uncle{{Work: work(10), Payee: script(2)}}},
		{Height: 7, Work: work(60), Payee: script(3)},
	}
	limit := LimitFor(p, &blockWork)
	if got := slices.Collect(limit.Entries(slices.Values(entries))); len(got) != 2 {
		t.Errorf("%d entries, want 2", len(got))
	}
	w := windowOf(p, entries)
	if !w.Long(&limit, &entries[2]) {
		t.Error("three entries are not too long")
	}
	w.RemoveOldest(&entries[2])
	if w.Long(&limit, &entries[1]) || w.Short(&limit) {
		t.Error("two entries are not right")
	}
}

// TestWindowIsAFunctionOfItsShares moves a window to and fro at both ends and
// compares it with one filled at once.
func TestWindowIsAFunctionOfItsShares(t *testing.T) {
	p := shortWindow(t, 100, 0)
	rapid.Check(t, func(t *rapid.T) {
		var chain []Entry
		for h := range uint32(40) {
			e := Entry{Height: h, Work: work(rapid.Uint64Range(1, 1000).Draw(t, "work")), Payee: script(rapid.IntRange(0, 6).Draw(t, "payee"))}
			for range rapid.IntRange(0, 2).Draw(t, "uncles") {
				e.Uncles = append(e.Uncles, Uncle{Work: work(rapid.Uint64Range(1, 1000).Draw(t, "work")), Payee: script(rapid.IntRange(0, 6).Draw(t, "payee"))})
			}
			chain = append(chain, e)
		}
		w := NewWindow(p)
		low, high := 20, 20 // entries chain[low:high]
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			switch move := rapid.IntRange(0, 3).Draw(t, "move"); {
			case move == 0 && high < len(chain):
				w.AddNewest(&chain[high])
				high++
			case move == 1 && high > low:
				high--
				w.RemoveNewest(&chain[high])
			case move == 2 && low > 0 && high > low:
				low--
				w.AddOldest(&chain[low])
			case move == 3 && high > low+1:
				w.RemoveOldest(&chain[low])
				low++
			}
			again := slices.Clone(chain[low:high])
			slices.Reverse(again)
			want := windowOf(p, again)
			if fmt.Sprint(w.Scores()) != fmt.Sprint(want.Scores()) || w.total != want.total || w.work != want.work || w.shares != want.shares {
				t.Fatalf("entries %d to %d: %v, want %v", low, high, w.Scores(), want.Scores())
			}
		}
	})
}

// TestWeightIsExactAcrossEpochs: moving the base by an epoch halves everything,
// and weights never fall with height.
func TestWeightIsExactAcrossEpochs(t *testing.T) {
	p := testParams(t)
	last := uint64(0)
	for h := uint32(0); h < 3*p.DecayShares; h++ {
		w := Weight(p, h, 0)
		if w < last {
			t.Fatalf("weight falls at height %d", h)
		}
		last = w
		if h >= p.DecayShares {
			if w != 2*Weight(p, h-p.DecayShares, 0) || w != 2*Weight(p, h, 1) {
				t.Fatalf("height %d: %d is not twice that of an epoch before", h, w)
			}
		}
	}
}
