package payout

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"
	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

func testParams(t testing.TB, opts ...chainparams.Option) *chainparams.Params {
	p, err := chainparams.New(chainparams.Mainnet, "main", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// script returns a P2WPKH script whose order is that of i.
func script(i int) []byte {
	s := make([]byte, 22)
	s[1] = 0x14
	binary.BigEndian.PutUint64(s[2:], uint64(i))
	return s
}

func scoresOf(weights ...uint64) []Score {
	scores := make([]Score, len(weights))
	for i, w := range weights {
		scores[i] = Score{Script: script(i), Weight: *new(uint256.Uint256).SetUint64(w)}
	}
	return scores
}

func owedOf(amounts ...int64) []Owed {
	owed := make([]Owed, len(amounts))
	for i, a := range amounts {
		owed[i] = Owed{Script: script(i), Amount: a}
	}
	return owed
}

func sum(r Result) int64 {
	total := r.Finder
	for _, o := range r.Payouts {
		total += o.Amount
	}
	return total
}

// TestComputeByHand follows the worked example: 1 BTC over three payees, all of
// whom are owed more than the threshold.
func TestComputeByHand(t *testing.T) {
	p := testParams(t)
	got := Compute(p, scoresOf(1, 2, 4), 100_000_000, share.Class12, &chainhash.Hash{})
	// Fee 500,000; R = 99,500,000; R/7 = 14,214,285.7…
	want := []share.Payout{
		{Script: script(2), Amount: 56_857_142},
		{Script: script(1), Amount: 28_428_571},
		{Script: script(0), Amount: 14_214_285},
	}
	if got.Finder != 500_002 || fmt.Sprint(got.Payouts) != fmt.Sprint(want) {
		t.Errorf("%+v", got)
	}
}

func TestComputeExtremes(t *testing.T) {
	p := testParams(t)
	huge := *new(uint256.Uint256).SetUint64(1)
	huge.Lsh(134)
	tests := []struct {
		name    string
		scores  []Score
		value   int64
		outputs int
	}{
		{"no scores", nil, 5_000_000_000, 0},
		{"no value", scoresOf(1, 2), 0, 0},
		{"one payee", scoresOf(7), 5_000_000_000, 1},
		{"one satoshi", scoresOf(1, 1), 1, 0},
		{"scores of zero", scoresOf(0, 0), 1000, 0},
		{"all bitcoin, huge scores", []Score{{script(0), huge}, {script(1), huge}}, share.MaxMoney, 2},
		{"all below the minimum payment", scoresOf(1, 1, 1, 1), 2000, 1},
	}
	for _, test := range tests {
		for _, class := range share.Classes() {
			got := Compute(p, test.scores, test.value, class, &chainhash.Hash{1})
			if sum(got) != test.value || len(got.Payouts) != test.outputs || got.Finder < 0 {
				t.Errorf("%s, class %v: %d sat in %d outputs, finder %d", test.name, class, sum(got), len(got.Payouts), got.Finder)
			}
		}
	}
}

// drawOwed generates amounts between nothing and plenty.
func drawOwed(t *rapid.T, payees int, most int64) []Owed {
	amounts := rapid.SliceOfN(rapid.Int64Range(1, most), 1, payees).Draw(t, "amounts")
	return owedOf(amounts...)
}

func TestComputeProperties(t *testing.T) {
	p := testParams(t)
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Uint64Range(0, 1<<40), 0, 400).Draw(t, "weights")
		scores := scoresOf(weights...)
		value := rapid.Int64Range(0, share.MaxMoney).Draw(t, "value")
		if rapid.Bool().Draw(t, "small value") {
			value %= 10_000_000
		}
		class := rapid.SampledFrom(share.Classes()).Draw(t, "class")
		parent := chainhash.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "parent"))
		got := Compute(p, scores, value, class, &parent)
		if sum(got) != value {
			t.Fatalf("paid %d of %d", sum(got), value)
		}
		if len(got.Payouts) > class.Outputs() {
			t.Fatalf("%d outputs in class %v", len(got.Payouts), class)
		}
		owed, _ := Amounts(p, scores, value)
		threshold := Threshold(owed, class.Outputs(), p.MinPayout)
		paid := map[string]int64{}
		for i, o := range got.Payouts {
			paid[string(o.Script)] += o.Amount
			if i > 0 && (o.Amount > got.Payouts[i-1].Amount ||
				o.Amount == got.Payouts[i-1].Amount && bytes.Compare(o.Script, got.Payouts[i-1].Script) <= 0) {
				t.Fatal("payouts are out of order, or one payee has two")
			}
		}
		for _, o := range owed {
			if o.Amount >= threshold && paid[string(o.Script)] != o.Amount {
				t.Fatalf("owed %d ≥ %d, paid %d", o.Amount, threshold, paid[string(o.Script)])
			}
		}
	})
}

