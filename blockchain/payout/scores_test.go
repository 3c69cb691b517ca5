package payout

import (
	"slices"
	"testing"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chainparams"
)

func work(n uint64) uint256.Uint256 { return *new(uint256.Uint256).SetUint64(n) }

// shortWindow is a chain whose weights halve every 4 shares.
func shortWindow(t testing.TB, window uint32, blocks uint64) *chainparams.Params {
	return testParams(t, chainparams.WithWindow(window, 4, window+8, 4), func(p *chainparams.Params) { p.WindowBlocks = blocks })
}

func TestScoresByHand(t *testing.T) {
	p := shortWindow(t, 100, 0)
	entries := []Entry{
		{Height: 8, Work: work(100), Payee: script(0), Uncles: []Uncle{{Work: work(50), Payee: script(1)}}},
		{Height: 4, Work: work(100), Payee: script(1)},
		{Height: 0, Work: work(10), Payee: script(2)},
	}
	got := Scores(p, slices.Values(entries), &uint256.Uint256{})
	// Weights relative to epoch 0: 4·65536, 2·65536, 65536. The nephew gets
	// 10·100 + 50, the uncle 9·50.
	want := []uint64{1050 * 4 * 65536, (450*4 + 1000*2) * 65536, 100 * 65536}
	if len(got) != len(want) {
		t.Fatalf("%d payees", len(got))
	}
	for i := range want {
		if !got[i].Weight.EqUint64(want[i]) || string(got[i].Script) != string(script(i)) {
			t.Errorf("payee %d: %v, want %d", i, got[i].Weight, want[i])
		}
	}
}

func TestWindowIsCutByLength(t *testing.T) {
	p := shortWindow(t, 3, 0)
	var entries []Entry
	for h := range uint32(10) {
		entries = append(entries, Entry{Height: 9 - h, Work: work(1), Payee: script(int(9 - h))})
	}
	got := Scores(p, slices.Values(entries), &uint256.Uint256{})
	if len(got) != 3 || string(got[0].Script) != string(script(7)) {
		t.Errorf("window of 3 has %d payees: %+v", len(got), got)
	}
}

func TestWindowIsCutByWork(t *testing.T) {
	p := shortWindow(t, 100, 4)
	blockWork := work(25) // the window ends where 100 is reached
	entries := []Entry{
		{Height: 9, Work: work(60), Payee: script(0)},
		{Height: 8, Work: work(30), Payee: script(1), Uncles: []Uncle{{Work: work(10), Payee: script(2)}}},
		{Height: 7, Work: work(60), Payee: script(3)},
	}
	if got := Scores(p, slices.Values(entries), &blockWork); len(got) != 3 {
		t.Errorf("%d payees, want those of two shares and their uncle", len(got))
	}
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

func TestScoresOfNothing(t *testing.T) {
	if got := Scores(testParams(t), func(func(Entry) bool) {}, &uint256.Uint256{}); got != nil {
		t.Errorf("%v", got)
	}
}
