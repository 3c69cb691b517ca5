package netsync

import "time"

const (
	// paceSamples and paceInterval make up the time over which the rate of a sync is
	// measured, 16 s: long enough for a steady figure, short enough to notice when a
	// peer leaves.
	paceSamples  = 16
	paceInterval = time.Second
	// maxTimeLeft bounds what is told of the time a sync will take; beyond it the
	// figure means nothing.
	maxTimeLeft = 100 * time.Hour
)

// pace measures how fast sessions go, one after the other.
type pace struct {
	total   uint64 // shares accepted in sessions
	heights uint64 // main chain heights that they rose by
	ring    [paceSamples]sample
	n       int // samples taken; those since the last break
}

// sample is the state of the counters at some time.
type sample struct {
	at             time.Time
	total, heights uint64
}

// add counts a share that brought a session to another height.
func (p *pace) add(from, to uint32) {
	p.total++
	if to > from {
		p.heights += uint64(to - from)
	}
}

// sample notes the counters now and then while a session goes on, and forgets what
// was before when it has ended.
func (p *pace) sample(now time.Time, active bool) {
	switch {
	case !active:
		p.n = 0
	case p.n == 0 || now.Sub(p.last().at) >= paceInterval:
		p.ring[p.n%paceSamples] = sample{now, p.total, p.heights}
		p.n++
	}
}

func (p *pace) last() sample { return p.ring[(p.n-1)%paceSamples] }

// rates returns shares and heights per second, zeros if they are not known yet.
func (p *pace) rates(now time.Time) (shares, heights float64) {
	if p.n == 0 {
		return 0, 0
	}
	oldest := p.ring[max(p.n-paceSamples, 0)%paceSamples]
	if took := now.Sub(oldest.at).Seconds(); took >= paceInterval.Seconds() {
		return float64(p.total-oldest.total) / took, float64(p.heights-oldest.heights) / took
	}
	return 0, 0
}

// left returns how long so many heights take at a rate, 0 if that can't be told.
func left(heights uint32, rate float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	seconds := float64(heights) / rate
	if seconds >= maxTimeLeft.Seconds() {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}
