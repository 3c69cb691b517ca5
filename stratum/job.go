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
	// maxJobs is how many jobs stay creditable, the newest 29 of them at least. cgminer and
	// its kin work on a job for two minutes at most after it came. In these a job is sent
	// for each of 12 share tips, and a template every 30 s, 16 in all: 29 is more than
	// three standard deviations above. Each job of 20,000 connections takes a megabyte.
	maxJobs = 32
	// maxJobAge is how long a job is of use at all: hardware has long dropped it,
	// and its share could not become an uncle any more.
	maxJobAge = 10 * time.Minute
	// staleJobAge is how long a job outlives the Bitcoin block it builds on. What
	// is found on it counts as an uncle while the sharechain has grown by fewer
	// than 3 shares (chainparams' MaxUncleDepth). With a share every 10 s 12 are
	// expected in this time, fewer than 3 with chance e⁻¹²·(1+12+12²/2) = 1/2000.
	// Not longer: each job keeps its template of some megabytes from being freed.
	staleJobAge = 12 * 10 * time.Second
	// maxSeen bounds the remembered submissions of all live jobs. Only hashes that
	// met a difficulty are remembered, so filling it takes work: at the vardiff
	// target it is a week of submissions.
	maxSeen = 1 << 16
)

// liveJob is a job as one connection got it: its difficulty and version mask
// hold for as long as it lives. There are up to 32 for each connection: it has 40
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
	if len(t.jobs) >= maxJobs {
		t.drop(maxJobs / 8) // one by one, all the others would be moved each time
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
	gone := make([]*lasting, n)
	for i := range gone {
		gone[i] = t.jobs[i].lasting
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
	gone = slices.DeleteFunc(gone, t.has)
	maps.DeleteFunc(t.seen, func(_ uint64, l *lasting) bool { return slices.Contains(gone, l) })
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
// false means that none is left but those with the headers of j.
func (t *jobTable) remember(j *liveJob, hash *chainhash.Hash) bool {
	for len(t.seen) >= maxSeen && len(t.jobs) > 1 && t.jobs[0].lasting != j.lasting {
		t.drop(1)
	}
	if len(t.seen) >= maxSeen {
		return false
	}
	if !t.has(j.lasting) {
		return true // it went since it was found, and nothing is taken for it again
	}
	if t.seen == nil {
		t.seen = make(map[uint64]*lasting)
	}
	t.seen[seenKey(hash)] = j.lasting
	return true
}

// seenKey shortens a header hash to the 64 low bits, which are as good as
// random. Two of one connection's headers collide with chance 2⁻³² at worst.
func seenKey(hash *chainhash.Hash) uint64 {
	return uint64(hash[0]) | uint64(hash[1])<<8 | uint64(hash[2])<<16 | uint64(hash[3])<<24 |
		uint64(hash[4])<<32 | uint64(hash[5])<<40 | uint64(hash[6])<<48 | uint64(hash[7])<<56
}
