package stratum

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Limits of one connection's jobs.
const (
	// maxJobs is how many jobs stay creditable. One is sent every 25 s, and one
	// for each new share tip.
	maxJobs = 64
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
// hold for as long as it lives. There are up to 64 for each connection: it has 64
// bytes.
type liveJob struct {
	*lasting
	id      uint64
	diff    float64
	seen    []uint64 // its keys in jobTable.seen
	mask    uint32   // version bits that the miner may roll
	ntime   uint32   // as sent
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
// submitted for them. The session's mutex protects it.
type jobTable struct {
	jobs []*liveJob
	seen map[uint64]struct{}
	// quiet is the last second in which no job but the newest expires. To look at all
	// of them, on thousands of connections every second, takes long.
	quiet seconds
	// own is the least id of a job that submissions are taken for. Older ones are here for
	// what was submitted for them alone.
	own uint64
}

// find returns the live job with the id that the client echoes, or nil.
func (t *jobTable) find(id []byte) *liveJob {
	n, err := strconv.ParseUint(string(id), 16, 64)
	if err != nil || n < t.own {
		return nil
	}
	for i := len(t.jobs) - 1; i >= 0; i-- {
		if t.jobs[i].id == n {
			return t.jobs[i]
		}
	}
	return nil
}

// add makes j the newest job and retires what is over the limits.
func (t *jobTable) add(j *liveJob) {
	if newest := t.newest(); newest != nil {
		t.quiet = min(t.quiet, newest.expires())
		if newest.job.PrevBlock != j.job.PrevBlock {
			t.moveTo(j)
		}
	}
	t.jobs = append(t.jobs, j)
	t.retire(j.created)
	for len(t.jobs) > maxJobs {
		t.drop()
	}
}

// moveTo makes jobs stale that are on another Bitcoin block than j.
func (t *jobTable) moveTo(j *liveJob) {
	for _, old := range t.jobs {
		switch {
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
	return t.jobs[len(t.jobs)-1]
}

// retire frees jobs that have expired. The newest stays, whatever its age: the
// miner has no other.
func (t *jobTable) retire(now seconds) {
	if now <= t.quiet {
		return
	}
	newest := t.newest()
	t.quiet = math.MaxUint32
	t.jobs = slices.DeleteFunc(t.jobs, func(j *liveJob) bool {
		switch at := j.expires(); {
		case j == newest:
		case at >= now:
			t.quiet = min(t.quiet, at)
		default:
			t.forget(j)
			return true
		}
		return false
	})
}

// disown ends the time in which submissions for the present jobs are taken.
func (t *jobTable) disown() {
	if newest := t.newest(); newest != nil {
		t.own = newest.id + 1
	}
}

// drop frees the oldest job.
func (t *jobTable) drop() {
	t.forget(t.jobs[0])
	t.jobs = slices.Delete(t.jobs, 0, 1)
}

// forget frees everything submitted for j, which goes, unless a younger job has the same
// headers: that inherits it.
func (t *jobTable) forget(j *liveJob) {
	if len(j.seen) == 0 {
		return
	}
	for i := len(t.jobs) - 1; i >= 0; i-- {
		if heir := t.jobs[i]; heir.lasting == j.lasting && heir.id > j.id {
			heir.seen = append(heir.seen, j.seen...)
			return
		}
	}
	for _, key := range j.seen {
		delete(t.seen, key)
	}
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
		t.drop()
	}
	if len(t.seen) >= maxSeen {
		return false
	}
	if t.seen == nil {
		t.seen = make(map[uint64]struct{})
	}
	key := seenKey(hash)
	t.seen[key] = struct{}{}
	j.seen = append(j.seen, key)
	return true
}

// seenKey shortens a header hash to the 64 low bits, which are as good as
// random. Two of one connection's headers collide with chance 2⁻³² at worst.
func seenKey(hash *chainhash.Hash) uint64 {
	return uint64(hash[0]) | uint64(hash[1])<<8 | uint64(hash[2])<<16 | uint64(hash[3])<<24 |
		uint64(hash[4])<<32 | uint64(hash[5])<<40 | uint64(hash[6])<<48 | uint64(hash[7])<<56
}
