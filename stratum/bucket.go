package stratum

import "time"

// bucket is a token bucket: a budget that refills with time. It has no lock;
// its owner provides one.
type bucket struct {
	perSecond, capacity float64
	tokens              float64
	last                time.Time
}

func newBucket(perSecond, capacity float64, now time.Time) bucket {
	return bucket{perSecond: perSecond, capacity: capacity, tokens: capacity, last: now}
}

// spend takes one token. It returns how long the caller should wait before
// going on: zero as long as the budget lasts.
func (b *bucket) spend(now time.Time) time.Duration {
	b.refill(now)
	b.tokens--
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens / b.perSecond * float64(time.Second))
}

// take takes one token if there is one, and reports whether it did.
func (b *bucket) take(now time.Time) bool {
	b.refill(now)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (b *bucket) refill(now time.Time) {
	b.tokens = min(b.capacity, b.tokens+now.Sub(b.last).Seconds()*b.perSecond)
	b.last = now
}
