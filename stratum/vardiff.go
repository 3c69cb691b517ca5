package stratum

import (
	"math"
	"time"
)

// Vardiff aims at this many accepted submissions a minute: an estimate of the
// hashrate over one minute is then good to about a quarter, at some 150 bytes
// of traffic every three seconds.
const submitsPerMinute = 18

// How vardiff decides. Submissions arrive as a Poisson process: when n were counted,
// the logarithm of the rate behind them is known to a standard error of 1/√n. A new
// connection is sought fast and with some wrong turns; a settled one changes only on
// evidence beyond chance, because each change costs the device its job.
const (
	// vardiffMinTime keeps a burst that queued up on the way from looking like a
	// hashrate.
	vardiffMinTime = time.Second

	// searchSilence is how long a device that is sought may find nothing before it
	// is lowered: 3 submissions were expected, one device in 20 is lowered in error.
	// The first time by 2³, then by 2⁴ and so on: six steps, 60 s, reach a device 2³³
	// times slower than assumed. The last step overshoots by 2⁸ at most, which a
	// second corrects.
	searchSilence = 10 * time.Second
	// searchSigma is the deviation in standard errors that counts as long as a device
	// is sought, and searchShares are the submissions that an estimate takes.
	searchSigma, searchShares = 2.5, 12
	// settledShares is when a device counts as found, to a standard error of 12 %; half
	// of them will do for one that is clearly too fast, which else takes long. One
	// whose difficulty was much too high is kept at searchHaste times more submissions than
	// wanted until then, with which that takes 30 s.
	settledShares, searchHaste = 72, 8

	// raisedSigma, from leastShares on, and silentSigma are the deviations that change
	// a settled device's difficulty, though looked for every second. A device that
	// becomes twice as fast is raised after two minutes; one that finds nothing is
	// lowered when more than 5² were expected, after 84 s.
	raisedSigma, silentSigma, leastShares = 6, 5, 54
	// vardiffWindow is when counting begins anew, so that what was long ago does not
	// hide what is. Of the 72 submissions expected in it a deviation of 42 is
	// windowSigma standard errors.
	vardiffWindow, windowSigma = 4 * time.Minute, 5
	// longWindow and longBand correct what is left after the search: of 288 expected
	// submissions the deviation is more than three standard errors.
	longWindow, longBand = 4 * vardiffWindow, 1.25
	// unlikely is the deviation from which the evidence before the last window is of
	// another hashrate, surely. Below, half of what stands out may be chance.
	unlikely = 3

	// vardiffMaxDown bounds a settled device's step that is taken because of silence,
	// and vardiffDepth all of them together: a device so much slower than it was is
	// not slow but paused, and would flood the connection when it goes on.
	vardiffMaxDown, vardiffDepth = 32, 4096

	// fixedExcess is how many times more often than wanted a device may submit whose
	// user fixed the difficulty, before it is raised all the same: to 3 a second.
	fixedExcess = 10

	// auxSubmitsPerMinute is how often a device may have to submit for the sake of other
	// chains' blocks that are easier than what suits it. New blocks of them come to the
	// jobs at most once a second, and of each only the first solution is of use: what a
	// device finds beyond one a second is worth nothing. 10,000 devices, all so much too
	// fast for a chain, then submit 10,000 times a second, a quarter of what two
	// processors can answer: only the first solution costs more, up to 30 µs and a copy of
	// the coinbase; any other costs as much as what solves nothing.
	auxSubmitsPerMinute = 60
)

// vardiff finds the difficulty at which a device submits at the wanted rate.
// It is driven by time and by accepted work alone: junk does not raise it, and
// silence lowers it. It has no clock and no lock; the session has both.
type vardiff struct {
	diff  float64 // the wanted difficulty
	min   float64 // never below
	fixed float64 // by the user; 0: not

	settled float64 // the difficulty found; 0 while it is sought
	lowered int     // steps of silence in a row while it is sought
	astray  bool    // the search began at a wrong difficulty

	sent        float64   // what the device works at: diff, or less for the sake of shares and other chains' blocks
	last        time.Time // up to when the tallies count; zero: not begun
	short, long tally
}

