package mining

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// memPool draws transactions of a mempool, each with those that it needs before it.
// Sizes, rates and needs are such as to make packages: half of the needs are of the
// transaction before.
func memPool(n int, maxWeight int64, draw func(n int) int) []TemplateTx {
	pool := make([]TemplateTx, n)
	for i := range pool {
		tx := &pool[i]
		binary.LittleEndian.PutUint32(tx.TxID[:], uint32(i))
		tx.Weight = 1 + int64(draw(int(maxWeight)))
		tx.Sigops = int64(draw(5))
		rate := []int64{0, 1, 1, 2, 3, 5, 10, 20}[draw(8)]
		tx.Fee = rate*tx.Weight + int64(draw(int(tx.Weight)))
		for i > 0 && len(tx.Depends) < 3 && draw(3) == 0 {
			tx.Depends = append(tx.Depends, i-1-draw(2)*draw(i))
		}
		slices.Sort(tx.Depends)
		tx.Depends = slices.Compact(tx.Depends)
	}
	return pool
}

// miningOrder puts a mempool's transactions in the order in which Bitcoin Core chooses
// them: again and again the one with the highest fee rate, its own or that with the
// ancestors it still needs, whichever is lower, together with those.
func miningOrder(pool []TemplateTx) *Template {
	t := new(Template)
	place := make(map[int]int, len(pool)) // in the template, by that in the pool
	for len(place) < len(pool) {
		var best []int
		var bestFee, bestWeight int64
		for i := range pool {
			if _, ok := place[i]; ok {
				continue
			}
			list := ancestors(pool, i, place)
			var fee, weight int64
			for _, k := range list {
				fee, weight = fee+pool[k].Fee, weight+pool[k].Weight
			}
			if pool[i].Fee*weight < fee*pool[i].Weight {
				fee, weight = pool[i].Fee, pool[i].Weight
			}
			if best == nil || fee*bestWeight > bestFee*weight {
				best, bestFee, bestWeight = list, fee, weight
			}
		}
		slices.Sort(best)
		for _, k := range best {
			tx := pool[k]
			tx.Depends = slices.Clone(tx.Depends)
			for at, d := range tx.Depends {
				tx.Depends[at] = place[d]
			}
			slices.Sort(tx.Depends)
			place[k] = len(t.Txs)
			t.Txs = append(t.Txs, tx)
			t.CoinbaseValue += tx.Fee
		}
	}
	return t
}

// ancestors returns a transaction and those that it needs, without the ones that have
// their place.
func ancestors(pool []TemplateTx, i int, place map[int]int) []int {
	list := []int{i}
	for at := 0; at < len(list); at++ {
		for _, d := range pool[list[at]].Depends {
			if _, ok := place[d]; !ok && !slices.Contains(list, d) {
				list = append(list, d)
			}
		}
	}
	return list
}

// wholeRuns is what dropping whole runs of transactions costs: from the end, each with
// all its ancestors that stand right before it, whoever of them pays. It is negative if
// enough can't be freed.
func wholeRuns(t *Template, weight, sigops int64) int64 {
	var lost int64
	for end := len(t.Txs); weight > 0 || sigops > 0; {
		if end == 0 {
			return -1
		}
		needed := map[int]bool{end - 1: true}
		for end > 0 && needed[end-1] {
			end--
			tx := &t.Txs[end]
			weight, sigops, lost = weight-tx.Weight, sigops-tx.Sigops, lost+tx.Fee
			for _, d := range tx.Depends {
				needed[d] = true
			}
		}
	}
	return lost
}

// cheapestWay tries all sets of transactions for the one that costs least; it is
// negative if enough can't be freed.
func cheapestWay(t *Template, weight, sigops int64) int64 {
	best := int64(-1)
sets:
	for set := range 1 << len(t.Txs) { // that go
		var w, s, fees int64
		for i, tx := range t.Txs {
			if set>>i&1 == 1 {
				w, s, fees = w+tx.Weight, s+tx.Sigops, fees+tx.Fee
				continue
			}
			for _, d := range tx.Depends {
				if set>>d&1 == 1 {
					continue sets
				}
			}
		}
		if w >= weight && s >= sigops && (best < 0 || fees < best) {
			best = fees
		}
	}
	return best
}

// TestTrimCostsNoMore: of any mempool's block enough goes, what stays has all that it
// needs, and it costs no more than to drop whole runs of ancestors from the end.
func TestTrimCostsNoMore(t *testing.T) {
	cheaper := 0
	rapid.Check(t, func(r *rapid.T) {
		draw := func(n int) int { return rapid.IntRange(0, n-1).Draw(r, "n") }
		full := miningOrder(memPool(1+draw(60), 4_000, draw))
		full.CoinbaseValue += 50
		weight, sigops := int64(draw(20_000)), int64(draw(20))
		whole, left := wholeRuns(full, weight, sigops), full.trim(weight, sigops)
		if left == nil {
			if whole >= 0 {
				r.Fatalf("no way, where whole runs cost %d", whole)
			}
			return
		}
		checkTrimmed(r, full, left)
		freed, freedSigops, lost := full.Weight()-left.Weight(), full.Sigops()-left.Sigops(), full.Fees()-left.Fees()
		if freed < weight || freedSigops < sigops || lost > whole {
			r.Fatalf("weight %d of %d, sigops %d of %d at %d sat, whole runs at %d", freed, weight, freedSigops, sigops, lost, whole)
		}
		if lost < whole {
			cheaper++
		}
	})
	if cheaper == 0 {
		t.Error("it never costs less either")
	}
}

// TestTrimNearBest compares what is lost with the least that could be, of blocks small
// enough to try everything.
func TestTrimNearBest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var trimmed, best, whole float64 // what they cost in all
	worst := 1.0
	for range 2_000 {
		full := miningOrder(memPool(1+r.IntN(10), 100, r.IntN))
		weight, sigops := 1+r.Int64N(full.Weight()), r.Int64N(1+full.Sigops()/4)
		least := cheapestWay(full, weight, sigops)
		lost := full.Fees() - full.trim(weight, sigops).Fees()
		if lost < least {
			t.Fatalf("%d sat, where no way costs less than %d", lost, least)
		}
		trimmed, best, whole = trimmed+float64(lost), best+float64(least), whole+float64(wholeRuns(full, weight, sigops))
		if least > 0 {
			worst = max(worst, float64(lost)/float64(least))
		}
	}
	t.Logf("of the least that could be lost: %.3f, at worst %.1f; whole runs: %.3f", trimmed/best, worst, whole/best)
	if trimmed > 1.03*best || whole < trimmed {
		t.Errorf("%.0f sat are lost, whole runs %.0f, at least %.0f", trimmed, whole, best)
	}
}

// BenchmarkTrim makes room for the most outputs in blocks of 4,000 transactions: chains
// of 25, the longest that mempools take, and one chain of all.
func BenchmarkTrim(b *testing.B) {
	for name, length := range map[string]int{"chains": 25, "chain": 4_000} {
		b.Run(name, func(b *testing.B) {
			full := new(Template)
			for i := range 4_000 {
				// What stands later pays less, but within a chain more.
				tx := TemplateTx{Weight: 1_000, Fee: int64(1_000 - i/length + 10*(i%length))}
				for d := i - i%length; d < i && d < i-i%length+25; d++ {
					tx.Depends = append(tx.Depends, d)
				}
				full.Txs = append(full.Txs, tx)
			}
			b.ReportAllocs()
			for b.Loop() {
				if full.trim(maxTrim, 0) == nil {
					b.Fatal("no way")
				}
			}
		})
	}
}
