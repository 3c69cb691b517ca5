package stratum

import (
	"math"
	"time"
)

// Vardiff aims at this many accepted submissions a minute: an estimate of the
// hashrate over one minute is then good to about a quarter, at some 150 bytes
// of traffic every three seconds.
const submitsPerMinute = 18

// How vardiff decides. Submissions arrive as a Poisson process: when n were
// counted, the hashrate behind them is known to a standard error of 1/√n.
const (
	// vardiffSigma is the deviation, in standard errors, that is not chance, though
	// looked for every second: at a constant hashrate one window in 30 exceeds 3,
	// one in 300 exceeds 4. A device that finds nothing is lowered when more than
	// 16 = 4² were expected, after 54 s.
	vardiffSigma = 4
	// vardiffMinShares is the least number to trust an estimate from.
	vardiffMinShares = 12
	// vardiffMinTime keeps a burst that queued up on the way from looking like a
	// hashrate.
	vardiffMinTime = time.Second
	// vardiffWindow is when smaller deviations are corrected and counting begins
	// anew: 72 are expected in it, a standard error of 12 %.
	vardiffWindow = 4 * time.Minute
	// vardiffBand is the relative deviation tolerated at the end of a window.
	vardiffBand = 0.25
	// vardiffMaxDown bounds a step that is taken because of silence.
	vardiffMaxDown = 32
)

// vardiff finds the difficulty at which a device submits at the wanted rate.
// It is driven by time and by accepted work alone: junk does not raise it, and
// silence lowers it. It has no clock and no lock; the session has both.
type vardiff struct {
	diff float64 // the wanted difficulty
	min  float64 // never below

	since  time.Time // when counting began
	shares int       // accepted since
	work   float64   // sum of their difficulties
}

func newVardiff(start, least float64) vardiff {
	return vardiff{diff: max(start, least), min: least}
}

// restart forgets what was counted, because the device could not or need not
// work at the wanted difficulty before now.
func (v *vardiff) restart(now time.Time) {
	v.since, v.shares, v.work = now, 0, 0
}

// set starts over from a difficulty that the client or its user asked for.
func (v *vardiff) set(diff float64, now time.Time) {
	v.diff = max(diff, v.min)
	v.restart(now)
}

// accepted counts a valid submission of a job of difficulty diff.
func (v *vardiff) accepted(diff float64) {
	v.shares++
	v.work += diff
}

// retune adjusts the difficulty if the evidence asks for it and reports whether
// it did. What counts is work: a device that the share's difficulty keeps below
// the wanted one submits more often, which makes the estimate better but does
// not raise it.
func (v *vardiff) retune(now time.Time) bool {
	elapsed := now.Sub(v.since)
	if v.since.IsZero() || elapsed < vardiffMinTime {
		return false
	}
	// Both in units of the wanted difficulty, whatever the jobs' were.
	expected := elapsed.Minutes() * submitsPerMinute
	found := v.work / v.diff
	n := float64(v.shares)

	var factor float64
	windowOver := elapsed >= vardiffWindow
	switch {
	case v.shares >= vardiffMinShares && math.Abs(math.Log(found/expected)) > vardiffSigma/math.Sqrt(n),
		windowOver && v.shares >= vardiffMinShares && math.Abs(found/expected-1) > vardiffBand:
		factor = found / expected
	case found < expected-vardiffSigma*math.Sqrt(expected):
		// Half a share more is the median guess.
		factor = max((found+0.5)/expected, 1.0/vardiffMaxDown)
	case windowOver:
		v.restart(now)
		return false
	default:
		return false
	}
	old := v.diff
	v.diff = min(max(v.diff*factor, v.min), maxSuggested)
	v.restart(now)
	return v.diff != old
}