// tally is the evidence of some time. A rate follows from it whatever the difficulties
// were: found/exposure is the difficulty that one submission a minute has.
type tally struct {
	since    time.Time
	exposure float64 // minutes, each divided by the difficulty that it was worked at
	found    float64 // submissions; less than one for those below that difficulty
}

func newVardiff(start, least float64) vardiff {
	return vardiff{diff: max(start, least), min: least}
}

// restart forgets what was counted, because the device could not or need not
// work at the wanted difficulty before now. The zero time stands for when the
// first job is sent.
func (v *vardiff) restart(now time.Time) {
	v.last = now
	v.short = tally{since: now}
	v.long = v.short
}

// waiting reports whether counting has not begun.
func (v *vardiff) waiting() bool { return v.last.IsZero() }

// set starts over from a difficulty that the client or its user asked for.
func (v *vardiff) set(diff float64, now time.Time) {
	v.diff, v.settled, v.lowered, v.astray, v.fixed = max(diff, v.min), 0, 0, false, 0
	v.restart(now)
}

// fix holds on to a difficulty.
func (v *vardiff) fix(diff float64, now time.Time) {
	v.set(diff, now)
	v.fixed = v.diff
}

// atLeast sets the least difficulty.
func (v *vardiff) atLeast(least float64) {
	v.min = least
	v.diff = max(v.diff, least)
}

// assigned notes what the device works at from now on.
func (v *vardiff) assigned(diff float64, now time.Time) {
	v.advance(now)
	v.sent = diff
}

// advance counts the time up to now.
func (v *vardiff) advance(now time.Time) {
	if v.waiting() || v.sent == 0 {
		return
	}
	exposure := now.Sub(v.last).Minutes() / v.sent
	v.short.exposure += exposure
	v.long.exposure += exposure
	v.last = now
}

// postpone keeps a device that is sought from being lowered for its silence: it works,
// though on something else.
func (v *vardiff) postpone(now time.Time) {
	if v.settled == 0 && v.short.found == 0 && !v.waiting() {
		v.long.since = now
	}
}

// accepted counts a valid submission of a job of difficulty diff. One of an older, easier
// job is worth less; one of a harder job counts once, or luck would.
func (v *vardiff) accepted(diff float64) {
	if v.sent == 0 {
		return
	}
	n := min(1, diff/v.sent)
	v.short.found += n
	v.long.found += n
}

// retune adjusts the difficulty if the evidence asks for it and reports whether
// it did. What counts is work: a device that the share's difficulty keeps below
// the wanted one submits more often, which makes the estimate better but does
// not raise it.
func (v *vardiff) retune(now time.Time) bool {
	v.advance(now)
	if v.waiting() || now.Sub(v.short.since) < vardiffMinTime {
		return false
	}
	old := v.diff
	switch {
	case v.fixed > 0:
		v.excess(now)
	case v.settled == 0:
		v.search(now)
	default:
		v.watch(now)
	}
	if now.Sub(v.short.since) >= vardiffWindow && v.settled > 0 {
		v.short = tally{since: now}
	}
	return v.diff != old
}

// forAux is the least difficulty for the sake of other chains' blocks: at which the
// device submits auxSubmitsPerMinute. As long as its speed is not known it is not lowered
// for them, as nothing would bound how often it submits; nor is it below what client or
// user want at least, which only shares are worth.
func (v *vardiff) forAux() float64 {
	if v.settled == 0 || v.fixed > 0 {
		return v.diff
	}
	return max(v.settled*submitsPerMinute/auxSubmitsPerMinute, v.min)
}

// change sets the difficulty, within its bounds.
func (v *vardiff) change(diff float64) { v.diff = min(max(diff, v.min, v.fixed), maxSuggested) }

