package payout

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// TestOddsByHand: 1 BTC, of which R = 99,500,000, over 20 payees with Σ = 142.
func TestOddsByHand(t *testing.T) {
	// Class 12 pays the first exactly; k = 5 is too many, as 3·7 < 30. The others
	// have W = 42, S = 29,429,577 and n = min(11, ⌊42/3⌋) marks.
	o := tableOf(2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 100).Odds(testParams(t), 100_000_000)
	for _, tc := range []struct {
		rank  int
		class share.Class
		owed  int64
		want  Chance
	}{
		{0, share.Class12, 70_070_422, Chance{true, 1, 70_070_422}},
		{1, share.Class12, 2_102_112, Chance{false, 33. / 42, 2_675_416}},
		{5, share.Class12, 1_401_408, Chance{false, 22. / 42, 2_675_416}},
		{19, share.Class12, 1_401_408, Chance{false, 22. / 42, 2_675_416}},
		{1, share.Class36, 2_102_112, Chance{true, 1, 2_102_112}},
		{19, share.Class1152, 1_401_408, Chance{true, 1, 1_401_408}},
	} {
		if owed, got := o.Owed(tc.rank), o.Chance(tc.rank, tc.class); owed != tc.owed || got != tc.want {
			t.Errorf("rank %d, class %v: owed %d, %+v; want %d, %+v", tc.rank, tc.class, owed, got, tc.owed, tc.want)
		}
	}
	if s := o.Score(0); o.Len() != 20 || string(s.Script) != string(script(19)) || !s.Weight.EqUint64(100) {
		t.Errorf("first of %d: %v", o.Len(), s)
	}
	if rank, ok := o.Rank(script(16)); rank != 2 || !ok {
		t.Errorf("the third has rank %d, %v", rank, ok)
	}
	if _, ok := o.Rank(script(20)); ok {
		t.Error("a script without a score has a rank")
	}
}

// drawnTable draws a table, a value and a class that pay some and let others draw.
func drawnTable(t *rapid.T) (*Table, int64, share.Class) {
	weights := rapid.SliceOfN(rapid.Uint64Range(1, 1<<40), 1, 400).Draw(t, "weights")
	if rapid.Bool().Draw(t, "many equal") {
		for i := range weights {
			weights[i] = 1 + weights[i]%3
		}
	}
	value := rapid.Int64Range(0, share.MaxMoney).Draw(t, "value")
	if rapid.Bool().Draw(t, "small value") {
		value %= 10_000_000
	}
	return tableOf(weights...), value, rapid.SampledFrom(share.Classes()).Draw(t, "class")
}

// TestOddsProperties compares with the definitions in unbounded integers: who is
// paid exactly, marks·score/W for the others, and that the expected payments are
// what everybody is owed.
func TestOddsProperties(t *testing.T) {
	p := testParams(t)
	rapid.Check(t, func(t *rapid.T) {
		table, value, class := drawnTable(t)
		want := referenceSplit(p, table.Scores(), value, class.Outputs())
		o := table.Odds(p, value)
		owed := Owed(p, table.Scores(), value)
		rest := new(big.Int) // W
		for _, s := range table.Scores() {
			if _, exact := want.exact[string(s.Script)]; !exact {
				rest.Add(rest, s.Weight.ToBig())
			}
		}
		chances, payments := new(big.Rat), new(big.Rat)
		for i, s := range table.Scores() {
			rank, _ := o.Rank(s.Script)
			c := o.Chance(rank, class)
			amount, exact := want.exact[string(s.Script)]
			if o.Owed(rank) != owed[i] || c.Exact != exact {
				t.Fatalf("payee %d: owed %d, want %d; %+v, want exact %v", i, o.Owed(rank), owed[i], c, exact)
			}
			if exact {
				if c != (Chance{true, 1, amount}) {
					t.Fatalf("payee %d: %+v, want %d exactly", i, c, amount)
				}
				continue
			}
			chance := checkDrawn(t, c, s.Weight.ToBig(), rest, want)
			chances.Add(chances, chance)
			mean := new(big.Rat).Mul(chance, meanMark(want))
			payments.Add(payments, mean)
			checkMean(t, mean, s.Weight.ToBig(), table, value-FinderFee(p, value))
		}
		if chances.Cmp(new(big.Rat).SetInt64(want.marks)) != 0 || payments.Cmp(new(big.Rat).SetInt64(want.small)) != 0 {
			t.Fatalf("the chances sum to %v, the payments to %v; want %d and %d", chances, payments, want.marks, want.small)
		}
	})
}

