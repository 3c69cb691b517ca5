package payout

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
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

// tableOf returns a table in which script(i) has the i-th weight.
func tableOf(weights ...uint64) *Table {
	t := new(Table)
	for i, w := range weights {
		weight := work(w)
		t.Add(script(i), &weight)
	}
	return t
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
	got := tableOf(1, 2, 4).Compute(testParams(t), 100_000_000, share.Class12, &chainhash.Hash{})
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
	huge := work(1)
	huge.Lsh(139)
	tests := []struct {
		name    string
		table   *Table
		value   int64
		outputs int
	}{
		{"no scores", tableOf(), 5_000_000_000, 0},
		{"no value", tableOf(1, 2), 0, 0},
		{"one payee", tableOf(7), 5_000_000_000, 1},
		{"one satoshi goes to one of two by the draw", tableOf(1, 1), 1, 1},
		{"all bitcoin, huge scores", NewTable([]Score{{script(0), huge}, {script(1), huge}}), share.MaxMoney, 2},
		{"all below the minimum payment", tableOf(1, 1, 1, 1), 2000, 1},
	}
	for _, test := range tests {
		for _, class := range share.Classes() {
			got := test.table.Compute(p, test.value, class, &chainhash.Hash{1})
			if sum(got) != test.value || len(got.Payouts) != test.outputs || got.Finder < 0 {
				t.Errorf("%s, class %v: %d sat in %d outputs, finder %d", test.name, class, sum(got), len(got.Payouts), got.Finder)
			}
		}
	}
}

// reference splits by the definitions of docs/protocol.md, in unbounded integers.
type reference struct {
	small, marks int64
	exact        map[string]int64
}

func referenceSplit(p *chainparams.Params, scores []Score, value int64, outputs int) reference {
	reward := big.NewInt(value - FinderFee(p, value))
	scores = slices.Clone(scores)
	slices.SortStableFunc(scores, func(a, b Score) int { return b.Weight.Cmp(&a.Weight) })
	total := new(big.Int)
	for i := range scores {
		total.Add(total, scores[i].Weight.ToBig())
	}
	amount := func(w *big.Int) int64 {
		n := new(big.Int).Mul(reward, w)
		return n.Div(n, total).Int64()
	}
	best := reference{}
	for k := 0; k <= min(outputs, len(scores)); k++ {
		r := reference{exact: map[string]int64{}}
		rest := new(big.Int)
		feasible := true
		for i := range scores {
			w := scores[i].Weight.ToBig()
			if i < k {
				r.exact[string(scores[i].Script)] = amount(w)
				feasible = feasible && amount(w) >= p.MinPayout
			} else {
				rest.Add(rest, w)
			}
		}
		if k > 0 {
			last := scores[k-1].Weight.ToBig()
			if k < len(scores) {
				feasible = feasible && last.Cmp(scores[k].Weight.ToBig()) > 0
			}
			feasible = feasible && new(big.Int).Mul(last, big.NewInt(int64(outputs-k))).Cmp(rest) >= 0
		}
		if !feasible {
			continue
		}
		if r.small = amount(rest); r.small > 0 {
			widest := new(big.Int).Div(rest, scores[k].Weight.ToBig()).Int64()
			r.marks = max(1, min(int64(outputs-k), r.small/p.MinPayout, widest))
		}
		best = r
	}
	return best
}

func TestComputeProperties(t *testing.T) {
	p := testParams(t)
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Uint64Range(1, 1<<40), 1, 400).Draw(t, "weights")
		if rapid.Bool().Draw(t, "many equal") {
			for i := range weights {
				weights[i] = 1 + weights[i]%3
			}
		}
		table := tableOf(weights...)
		value := rapid.Int64Range(0, share.MaxMoney).Draw(t, "value")
		if rapid.Bool().Draw(t, "small value") {
			value %= 10_000_000
		}
		class := rapid.SampledFrom(share.Classes()).Draw(t, "class")
		parent := chainhash.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "parent"))
		got := table.Compute(p, value, class, &parent)
		if sum(got) != value || got.Finder < FinderFee(p, value) {
			t.Fatalf("paid %d of %d, finder %d", sum(got), value, got.Finder)
		}
		if len(got.Payouts) > class.Outputs() {
			t.Fatalf("%d outputs in class %v", len(got.Payouts), class)
		}
		want := referenceSplit(p, table.Scores(), value, class.Outputs())
		split := table.Split(p, value, class)
		if split.Small != want.small || split.Marks != want.marks || len(split.Exact) != len(want.exact) {
			t.Fatalf("split %+v, want %+v", split, want)
		}
		checkOutputs(t, got, want)
	})
}

