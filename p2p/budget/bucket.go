package budget

import (
	"math"
	"time"
)

// Bucket is a token bucket: it fills at a steady rate up to its burst. It may be
// overdrawn; then it takes time until it is no longer empty. The zero value holds
// nothing, for ever.
type Bucket struct {
	rate  float64 // tokens per second
	burst float64 // most that it holds
	level float64
	at    time.Time // of level; zero: full, never used
}

// NewBucket returns a full bucket: rate in tokens per second, burst in tokens.
func NewBucket(rate, burst float64) Bucket { return Bucket{rate: rate, burst: burst, level: burst} }

// refill adds what the time has brought. A clock that goes back brings nothing.
func (b *Bucket) refill(now time.Time) {
	if !b.at.IsZero() {
		b.level = min(b.burst, b.level+max(0, now.Sub(b.at).Seconds())*b.rate)
	}
	b.at = now
}

// Level returns the tokens in the bucket, below zero if it is overdrawn.
func (b *Bucket) Level(now time.Time) float64 {
	b.refill(now)
	return b.level
}

// Take takes n tokens, whether they are there or not.
func (b *Bucket) Take(now time.Time, n float64) {
	b.refill(now)
	b.level -= n
}

// Give puts n tokens back, as far as there is room.
func (b *Bucket) Give(now time.Time, n float64) {
	b.refill(now)
	b.level = min(b.burst, b.level+n)
}

// Holds reports whether n tokens are there.
func (b *Bucket) Holds(now time.Time, n float64) bool { return b.Level(now) >= n }

// Full reports whether nothing is missing.
func (b *Bucket) Full(now time.Time) bool { return b.Level(now) >= b.burst }

// FullAt returns when nothing will be missing.
func (b *Bucket) FullAt(now time.Time) time.Time {
	missing := b.burst - b.Level(now)
	if missing <= 0 {
		return now
	}
	return now.Add(duration(missing / b.rate))
}

// Lower lowers the level to that of another bucket of the same kind.
func (b *Bucket) Lower(now time.Time, other *Bucket) {
	b.level = min(b.Level(now), other.Level(now))
}

// Wait returns how long the bucket stays overdrawn, 0 if it is not.
func (b *Bucket) Wait(now time.Time) time.Duration {
	b.refill(now)
	if b.level >= 0 {
		return 0
	}
	return duration(-b.level / b.rate)
}

// duration returns so many seconds, rounded up, at most maxWait.
func duration(seconds float64) time.Duration {
	d := math.Ceil(seconds * float64(time.Second))
	if !(d < float64(maxWait)) { // true for a rate of zero as well
		return maxWait
	}
	return time.Duration(d)
}

// maxWait bounds a single wait. No limit of this package leads to more than a
// minute or so; an hour stands for ever.
const maxWait = time.Hour
