package stratum

import (
	"math"
	"time"
)

// meter estimates a hashrate from accepted work with exponentially falling
// weights. It has no lock; its owner provides one.
type meter struct {
	tau   time.Duration // age at which work weighs 1/e
	start time.Time     // when counting began
	last  time.Time     // when rate was brought up to date
	rate  float64       // hashes per second, biased low while younger than tau
}

// meterSettle is the least age that the estimate assumes: the first share of
// all says nothing about the rate.
const meterSettle = 10 * time.Second

func newMeter(tau time.Duration, now time.Time) meter {
	return meter{tau: tau, start: now, last: now}
}

// add counts work, in expected hashes, done at time now.
func (m *meter) add(hashes float64, now time.Time) {
	m.rate = m.rate*m.decay(now) + hashes/m.tau.Seconds()
	m.last = now
}

// value is the estimate at time now in hashes per second.
func (m *meter) value(now time.Time) float64 {
	age := max(now.Sub(m.start), meterSettle)
	return m.rate * m.decay(now) / (1 - math.Exp(-age.Seconds()/m.tau.Seconds()))
}

func (m *meter) decay(now time.Time) float64 {
	return math.Exp(-max(0, now.Sub(m.last)).Seconds() / m.tau.Seconds())
}
