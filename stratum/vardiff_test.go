package stratum

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// run is what became of a device at a constant hashrate.
type run struct {
	changes  int           // of the difficulty, after the first two minutes
	outside  time.Duration // when the difficulty last was off by more than 2
	low, top float64       // least and greatest difficulty after two minutes
	rate     float64       // submissions a minute in the last ten minutes
}

// simulate lets a device of some hashrate work for a time against vardiff,
// whose difficulty is capped by the share's.
func simulate(v *vardiff, rng *rand.Rand, hashrate, shareDiff float64, d time.Duration) run {
	const step = 100 * time.Millisecond
	const settling = 2 * time.Minute
	start := time.Unix(1e9, 0)
	suits := max(suitable(hashrate), v.min)
	r := run{low: math.Inf(1)}
	v.restart(start)
	v.assigned(roundDifficulty(min(v.diff, shareDiff)), start)
	recent := 0
	for now := start; now.Sub(start) < d; now = now.Add(step) {
		since := now.Sub(start)
		mean := hashrate * step.Seconds() / (v.sent * hashesPerDifficulty)
		// More than 500 a second are not read.
		for n := min(poisson(rng, mean), int(messageRate*step.Seconds())); n > 0; n-- {
			v.accepted(v.sent)
			if d-since <= 10*time.Minute {
				recent++
			}
		}
		if since%tickEvery == 0 && v.retune(now) {
			v.assigned(roundDifficulty(min(v.diff, shareDiff)), now)
			if since > settling {
				r.changes++
			}
		}
		if v.diff > 2*suits || v.diff < suits/2 {
			r.outside = since
		}
		if since >= settling {
			r.low, r.top = min(r.low, v.diff), max(r.top, v.diff)
		}
	}
	r.rate = float64(recent) / min(10, d.Minutes())
	return r
}

// suitable is the difficulty at which a device submits as often as wanted.
func suitable(hashrate float64) float64 {
	return hashrate * 60 / submitsPerMinute / hashesPerDifficulty
}

func poisson(rng *rand.Rand, mean float64) int {
	if mean > 50 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*rng.NormFloat64())))
	}
	n := 0
	for p := rng.Float64(); p > math.Exp(-mean); p *= rng.Float64() {
		n++
	}
	return n
}

// TestVardiffConverges: whatever the hashrate, from 1 kH/s to 1 PH/s, the difficulty is
// right to a factor of 2 within two minutes, and from then on neither leaves that range
// nor varies by more than 2. Settled, it hardly ever changes: that costs the device its
// job.
func TestVardiffConverges(t *testing.T) {
	const seeds, hours = 10, 1
	for exponent := 3.0; exponent <= 15; exponent += 0.5 {
		changes := 0
		for seed := range uint64(seeds) {
			rng := rand.New(rand.NewPCG(seed, uint64(2*exponent)))
			v := newVardiff(DefaultStartDifficulty, DefaultMinDifficulty)
			r := simulate(&v, rng, math.Pow(10, exponent), math.Inf(1), hours*time.Hour)
			if r.outside > 2*time.Minute || r.top > 2*r.low {
				t.Errorf("10^%.1f H/s, seed %d: off by more than 2 after %v; then %g to %g", exponent, seed, r.outside, r.low, r.top)
			}
			if r.rate < submitsPerMinute/2 || r.rate > submitsPerMinute*2 {
				t.Errorf("10^%.1f H/s, seed %d: %.1f submissions a minute", exponent, seed, r.rate)
			}
			changes += r.changes
		}
		if perHour := float64(changes) / (seeds * hours); perHour > 1 {
			t.Errorf("10^%.1f H/s: %.2f changes an hour", exponent, perHour)
		}
	}
}

// TestVardiffSettledStays: a device that is known changes its difficulty by chance less
// than once in ten hours.
func TestVardiffSettledStays(t *testing.T) {
	const diff, hours = 1024, 200
	changes := 0
	for seed := range uint64(10) {
		v := newVardiff(diff, 1)
		v.settled = diff
		changes += simulate(&v, rand.New(rand.NewPCG(seed, 7)), diff*hashesPerDifficulty*submitsPerMinute/60, math.Inf(1), hours/10*time.Hour).changes
	}
	t.Logf("%d changes in %d hours", changes, hours)
	if changes > hours/10 {
		t.Errorf("%d changes in %d hours at a constant hashrate", changes, hours)
	}
}

