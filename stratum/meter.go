package stratum

import (
	"math"
	"time"
)

// spans are the times over which hashrates are estimated, as the ages at which
// work weighs 1/e.
var spans = [...]time.Duration{time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// Hashrates are estimates in hashes per second, from accepted work whose weight falls
// exponentially with its age: to 1/e at one minute, five, an hour, a day, a week. What
// is younger than that is estimated from its whole life, without bias.
type Hashrates [len(spans)]float64

// Indices of Hashrates.
const (
	Over1m = iota
	Over5m
	Over1h
	Over1d
	Over7d
)

// meter estimates hashrates from accepted work in constant memory. It has no lock; its
// owner provides one.
type meter struct {
	start   time.Time // when counting began
	last    time.Time // when rates was brought up to date
	pending float64   // hashes counted since
	rates   Hashrates // biased low while younger than their span
}

const (
	// meterSettle is the least age that the estimate assumes: the first share of
	// all says nothing about the rate.
	meterSettle = 10 * time.Second
	// meterStep is how much work is put together before its weights are reckoned anew,
	// which takes five exponentials. It is a sixtieth of the shortest span.
	meterStep = time.Second
)

func newMeter(now time.Time) meter { return meter{start: now, last: now} }

// add counts work, in expected hashes, done at time now.
func (m *meter) add(hashes float64, now time.Time) {
	m.pending += hashes
	if now.Sub(m.last) >= meterStep {
		for i := range m.rates {
			m.rates[i] = m.aged(i, now)
		}
		m.pending, m.last = 0, now
	}
}

// aged is the biased rate of a span at time now.
func (m *meter) aged(i int, now time.Time) float64 {
	return m.rates[i]*math.Exp(-max(0, now.Sub(m.last)).Seconds()/spans[i].Seconds()) + m.pending/spans[i].Seconds()
}

// over is the estimate of one span at time now. A meter of age a has only the part
// 1-e^(-a/span) of the weight that it has when old, which is made up for.
func (m *meter) over(i int, now time.Time) float64 {
	age := max(now.Sub(m.start), meterSettle)
	return m.aged(i, now) / -math.Expm1(-age.Seconds()/spans[i].Seconds())
}

// value is all estimates at time now.
func (m *meter) value(now time.Time) (h Hashrates) {
	for i := range h {
		h[i] = m.over(i, now)
	}
	return h
}

// join adds what another meter has counted up to the same time.
func (m *meter) join(other *meter) {
	m.last = other.last
	if other.start.Before(m.start) {
		m.start = other.start
	}
	for i := range m.rates {
		m.rates[i] += other.rates[i]
	}
}