// checkOutputs: whoever is to be paid exactly is, nobody is paid twice, and the order is right.
func checkOutputs(t *rapid.T, got Result, want reference) {
	drawn := int64(0)
	seen := map[string]bool{}
	for i, o := range got.Payouts {
		if i > 0 && cmp.Or(cmp.Compare(got.Payouts[i-1].Amount, o.Amount), bytes.Compare(o.Script, got.Payouts[i-1].Script)) < 0 {
			t.Fatal("payouts are out of order")
		}
		if seen[string(o.Script)] {
			t.Fatal("one payee has two outputs")
		}
		seen[string(o.Script)] = true
		if exact, ok := want.exact[string(o.Script)]; ok {
			if o.Amount != exact {
				t.Fatalf("paid %d, owed %d", o.Amount, exact)
			}
			continue
		}
		drawn++
		if o.Amount != want.small/want.marks && o.Amount != want.small/want.marks+1 {
			t.Fatalf("a mark is worth %d of %d/%d", o.Amount, want.small, want.marks)
		}
	}
	if drawn != want.marks {
		t.Fatalf("%d drawn, want %d", drawn, want.marks)
	}
}

// TestDrawIsUnbiased integrates over every start and every place of the
// left-over satoshis: each payee's payments must sum to what they are owed,
// Small·score/Weight, times the number of cases, exactly.
func TestDrawIsUnbiased(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Uint64Range(1, 30), 1, 12).Draw(t, "weights")
		table := tableOf(weights...)
		exact := rapid.IntRange(0, len(weights)-1).Draw(t, "exact payees")
		// Equal scores are treated equally.
		for exact > 0 && table.payees[table.byScore[exact-1]].Weight.Eq(&table.payees[table.byScore[exact]].Weight) {
			exact--
		}
		s := Split{Exact: make([]int64, exact), Small: rapid.Int64Range(1, 100).Draw(t, "small")}
		largest := uint64(0)
		for i, n := range table.byScore {
			if i >= exact {
				s.Weight.Add(&table.payees[n].Weight)
				largest = max(largest, table.payees[n].Weight.Uint64())
			}
		}
		w := s.Weight.Uint64()
		// As many marks as keep everyone's score below a step.
		s.Marks = rapid.Int64Range(1, int64(max(1, w/largest))).Draw(t, "marks")
		paid := map[string]int64{}
		for start := range w {
			for extra := range s.Marks {
				out := table.sample(nil, s, work(start), extra)
				var total int64
				for _, o := range out {
					paid[string(o.Script)] += o.Amount
					total += o.Amount
				}
				if total != s.Small || int64(len(out)) != s.Marks {
					t.Fatalf("start %d extra %d: %d sat in %d outputs, want %d in %d", start, extra, total, len(out), s.Small, s.Marks)
				}
			}
		}
		for i, n := range table.byScore {
			want := int64(0)
			if i >= exact {
				// mean = Small·score/W over W·Marks cases
				want = s.Small * int64(table.payees[n].Weight.Uint64()) * s.Marks
			}
			if got := paid[string(table.payees[n].Script)]; got != want {
				t.Fatalf("score %d of %d: paid %d in all cases, want %d", table.payees[n].Weight.Uint64(), w, got, want)
			}
		}
	})
}