// settle makes what a tally says the difficulty, and counts anew.
func (v *vardiff) settle(diff float64, now time.Time) {
	v.change(diff)
	v.settled = diff
	v.restart(now)
}

// expected is how many submissions were expected of a device that diff suits.
func (t *tally) expected(diff float64) float64 { return t.exposure * diff * submitsPerMinute }

// estimate is the difficulty that suits the device by the evidence.
func (t *tally) estimate() float64 { return t.found / (t.exposure * submitsPerMinute) }

// off is how far the estimate is above diff, as the logarithm of their ratio.
func (t *tally) off(diff float64) float64 { return math.Log(t.estimate() / diff) }

// score is by how many standard errors more was found than expected.
func (t *tally) score(diff float64) float64 {
	expected := t.expected(diff)
	return (t.found - expected) / math.Sqrt(expected)
}

// median is the median guess of the difficulty that suits, by half a submission more
// than found.
func (t *tally) median() float64 { return (t.found + 0.5) / (t.exposure * submitsPerMinute) }

// search looks for the difficulty of a device of which little is known. All that was
// found since the beginning counts: at the difficulties that are too high it is little.
func (v *vardiff) search(now time.Time) {
	t := &v.short
	haste := 1.0
	if v.astray {
		haste = searchHaste
	}
	switch {
	case t.found == 0:
		// v.long keeps the time since the last step.
		if now.Sub(v.long.since) >= searchSilence && v.diff > v.min {
			v.lowered++
			v.astray = true
			v.change(v.diff * math.Exp2(-float64(v.lowered+2)))
			v.long.since = now
		}
	case t.found < searchShares:
		if t.score(v.diff*haste) < -searchSigma {
			v.astray = true
			v.change(t.median() / searchHaste)
		}
	case t.found < settledShares:
		chance := searchSigma / math.Sqrt(t.found)
		switch off := t.off(v.diff); {
		case off > math.Log(searchHaste)+chance:
			v.astray = true
			v.change(t.estimate() / searchHaste)
		case off < math.Log(haste)-chance:
			v.change(t.estimate() / haste)
		case !v.astray && off > chance && t.found >= settledShares/2:
			v.settle(t.estimate(), now)
		}
	case math.Abs(t.off(v.diff)) < math.Log(longBand):
		v.settle(v.diff, now) // not worth a change
	default:
		v.settle(t.estimate(), now)
	}
}

// watch looks for changes of a device whose difficulty is known.
func (v *vardiff) watch(now time.Time) {
	t := &v.short
	score := t.score(v.diff)
	windowOver := now.Sub(t.since) >= vardiffWindow
	switch {
	case score < -silentSigma && t.median() < v.diff/unlikely:
		// v.settled stays, so that the steps down end somewhere.
		v.change(max(t.median(), v.diff/vardiffMaxDown, min(v.diff, v.settled/vardiffDepth)))
		v.restart(now)
	case score > raisedSigma && t.found >= leastShares, score < -silentSigma, windowOver && score > windowSigma:
		suits := t.estimate()
		if suits < v.diff*unlikely {
			suits = math.Sqrt(suits * v.long.estimate())
		}
		v.settle(suits, now)
	case now.Sub(v.long.since) >= longWindow:
		if v.long.found >= searchShares && math.Abs(v.long.off(v.diff)) > math.Log(longBand) {
			v.settle(v.long.estimate(), now)
		} else {
			v.long = tally{since: now}
		}
	}
}

// excess raises a fixed difficulty at which a device submits far too often, and lowers
// it again, to the fixed one at the least.
func (v *vardiff) excess(now time.Time) {
	bearable := v.short.estimate() / fixedExcess
	windowOver := now.Sub(v.short.since) >= vardiffWindow
	switch {
	case v.short.found >= leastShares && bearable > v.diff, windowOver && bearable < v.diff/2:
		v.change(bearable)
		v.restart(now)
	case windowOver:
		v.restart(now)
	}
}
