package stratum

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestMeter: a steady rate is shown right over each span from the first minute on, however
// much longer the span is, and falls with silence as the span says.
func TestMeter(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := newMeter(now)
	for range 200 {
		now = now.Add(3 * time.Second)
		m.add(3000, now)
		if now.Sub(m.start) < 20*time.Second {
			continue
		}
		for i, rate := range m.value(now) {
			if rate < 900 || rate > 1200 {
				t.Fatalf("%.0f H/s instead of 1000 over %v after %v", rate, spans[i], now.Sub(m.start))
			}
		}
	}
	before := m.value(now)
	for i, rate := range m.value(now.Add(10 * time.Minute)) {
		// The weights of all work fall alike; so does the share of the span that the
		// meter's age covers.
		age := now.Sub(m.start)
		want := before[i] * math.Exp(-600/spans[i].Seconds()) *
			math.Expm1(-age.Seconds()/spans[i].Seconds()) / math.Expm1(-(age+10*time.Minute).Seconds()/spans[i].Seconds())
		if math.Abs(rate-want) > want*0.01 {
			t.Errorf("%.1f H/s over %v after ten minutes of silence, want %.1f", rate, spans[i], want)
		}
	}
}

// TestMeterBurst: submissions within one step all count, and a clock that is put back does
// no harm.
func TestMeterBurst(t *testing.T) {
	now := time.Unix(1e9, 0)
	m := newMeter(now)
	for range 1000 {
		m.add(60, now)
	}
	for i, rate := range m.value(now) {
		if rate < 5900 || rate > 7000 { // 60,000 in the least age of 10 s
			t.Errorf("%.0f H/s over %v", rate, spans[i])
		}
	}
	for i, rate := range m.value(now.Add(-time.Hour)) {
		if math.IsNaN(rate) || math.IsInf(rate, 0) || rate < 0 {
			t.Errorf("%v H/s over %v an hour before", rate, spans[i])
		}
	}
}

// TestLateness: the estimate agrees with the device's latency, for one and for several
// connections, and follows a change within a few days.
func TestLateness(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	poisson := func(mean float64) (n float64) {
		for t := r.ExpFloat64(); t < mean; t += r.ExpFloat64() {
			n++
		}
		return n
	}
	const rate, perSubmission = 1e12, 1e12 / 0.3
	for _, connections := range []int{1, 3} {
		var l lateness
		if l.value() != 0 {
			t.Error("an estimate of nothing")
		}
		run := func(blocks int, latency float64) {
			for range blocks {
				for range connections {
					l.block(rate, connections)
				}
				l.late += perSubmission * poisson(0.3*latency)
			}
		}
		for _, latency := range []float64{0.5, 8, 0} {
			run(6*lateBlocks, latency)
			// Weights that fall over 144 blocks are worth 288 equal ones.
			bound := 4*math.Sqrt(latency/0.3/(2*lateBlocks)) + 0.1
			if got := l.value().Seconds(); math.Abs(got-latency) > bound {
				t.Errorf("%d connections: %.2f s instead of %.2f s", connections, got, latency)
			}
			if math.Abs(l.blocks-lateBlocks) > 3 {
				t.Errorf("%.1f blocks", l.blocks)
			}
		}
		run(5*lateBlocks, 1000)
		if l.value() > staleJobAge {
			t.Errorf("%v is more than can be known", l.value())
		}
	}
	var l lateness
	l.block(0, 1)
	l.block(math.NaN(), 1)
	l.block(1, 0)
	if l != (lateness{}) {
		t.Errorf("%+v", l)
	}
}
