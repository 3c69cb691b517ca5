package stratum

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Limits of one connection's jobs.
const (
	// usualJobs is how many jobs are remembered where nothing asks for more. cgminer and
	// its kin work on a job for jobUse at most after it came. In that time one is sent for
	// each of 12 share tips, and a template every 30 s, 16 in all: the 29 that are left
	// when the oldest have gone are more than three standard deviations above.
	usualJobs, jobUse = 32, 2 * time.Minute
	// maxJobs is how many there are at most, while the oldest are younger than that: each
	// block of another chain (--mergedmining) brings a job. With four chains, of 10 min, 30 s,
	// 150 s and 120 s, 28 are expected, and more than 45 with chance 1/1000.
	maxJobs = 48
	// jobStep is how many of them go at once; else all the others were moved for each new one.
	jobStep = 4
	// maxJobAge is how long a job is of use at all: hardware has long dropped it,
	// and its share could not become an uncle any more.
	maxJobAge = 10 * time.Minute
	// staleJobAge is how long a job outlives the Bitcoin block it builds on. What
	// is found on it counts as an uncle while the sharechain has grown by fewer
	// than 3 shares (chainparams' MaxUncleDepth). With a share every 10 s 12 are
	// expected in this time, fewer than 3 with chance e⁻¹²·(1+12+12²/2) = 1/2000.
	// Not longer: each job keeps its template of some megabytes from being freed.
	staleJobAge = 12 * 10 * time.Second
	// maxSeen bounds the remembered submissions of all live jobs: twice those of ten
	// minutes at a difficulty that a user fixed far too low, three a second. A client that
	// asks for the least difficulty and then hands in more has 150 kB of them.
	maxSeen = 1 << 12
)

// liveJob is a job as one connection got it: its difficulty and version mask
// hold for as long as it lives. There are some 30 for each connection: it has 40
// bytes, and stands in the table itself.
type liveJob struct {
	*lasting
	id      uint64
	diff    float64
	mask    uint32 // version bits that the miner may roll
	ntime   uint32 // as sent
	created seconds
	stale   seconds // when a job on another Bitcoin block came; zero while on the newest
}

// seconds is a time in whole seconds since 1970.
type seconds uint32

func secondsOf(t time.Time) seconds { return seconds(t.Unix()) }

// expires returns the last second in which the job is of use.
func (j *liveJob) expires() seconds {
	at := j.created + seconds(maxJobAge/time.Second)
	if j.stale != 0 {
		at = min(at, j.stale+seconds(staleJobAge/time.Second))
	}
	return at
}

// jobTable holds the live jobs of one connection, oldest first, and what was
// submitted for them. The session's mutex protects it, and pointers into jobs are good
// for as long as it is held and nothing is added or freed.
type jobTable struct {
	jobs []liveJob
	// seen has the hashes submitted, by their seenKey, for jobs with these headers. They
	// are of use while there is such a job.
	seen map[uint64]*lasting
	peak uint32 // the most that were ever in that map, which doesn't shrink
	// quiet is the last second in which no job but the newest expires. To look at all
	// of them, on thousands of connections every second, takes long.
	quiet seconds
	// own is the least id of a job that submissions are taken for. Older ones are here for
	// what was submitted for them alone.
	own uint64
}

// find returns the live job with the id that the client echoes.
func (t *jobTable) find(id []byte) (j liveJob, ok bool) {
	n, err := strconv.ParseUint(string(id), 16, 64)
	if err != nil || n < t.own {
		return j, false
	}
	for i := len(t.jobs) - 1; i >= 0; i-- {
		if t.jobs[i].id == n {
			return t.jobs[i], true
		}
	}
	return j, false
}

// add makes j the newest job and retires what is over the limits.
func (t *jobTable) add(j liveJob) {
	if newest := t.newest(); newest != nil {
		t.quiet = min(t.quiet, newest.expires())
		if newest.job.PrevBlock != j.job.PrevBlock {
			t.moveTo(j)
		}
	}
	switch n := len(t.jobs); {
	case n >= maxJobs, n >= usualJobs && t.jobs[jobStep-1].created+seconds(jobUse/time.Second) < j.created:
		t.drop(jobStep)
	case n == usualJobs:
		t.jobs = append(make([]liveJob, 0, maxJobs), t.jobs...) // append would double it
	}
	t.jobs = append(t.jobs, j)
	t.retire(j.created)
}