// TestDrawIsUnbiased integrates over every offset and every place of the
// left-over satoshis: each payee's payments must sum to what they are owed times
// the number of cases, exactly.
func TestDrawIsUnbiased(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		owed := drawOwed(t, 12, 40)
		threshold := rapid.Int64Range(1, 50).Draw(t, "threshold")
		var small int64
		for _, o := range owed {
			if o.Amount < threshold {
				small += o.Amount
			}
		}
		if small == 0 {
			return
		}
		n := max(1, small/threshold)
		paid := map[string]int64{}
		for start := range small {
			for extra := range n {
				var total int64
				out := sample(nil, owed, threshold, small, n, start, extra)
				for _, o := range out {
					paid[string(o.Script)] += o.Amount
					total += o.Amount
				}
				if total != small || int64(len(out)) != n {
					t.Fatalf("start %d extra %d: %d sat in %d outputs, want %d in %d", start, extra, total, len(out), small, n)
				}
			}
		}
		for _, o := range owed {
			if want := o.Amount * small * n; o.Amount < threshold && paid[string(o.Script)] != want {
				t.Fatalf("owed %d: mean %v", o.Amount, float64(paid[string(o.Script)])/float64(small*n))
			}
		}
	})
}

// TestThresholdIsSmallest compares the binary search with the definition.
func TestThresholdIsSmallest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		owed := drawOwed(t, 40, 300)
		outputs := rapid.IntRange(1, 20).Draw(t, "outputs")
		minPayout := rapid.Int64Range(1, 50).Draw(t, "minimum")
		want := minPayout
		for ; ; want++ {
			var small, large int64
			for _, o := range owed {
				if o.Amount >= want {
					large++
				} else {
					small += o.Amount
				}
			}
			if large+(small+want-1)/want <= int64(outputs) {
				break
			}
		}
		if got := Threshold(owed, outputs, minPayout); got != want {
			t.Fatalf("threshold %d, want %d", got, want)
		}
	})
}

// TestOffset compares the fixed-point arithmetic with fractions, and checks
// that the marks of a class are among those of its multiples.
func TestOffset(t *testing.T) {
	for i := range 2000 {
		parent := chainhash.DoubleHashH(binary.LittleEndian.AppendUint64(nil, uint64(i)))
		o := newOffset(&parent)
		point := float64(o.hi) / math.Exp2(64)
		const small = 1_000_000_007
		for _, n := range []int64{1, 12, 36, 144, 288, 1152} {
			_, frac := math.Modf(point * float64(n))
			if got := o.start(small, n); math.Abs(float64(got)-frac*small) > 2000 {
				t.Fatalf("n %d: start %d, want about %v", n, got, frac*small)
			}
			if got := o.extra(n); got < 0 || got >= n {
				t.Fatalf("n %d: extra %d", n, got)
			}
			// A mark of class 12, in sat: start/12 + k·small/12.
			if at := float64(o.start(small, 12)) / 12; n%12 == 0 {
				step := float64(small) / float64(n)
				_, off := math.Modf((at - float64(o.start(small, n))/float64(n)) / step)
				if off = math.Abs(off); off > 1e-4 && off < 1-1e-4 {
					t.Fatalf("class 12's first mark lies %v steps off class %d's", off, n)
				}
			}
		}
	}
}

func FuzzCompute(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, int64(312_500_000), byte(0))
	f.Add([]byte{}, int64(math.MinInt64), byte(255))
	p := testParams(f)
	f.Fuzz(func(t *testing.T, raw []byte, value int64, class byte) {
		var weights []uint64
		for ; len(raw) >= 8 && len(weights) < 2000; raw = raw[8:] {
			weights = append(weights, binary.LittleEndian.Uint64(raw))
		}
		if value < 0 || value > share.MaxMoney || !share.Class(class).Valid() {
			return // CheckSanity refuses these shares
		}
		got := Compute(p, scoresOf(weights...), value, share.Class(class), &chainhash.Hash{})
		if sum(got) != value || len(got.Payouts) > share.Class(class).Outputs() {
			t.Fatalf("%d sat of %d in %d outputs", sum(got), value, len(got.Payouts))
		}
	})
}
