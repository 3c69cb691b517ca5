package bench

import (
	"math"
	"math/bits"
	"time"
)

// A histogram has histLinear buckets of one nanosecond and then histLinear/2 for
// each doubling, so that a bucket is at most 1/64 of its value wide.
const (
	histBits    = 7
	histLinear  = 1 << histBits
	histBuckets = histLinear + (63-histBits)*histLinear/2
)

// histogram counts durations. The zero value is empty. Not safe for concurrent use.
type histogram struct {
	counts   []uint64 // nil while empty
	n        uint64
	sum      float64
	min, max time.Duration
}

// bucketOf returns the bucket of a duration that is not negative.
func bucketOf(d time.Duration) int {
	v := uint64(d)
	if v < histLinear {
		return int(v)
	}
	shift := bits.Len64(v) - histBits // ≥ 1; v>>shift has histBits bits
	return shift*histLinear/2 + int(v>>shift)
}

// bucketTop returns the longest duration of a bucket.
func bucketTop(i int) time.Duration {
	if i < histLinear {
		return time.Duration(i)
	}
	shift := (i - histLinear/2) / (histLinear / 2)
	mantissa := uint64(i - shift*histLinear/2)
	return time.Duration((mantissa+1)<<shift - 1)
}

// add counts a duration; negative ones, from clocks read in another order, are zero.
func (h *histogram) add(d time.Duration) {
	if h.counts == nil {
		h.counts = make([]uint64, histBuckets)
		h.min = math.MaxInt64
	}
	d = max(d, 0)
	h.counts[bucketOf(d)]++
	h.n++
	h.sum += float64(d)
	h.min, h.max = min(h.min, d), max(h.max, d)
}

// merge adds what another histogram counted.
func (h *histogram) merge(other *histogram) {
	if other.n == 0 {
		return
	}
	if h.counts == nil {
		h.counts = make([]uint64, histBuckets)
		h.min = math.MaxInt64
	}
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.n += other.n
	h.sum += other.sum
	h.min, h.max = min(h.min, other.min), max(h.max, other.max)
}

// quantile returns the least duration that at least the share q of all durations do
// not exceed (the nearest rank), rounded up by 1/64 at most, and 0 if there are none.
func (h *histogram) quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	// Rounding error must not make rank 95 of 100 the 96th.
	rank := uint64(math.Ceil(q*float64(h.n) - 1e-6))
	rank = min(max(rank, 1), h.n)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(max(bucketTop(i), h.min), h.max)
		}
	}
	return h.max
}

// mean returns the average, 0 if there is none.
func (h *histogram) mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.n))
}