// moveTo makes jobs stale that are on another Bitcoin block than j.
func (t *jobTable) moveTo(j liveJob) {
	for i := range t.jobs {
		switch old := &t.jobs[i]; {
		case old.job.PrevBlock == j.job.PrevBlock:
			old.stale = 0 // after a reorganization, again
		case old.stale == 0:
			old.stale = j.created
		}
	}
	t.quiet = 0
}

// newest returns the newest job, or nil.
func (t *jobTable) newest() *liveJob {
	if len(t.jobs) == 0 {
		return nil
	}
	return &t.jobs[len(t.jobs)-1]
}

// retire frees jobs that have expired. The newest stays, whatever its age: the
// miner has no other.
func (t *jobTable) retire(now seconds) {
	if now <= t.quiet || len(t.jobs) == 0 {
		return
	}
	newest := t.newest().id
	t.quiet = math.MaxUint32
	var gone []*lasting
	t.jobs = slices.DeleteFunc(t.jobs, func(j liveJob) bool {
		switch at := j.expires(); {
		case j.id == newest:
		case at >= now:
			t.quiet = min(t.quiet, at)
		default:
			gone = append(gone, j.lasting)
			return true
		}
		return false
	})
	t.forget(gone)
}

// disown ends the time in which submissions for the present jobs are taken.
func (t *jobTable) disown() {
	if newest := t.newest(); newest != nil {
		t.own = newest.id + 1
	}
}

// drop frees the n oldest jobs.
func (t *jobTable) drop(n int) {
	var few [jobStep]*lasting // spares an allocation nearly always
	gone := few[:0]
	for i := range n {
		gone = append(gone, t.jobs[i].lasting)
	}
	t.jobs = slices.Delete(t.jobs, 0, n)
	t.forget(gone)
}

// forget frees what was submitted for jobs that are gone, unless another has the same
// headers.
func (t *jobTable) forget(gone []*lasting) {
	if len(gone) == 0 || len(t.seen) == 0 {
		return
	}
	if gone = slices.DeleteFunc(gone, t.has); len(gone) == 0 {
		return
	}
	maps.DeleteFunc(t.seen, func(_ uint64, l *lasting) bool { return slices.Contains(gone, l) })
	if len(t.seen) < int(t.peak)/4 {
		t.shrink()
	}
}

// shrink makes the map of what was submitted as small as can be.
func (t *jobTable) shrink() {
	seen := t.seen
	t.seen, t.peak = nil, uint32(len(seen))
	if len(seen) > 0 {
		t.seen = make(map[uint64]*lasting, len(seen))
		maps.Copy(t.seen, seen)
	}
}

// has reports whether there is a job with these headers. They are those of one of the
// newest jobs nearly always.
func (t *jobTable) has(l *lasting) bool {
	for i := len(t.jobs) - 1; i >= 0; i-- {
		if t.jobs[i].lasting == l {
			return true
		}
	}
	return false
}

// isDuplicate reports whether the header was submitted before, for whichever
// live job: two jobs may give the same header.
func (t *jobTable) isDuplicate(hash *chainhash.Hash) bool {
	_, dup := t.seen[seenKey(hash)]
	return dup
}

// remember notes a header submitted for j. At the limit the oldest jobs go;
// false means that none is left but those with the headers of j. For a job that has gone
// since it was found nothing is noted: no other submission is taken for it.
func (t *jobTable) remember(j *liveJob, hash *chainhash.Hash) bool {
	if !t.has(j.lasting) {
		return true
	}
	for len(t.seen) >= maxSeen && len(t.jobs) > 1 && t.jobs[0].lasting != j.lasting {
		t.drop(1)
	}
	if len(t.seen) >= maxSeen {
		return false
	}
	if t.seen == nil {
		t.seen = make(map[uint64]*lasting)
	}
	t.seen[seenKey(hash)] = j.lasting
	t.peak = max(t.peak, uint32(len(t.seen)))
	return true
}

// seenKey shortens a header hash to the 64 low bits, which are as good as
// random. Two of one connection's headers collide with chance 2⁻³² at worst.
func seenKey(hash *chainhash.Hash) uint64 {
	return uint64(hash[0]) | uint64(hash[1])<<8 | uint64(hash[2])<<16 | uint64(hash[3])<<24 |
		uint64(hash[4])<<32 | uint64(hash[5])<<40 | uint64(hash[6])<<48 | uint64(hash[7])<<56
}
