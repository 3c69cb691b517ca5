package stratum

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// simulate lets a device of some hashrate work for a time against vardiff,
// whose difficulty is capped by the share's. It returns the submissions of the
// last ten minutes per minute, and how often the difficulty changed.
func simulate(v *vardiff, rng *rand.Rand, hashrate, shareDiff float64, d time.Duration) (perMinute float64, changes int) {
	const step = 100 * time.Millisecond
	start := time.Unix(1e9, 0)
	now := start
	v.restart(now)
	recent := 0
	for end := start.Add(d); now.Before(end); now = now.Add(step) {
		diff := roundDifficulty(min(v.diff, shareDiff))
		mean := hashrate * step.Seconds() / (diff * hashesPerDifficulty)
		// More than 500 a second are not read.
		for n := min(poisson(rng, mean), int(messageRate*step.Seconds())); n > 0; n-- {
			v.accepted(diff)
			if end.Sub(now) <= 10*time.Minute {
				recent++
			}
		}
		if now.Sub(start)%tickEvery == 0 && v.retune(now) {
			changes++
		}
	}
	return float64(recent) / min(10, d.Minutes()), changes
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

func TestVardiffConverges(t *testing.T) {
	for name, hashrate := range map[string]float64{
		"NerdMiner": 50e3, "CPU": 5e6, "Bitaxe": 1.2e12, "S19": 100e12, "container of 400": 80e15,
	} {
		rng := rand.New(rand.NewPCG(1, 2))
		v := newVardiff(DefaultStartDifficulty, DefaultMinDifficulty)
		rate, _ := simulate(&v, rng, hashrate, math.Inf(1), 30*time.Minute)
		if rate < submitsPerMinute*0.6 || rate > submitsPerMinute*1.6 {
			t.Errorf("%s: %.1f submissions a minute at difficulty %g", name, rate, v.diff)
		}
		// Settled, it stays: a change costs the device its job.
		if _, changes := simulate(&v, rng, hashrate, math.Inf(1), 10*time.Hour); changes > 100 {
			t.Errorf("%s: %d changes in ten hours at a constant hashrate", name, changes)
		}
	}
}

// TestVardiffIgnoresChance: at a constant hashrate and the right difficulty
// hardly any window is cut short by what is mere chance.
func TestVardiffIgnoresChance(t *testing.T) {
	const windows, tolerated = 3000, 30 // 1 %
	const diff = 1024
	const hashrate = diff * hashesPerDifficulty * submitsPerMinute / 60
	rng := rand.New(rand.NewPCG(5, 6))
	needless := 0
	for range windows {
		v := newVardiff(diff, 1)
		if _, changes := simulate(&v, rng, hashrate, math.Inf(1), vardiffWindow); changes > 0 {
			needless++
		}
	}
	if needless > tolerated {
		t.Errorf("%d of %d windows with a needless change", needless, windows)
	}
}

// A share difficulty far below what the device could do leaves the wanted
// difficulty right, so that the device is not flooded once the cap rises.
func TestVardiffUnderACap(t *testing.T) {
	const hashrate = 5e6
	want := hashrate * 60 / submitsPerMinute / hashesPerDifficulty
	rng := rand.New(rand.NewPCG(3, 4))
	v := newVardiff(DefaultStartDifficulty, DefaultMinDifficulty)
	simulate(&v, rng, hashrate, want/20, 10*time.Minute)
	if v.diff < want/1.6 || v.diff > want*1.6 {
		t.Errorf("wanted difficulty %g, should be near %g", v.diff, want)
	}
}

func TestVardiffSilence(t *testing.T) {
	now := time.Unix(1e9, 0)
	v := newVardiff(1000, 1)
	v.restart(now)
	for range 20 {
		now = now.Add(time.Minute)
		v.retune(now)
	}
	if v.diff != 1 {
		t.Errorf("difficulty %g after 20 minutes of silence", v.diff)
	}
	// Before the first job there is nothing to conclude from silence.
	v.set(1000, time.Time{})
	if v.retune(now.Add(time.Hour)) {
		t.Error("retuned before the first job")
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

func TestMeter(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := newMeter(time.Minute, now)
	for range 100 {
		now = now.Add(3 * time.Second)
		m.add(3000, now)
		if m.start.Add(20 * time.Second).Before(now) {
			if rate := m.value(now); rate < 900 || rate > 1200 {
				t.Fatalf("%.0f H/s instead of 1000 after %v", rate, now.Sub(m.start))
			}
		}
	}
	if rate := m.value(now.Add(10 * time.Minute)); rate > 1 {
		t.Errorf("%.0f H/s after ten minutes of silence", rate)
	}
}