// TestNoOutputIsWasted: where nobody is large enough to be paid exactly, every
// output is drawn for, and the draws of the classes nest.
func TestNoOutputIsWasted(t *testing.T) {
	p := testParams(t)
	weights := make([]uint64, 3000)
	for i := range weights {
		weights[i] = 7
	}
	table := tableOf(weights...)
	for i := range 50 {
		parent := chainhash.DoubleHashH([]byte{byte(i)})
		var last map[string]bool
		for _, class := range share.Classes() {
			r := table.Compute(p, 312_500_000, class, &parent)
			if len(r.Payouts) != class.Outputs() {
				t.Fatalf("class %v: %d outputs", class, len(r.Payouts))
			}
			drawn := map[string]bool{}
			for _, o := range r.Payouts {
				drawn[string(o.Script)] = true
			}
			for s := range last {
				if !drawn[s] {
					t.Fatalf("class %v does not draw who was drawn for the class before", class)
				}
			}
			last = drawn
		}
	}
}

// TestOffset compares the fixed-point arithmetic with fractions, and checks
// that the marks of a class are among those of its multiples.
func TestOffset(t *testing.T) {
	for i := range 2000 {
		parent := chainhash.DoubleHashH(binary.LittleEndian.AppendUint64(nil, uint64(i)))
		o := newOffset(&parent)
		point := float64(o.hi) / math.Exp2(64)
		const w = 1_000_000_007
		weight := work(w)
		start := func(n int64) float64 {
			s := o.start(&weight, n)
			return float64(s.Uint64())
		}
		for _, n := range []int64{1, 12, 36, 144, 288, 1152} {
			_, frac := math.Modf(point * float64(n))
			if got := start(n); math.Abs(got-frac*w) > 2000 {
				t.Fatalf("n %d: start %v, want about %v", n, got, frac*w)
			}
			if got := o.extra(n); got < 0 || got >= n {
				t.Fatalf("n %d: extra %d", n, got)
			}
			if n%12 == 0 {
				_, off := math.Modf((start(12)/12 - start(n)/float64(n)) / (w / float64(n)))
				if off = math.Abs(off); off > 1e-4 && off < 1-1e-4 {
					t.Fatalf("class 12's first mark lies %v steps off class %d's", off, n)
				}
			}
		}
	}
}

// TestTableAgainstMap credits and takes back at random and compares with a map.
func TestTableAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, sums := new(Table), map[int]uint64{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			i := rapid.IntRange(0, 15).Draw(t, "payee")
			amount := rapid.Uint64Range(0, 9).Draw(t, "amount")
			w := work(amount)
			if rapid.Bool().Draw(t, "take back") {
				w = work(min(amount, sums[i]))
				sums[i] -= w.Uint64()
				table.Sub(script(i), &w)
			} else {
				sums[i] += amount
				table.Add(script(i), &w)
			}
		}
		var want []Score
		var total uint64
		for i := range 16 {
			if sums[i] > 0 {
				want = append(want, Score{script(i), work(sums[i])})
				total += sums[i]
			}
		}
		if fmt.Sprint(table.Scores()) != fmt.Sprint(want) || !table.total.EqUint64(total) || table.Len() != len(want) {
			t.Fatalf("scores %v, want %v", table.Scores(), want)
		}
		sorted := slices.IsSortedFunc(table.byScore, func(a, b int32) int {
			x, y := &table.payees[a], &table.payees[b]
			return cmp.Or(y.Weight.Cmp(&x.Weight), bytes.Compare(x.Script, y.Script))
		})
		if !sorted || len(table.byScore) != len(want) {
			t.Fatal("the order by score is wrong")
		}
	})
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
		got := tableOf(weights...).Compute(p, value, share.Class(class), &chainhash.Hash{})
		if sum(got) != value || len(got.Payouts) > share.Class(class).Outputs() {
			t.Fatalf("%d sat of %d in %d outputs", sum(got), value, len(got.Payouts))
		}
	})
}

// BenchmarkCompute draws for a new tip over many payees.
func BenchmarkCompute(b *testing.B) {
	p := testParams(b)
	for _, payees := range []int{1_000, 10_000, 100_000} {
		weights := make([]uint64, payees)
		for i := range weights {
			weights[i] = uint64(1 + i*i%1000)
		}
		table := tableOf(weights...)
		for _, class := range []share.Class{share.Class12, share.Class144, share.Class1152} {
			b.Run(fmt.Sprintf("payees=%d/class=%v", payees, class), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					table.Compute(p, 312_500_000, class, &chainhash.Hash{1})
				}
			})
		}
	}
}
