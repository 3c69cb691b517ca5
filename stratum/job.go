package stratum

import (
	"strconv"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/mining"
)

// Limits of one connection's jobs.
const (
	// maxJobs is how many jobs stay creditable. One is sent every 25 s, and one
	// for each new share tip.
	maxJobs = 64
	// maxJobAge is how long a job is of use at all: hardware has long dropped it,
	// and its share could not become an uncle any more.
	maxJobAge = 10 * time.Minute
	// maxSeen bounds the remembered submissions of all live jobs. Only hashes that
	// met a difficulty are remembered, so filling it takes work: at the vardiff
	// target it is a week of submissions.
	maxSeen = 1 << 16
)

// liveJob is a job as one connection got it: its difficulty and version mask
// hold for as long as it lives.
type liveJob struct {
	id      uint64
	job     *mining.Job
	version int32  // with the rollable bits zero
	mask    uint32 // version bits that the miner may roll
	diff    float64
	target  uint256.Uint256 // of diff
	ntime   uint32          // as sent
	created time.Time
	seen    []uint64 // its keys in jobTable.seen
}

// jobTable holds the live jobs of one connection, oldest first, and what was
// submitted for them. The session's mutex protects it.
type jobTable struct {
	jobs []*liveJob
	seen map[uint64]struct{}
}

// find returns the live job with the id that the client echoes, or nil.
func (t *jobTable) find(id []byte) *liveJob {
	n, err := strconv.ParseUint(string(id), 16, 64)
	if err != nil {
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
	t.jobs = append(t.jobs, j)
	t.retire(j.created)
	for len(t.jobs) > maxJobs {
		t.drop()
	}
}

// newest returns the newest job, or nil.
func (t *jobTable) newest() *liveJob {
	if len(t.jobs) == 0 {
		return nil
	}
	return t.jobs[len(t.jobs)-1]
}

// retire frees jobs that are too old. The newest stays, whatever its age: the
// miner has no other.
func (t *jobTable) retire(now time.Time) {
	for len(t.jobs) > 1 && now.Sub(t.jobs[0].created) > maxJobAge {
		t.drop()
	}
}

// drop frees the oldest job with everything submitted for it.
func (t *jobTable) drop() {
	for _, key := range t.jobs[0].seen {
		delete(t.seen, key)
	}
	t.jobs[0] = nil
	t.jobs = t.jobs[1:]
}

// isDuplicate reports whether the header was submitted before, for whichever
// live job: two jobs may give the same header.
func (t *jobTable) isDuplicate(hash *chainhash.Hash) bool {
	_, dup := t.seen[seenKey(hash)]
	return dup
}

// remember notes a header submitted for j. At the limit the oldest jobs go;
// false means that j is the only one left and full.
func (t *jobTable) remember(j *liveJob, hash *chainhash.Hash) bool {
	for len(t.seen) >= maxSeen && len(t.jobs) > 1 && t.jobs[0] != j {
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