// checkDrawn compares a chance with marks·score/W, which it returns.
func checkDrawn(t *rapid.T, c Chance, score, rest *big.Int, want reference) *big.Rat {
	chance := new(big.Rat)
	if want.marks == 0 {
		if c != (Chance{}) {
			t.Fatalf("%+v where nothing is drawn for", c)
		}
		return chance
	}
	chance.SetFrac(new(big.Int).Mul(big.NewInt(want.marks), score), rest)
	nearest, _ := chance.Float64()
	if c.Probability != nearest || c.Amount != want.small/want.marks {
		t.Fatalf("%+v; want %v and %d/%d", c, nearest, want.small, want.marks)
	}
	if one := big.NewRat(1, 1); chance.Cmp(one) > 0 || (chance.Cmp(one) == 0) != (c.Probability == 1) || c.Probability <= 0 {
		t.Fatalf("probability %v for %v", c.Probability, chance)
	}
	return chance
}

// meanMark is what a mark is worth on average, with the left-over satoshis.
func meanMark(r reference) *big.Rat {
	if r.marks == 0 {
		return new(big.Rat)
	}
	return big.NewRat(r.small, r.marks)
}

// checkMean: the expected payment is R·score/Σ, less what rounding S down takes,
// which is under a satoshi for all together.
func checkMean(t *rapid.T, mean *big.Rat, score *big.Int, table *Table, reward int64) {
	total := table.Total()
	part := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(reward), score), total.ToBig())
	if diff := new(big.Rat).Sub(part, mean); diff.Sign() < 0 || diff.Cmp(big.NewRat(1, 1)) >= 0 {
		t.Fatalf("the expected payment is %v, owed %v", mean, part)
	}
}

// TestOddsByIntegration draws with every start and every place of the left-over
// satoshis. How often each payee is drawn, and what it gets in all cases
// together, must be what the odds say, exactly.
func TestOddsByIntegration(t *testing.T) {
	p := testParams(t)
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Uint64Range(1, 12), 13, 40).Draw(t, "weights")
		weights[0] = rapid.Uint64Range(1, 300).Draw(t, "largest")
		table := tableOf(weights...)
		value := rapid.Int64Range(5_000, 200_000).Draw(t, "value")
		o, s := table.Odds(p, value), table.Split(p, value, share.Class12)
		if s.Small == 0 {
			return // even the smallest are paid exactly, or nobody anything
		}
		times, paid := map[string]int64{}, map[string]int64{}
		w := s.Weight.Uint64()
		for start := range w {
			for extra := range s.Marks {
				for _, out := range table.sample(nil, s, work(start), extra) {
					times[string(out.Script)]++
					paid[string(out.Script)] += out.Amount
				}
			}
		}
		cases := int64(w) * s.Marks
		for rank := range o.Len() {
			c, payee := o.Chance(rank, share.Class12), o.Score(rank)
			if c.Exact {
				continue
			}
			hit := times[string(payee.Script)]
			if want, _ := big.NewRat(hit, cases).Float64(); c.Probability != want {
				t.Fatalf("rank %d is drawn in %d of %d cases, the odds say %v", rank, hit, cases, c.Probability)
			}
			// The mean of all cases is S·score/W.
			if got := paid[string(payee.Script)]; got != s.Small*int64(payee.Weight.Uint64())*s.Marks || got < hit*c.Amount || got > hit*(c.Amount+1) {
				t.Fatalf("rank %d gets %d in %d draws of %d", rank, got, hit, c.Amount)
			}
		}
	})
}

// TestOddsFitDraws: the coinbase of every parent pays only whom the odds say, and
// what they say.
func TestOddsFitDraws(t *testing.T) {
	p := testParams(t)
	rapid.Check(t, func(t *rapid.T) {
		table, value, class := drawnTable(t)
		o := table.Odds(p, value)
		seed := rapid.Uint64().Draw(t, "seed")
		for i := range uint64(20) {
			parent := chainhash.DoubleHashH(fmt.Append(nil, seed, i))
			paid := map[string]int64{}
			for _, out := range table.Compute(p, value, class, &parent).Payouts {
				paid[string(out.Script)] = out.Amount
			}
			for rank := range o.Len() {
				c, payee := o.Chance(rank, class), o.Score(rank)
				amount, ok := paid[string(payee.Script)]
				delete(paid, string(payee.Script))
				switch {
				case ok && c.Probability == 0, !ok && c.Probability == 1:
					t.Fatalf("rank %d is paid: %v; %+v", rank, ok, c)
				case ok && amount != c.Amount && (c.Exact || amount != c.Amount+1):
					t.Fatalf("rank %d gets %d; %+v", rank, amount, c)
				}
			}
			if len(paid) > 0 {
				t.Fatalf("paid without odds: %v", paid)
			}
		}
	})
}

