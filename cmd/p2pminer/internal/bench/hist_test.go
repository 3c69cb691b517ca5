package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramBuckets(t *testing.T) {
	// Without gaps, in order, and no wider than promised.
	for i := 1; i < histBuckets; i++ {
		low, top := bucketTop(i-1)+1, bucketTop(i)
		if bucketOf(low) != i || bucketOf(top) != i {
			t.Fatalf("bucket %d from %d to %d: they are in %d and %d", i, low, top, bucketOf(low), bucketOf(top))
		}
		if width := top - low; width > low/64 {
			t.Fatalf("bucket %d from %d to %d is too wide", i, low, top)
		}
	}
	if top := bucketTop(histBuckets - 1); top != math.MaxInt64 {
		t.Errorf("the last bucket ends at %d", top)
	}
}

// Quantiles are the nearest rank of the sorted values, up to a 64th.
func TestQuantiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 3, 100, 1000, 12345} {
		var parts [3]histogram
		values := make([]time.Duration, n)
		for i := range values {
			values[i] = time.Duration(math.Exp(rng.Float64()*25)) - 1
			parts[i%3].add(values[i])
		}
		var h histogram
		for i := range parts {
			h.merge(&parts[i])
		}
		slices.Sort(values)
		for _, q := range []float64{0, 0.001, 0.25, 0.5, 0.95, 0.99, 0.999, 1} {
			want := values[min(max(int(math.Ceil(q*float64(n)-1e-6)), 1), n)-1]
			if got := h.quantile(q); got < want || got > want+want/64+1 {
				t.Errorf("%d values, quantile %g: %d, want %d", n, q, got, want)
			}
		}
		if h.quantile(1) != values[n-1] || h.max != values[n-1] || h.min != values[0] || h.n != uint64(n) {
			t.Errorf("%d values: max %d, min %d, want %d and %d", n, h.max, h.min, values[n-1], values[0])
		}
	}
}

func TestQuantilesOfKnownValues(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 || h.mean() != 0 {
		t.Error("an empty histogram has a median or mean")
	}
	for i := 1; i <= 100; i++ {
		h.add(time.Duration(i))
	}
	for q, want := range map[float64]time.Duration{0.5: 50, 0.95: 95, 0.99: 99, 0.999: 100, 1: 100} {
		if got := h.quantile(q); got != want {
			t.Errorf("quantile %g of 1 to 100 is %d", q, got)
		}
	}
	h.add(-5)
	if h.min != 0 || h.mean() != 50 {
		t.Errorf("min %d, mean %d", h.min, h.mean())
	}
}