// TestVardiffFollows: a settled device that becomes faster or slower is followed.
func TestVardiffFollows(t *testing.T) {
	for factor, limit := range map[float64]time.Duration{
		100: 20 * time.Second, 4: time.Minute, 2.5: 3 * time.Minute, 0.4: 25 * time.Minute, 0.1: 7 * time.Minute, 0.01: 10 * time.Minute,
	} {
		for seed := range uint64(20) {
			v := newVardiff(1000, 1e-6)
			v.settled = 1000
			r := simulate(&v, rand.New(rand.NewPCG(seed, 9)), 1000*factor*hashesPerDifficulty*submitsPerMinute/60, math.Inf(1), 40*time.Minute)
			if r.outside > limit {
				t.Errorf("×%g, seed %d: followed after %v", factor, seed, r.outside)
			}
		}
	}
}

// A share difficulty far below what the device could do leaves the wanted
// difficulty right, so that the device is not flooded once the cap rises.
func TestVardiffUnderACap(t *testing.T) {
	const hashrate = 5e6
	want := suitable(hashrate)
	v := newVardiff(DefaultStartDifficulty, DefaultMinDifficulty)
	simulate(&v, rand.New(rand.NewPCG(3, 4)), hashrate, want/20, 10*time.Minute)
	if v.diff < want/1.3 || v.diff > want*1.3 {
		t.Errorf("wanted difficulty %g, should be near %g", v.diff, want)
	}
}

func TestVardiffSilence(t *testing.T) {
	start := time.Unix(1e9, 0)
	idle := func(v *vardiff, d time.Duration) {
		v.assigned(v.diff, start)
		v.restart(start)
		for now := start; now.Before(start.Add(d)); now = now.Add(time.Second) {
			v.retune(now)
			v.assigned(v.diff, now)
		}
	}
	v := newVardiff(1000, 1)
	idle(&v, time.Minute)
	if v.diff != 1 {
		t.Errorf("difficulty %g after a minute of silence", v.diff)
	}
	// One that worked is paused rather than slow.
	v = newVardiff(1e6, 1)
	v.settled = 1e6
	idle(&v, time.Minute)
	if v.diff != 1e6 {
		t.Errorf("difficulty %g after a minute of silence", v.diff)
	}
	idle(&v, time.Hour)
	if want := 1e6 / vardiffDepth; v.diff != want {
		t.Errorf("difficulty %g after an hour of silence, not %g", v.diff, want)
	}
	// Before the first job there is nothing to conclude from silence.
	v.set(1000, time.Time{})
	if v.retune(start.Add(time.Hour)) {
		t.Error("retuned before the first job")
	}
}

// TestVardiffFixed: what the user fixed stays, unless the device submits far too often,
// and comes back.
func TestVardiffFixed(t *testing.T) {
	hashrate := func(diff float64) float64 { return diff * hashesPerDifficulty * submitsPerMinute / 60 }
	rng := rand.New(rand.NewPCG(1, 1))
	v := newVardiff(1, 1e-6)
	v.fix(1000, time.Time{})
	for _, natural := range []float64{1, 100, 1000, 7000} {
		if r := simulate(&v, rng, hashrate(natural), math.Inf(1), time.Hour); r.low != 1000 || r.top != 1000 {
			t.Errorf("a device that %g suits got %g to %g", natural, r.low, r.top)
		}
	}
	simulate(&v, rng, hashrate(1e6), math.Inf(1), time.Hour)
	if v.diff < 5e4 || v.diff > 2e5 {
		t.Errorf("a device that 1e6 suits gets %g", v.diff)
	}
	simulate(&v, rng, hashrate(1000), math.Inf(1), time.Hour)
	if v.diff != 1000 {
		t.Errorf("back at its hashrate it gets %g", v.diff)
	}
}

func TestBucket(t *testing.T) {
	now := time.Unix(1e9, 0)
	b := newBucket(2, 3, now)
	for range 3 {
		if d := b.spend(now); d != 0 {
			t.Fatalf("delay %v within the burst", d)
		}
	}
	if d := b.spend(now); d != 500*time.Millisecond {
		t.Errorf("delay %v above the burst", d)
	}
	if d := b.spend(now.Add(time.Hour)); d != 0 {
		t.Errorf("delay %v after an hour", d)
	}
}