// TestOddsExtremes has the same answer for every payee of each table, but not
// for every class.
func TestOddsExtremes(t *testing.T) {
	p := testParams(t)
	equal := func(n int) *Table {
		weights := make([]uint64, n)
		for i := range weights {
			weights[i] = 7
		}
		return tableOf(weights...)
	}
	huge := work(1)
	huge.Lsh(191)
	none := map[share.Class]Chance{}
	for _, tc := range []struct {
		name     string
		table    *Table
		value    int64
		want     map[share.Class]Chance
		wantElse Chance
	}{
		{"no scores", new(Table), 5_000_000_000, none, Chance{}},
		{"no value", tableOf(1, 2, 3), 0, none, Chance{}},
		{"negative value", tableOf(1, 2, 3), math.MinInt64, none, Chance{}},
		{"one payee", tableOf(7), 5_000_000_000, none, Chance{true, 1, 4_975_000_000}},
		{"one payee, huge score", NewTable([]Score{{script(0), huge}}), share.MaxMoney, none, Chance{true, 1, share.MaxMoney - share.MaxMoney/200}},
		{"one payee below the minimum payment is drawn in every block", tableOf(7), 4_000, none, Chance{false, 1, 3_980}},
		{"all below the minimum payment", equal(4), 4_020, none, Chance{false, 1. / 4, 4_000}},
		{"all equal, as many as outputs", equal(12), 12_060_301, none, Chance{true, 1, 1_000_000}},
		{"all equal, more than outputs", equal(48), 48_241_206, map[share.Class]Chance{
			share.Class12: {false, 12. / 48, 4_000_000}, share.Class36: {false, 36. / 48, 1_333_333},
		}, Chance{true, 1, 1_000_000}},
	} {
		o := tc.table.Odds(p, tc.value)
		if o.Len() != tc.table.Len() {
			t.Errorf("%s: %d payees", tc.name, o.Len())
		}
		for _, class := range share.Classes() {
			want, special := tc.want[class]
			if !special {
				want = tc.wantElse
			}
			for rank := range o.Len() {
				if got := o.Chance(rank, class); got != want {
					t.Fatalf("%s, class %v, rank %d: %+v, want %+v", tc.name, class, rank, got, want)
				}
			}
		}
	}
}

// TestOddsNearlyCertain: a chance so close to 1 that no float64 lies between is
// not shown as certainty.
func TestOddsNearlyCertain(t *testing.T) {
	wide, narrow := work(1), work(1)
	wide.Lsh(100)
	o := NewTable([]Score{{script(0), wide}, {script(1), narrow}}).Odds(testParams(t), 4_000)
	first, second := o.Chance(0, share.Class12), o.Chance(1, share.Class12)
	if first.Exact || first.Probability != math.Nextafter(1, 0) || second.Probability <= 0 || second.Probability > 1e-30 {
		t.Errorf("%+v and %+v", first, second)
	}
}

// fullWindow is a table of as many payees as a window has shares, ten of them
// large.
func fullWindow(p *chainparams.Params) *Table {
	weights := make([]uint64, p.WindowShares)
	for i := range weights {
		left := uint64(len(weights) - i) // descending, which fills a table fastest
		weights[i] = left * left
		if i < 10 {
			weights[i] += left << 32
		}
	}
	return tableOf(weights...)
}

// TestOddsOfFullWindow: one payee per share of the longest window.
func TestOddsOfFullWindow(t *testing.T) {
	p := testParams(t)
	table := fullWindow(p)
	o := table.Odds(p, 312_500_000)
	if o.Len() != int(p.WindowShares) {
		t.Fatalf("%d payees", o.Len())
	}
	for _, class := range share.Classes() {
		split, sum, last := table.Split(p, 312_500_000, class), 0.0, 1.0
		for rank := range o.Len() {
			c := o.Chance(rank, class)
			if c.Exact != (rank < len(split.Exact)) || c.Probability > last {
				t.Fatalf("class %v, rank %d: %+v after %v", class, rank, c, last)
			}
			if last = c.Probability; !c.Exact {
				sum += c.Probability
			}
		}
		if len(split.Exact) == 0 || split.Marks == 0 {
			t.Errorf("class %v pays %d exactly and draws %d: this tests nothing", class, len(split.Exact), split.Marks)
		}
		if math.Abs(sum-float64(split.Marks)) > 1e-6 {
			t.Errorf("class %v: the chances sum to %v of %d", class, sum, split.Marks)
		}
	}
}

// BenchmarkOdds explains a page of 1,000 payees of a full window.
func BenchmarkOdds(b *testing.B) {
	p := testParams(b)
	table := fullWindow(p)
	b.ReportAllocs()
	for b.Loop() {
		o := table.Odds(p, 312_500_000)
		for rank := range 1000 {
			for _, class := range share.Classes() {
				o.Chance(rank, class)
			}
		}
	}
}
