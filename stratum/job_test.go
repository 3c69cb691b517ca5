package stratum

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
)

// TestJobsRetire: jobs of the newest Bitcoin block live 10 minutes, others 2
// from when they became stale, wherever they lie in the table; the newest stays.
func TestJobsRetire(t *testing.T) {
	a, b := &mining.Job{PrevBlock: chainhash.Hash{1}}, &mining.Job{PrevBlock: chainhash.Hash{2}}
	start := time.Unix(1e9, 0)
	var table jobTable
	add := func(id uint64, job *mining.Job, at time.Duration) {
		table.add(liveJob{id: id, lasting: &lasting{job: job}, created: secondsOf(start.Add(at))})
		if !table.remember(table.newest(), &chainhash.Hash{byte(id)}) {
			t.Fatal("job is full")
		}
	}
	check := func(at time.Duration, want ...uint64) {
		t.Helper()
		table.retire(secondsOf(start.Add(at)))
		var got []uint64
		for _, j := range table.jobs {
			got = append(got, j.id)
		}
		if len(got) != len(want) || len(table.seen) != len(want) {
			t.Fatalf("after %v: jobs %v with %d submissions, want %v", at, got, len(table.seen), want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("after %v: jobs %v, want %v", at, got, want)
			}
		}
	}
	// The tip goes from a to b and, in a reorganization, back.
	add(1, a, 0)
	add(2, a, 3*time.Minute)
	check(3*time.Minute, 1, 2)
	add(3, b, 4*time.Minute)
	check(5*time.Minute, 1, 2, 3)
	add(4, a, 5*time.Minute)
	check(5*time.Minute+staleJobAge, 1, 2, 3, 4)
	check(5*time.Minute+staleJobAge+time.Second, 1, 2, 4)
	check(maxJobAge+time.Second, 2, 4)
	add(5, b, 11*time.Minute)
	check(11*time.Minute+staleJobAge, 2, 4, 5)
	check(11*time.Minute+staleJobAge+time.Second, 5)
	check(time.Hour, 5)
}

// TestJobsWhileTheyAreOfUse: a device may still work on what came in the last two minutes,
// however many jobs that are, up to the limit; beyond that the usual number stays.
func TestJobsWhileTheyAreOfUse(t *testing.T) {
	for gap, most := range map[time.Duration]int{
		10 * time.Second: usualJobs, // with a share tip that often, and nothing else
		3 * time.Second:  44,        // 40 in two minutes, and up to a step more
		time.Second:      maxJobs,
	} {
		var table jobTable
		least := maxJobs
		start := time.Unix(1e9, 0)
		for i := range 4 * maxJobs {
			at := start.Add(time.Duration(i) * gap)
			table.add(liveJob{id: uint64(i), lasting: &lasting{job: new(mining.Job)}, created: secondsOf(at)})
			if i >= maxJobs {
				least = min(least, len(table.jobs))
			}
			if len(table.jobs) > most || cap(table.jobs) > maxJobs {
				t.Fatalf("every %v: %d jobs, room for %d", gap, len(table.jobs), cap(table.jobs))
			}
		}
		if least <= most-jobStep {
			t.Errorf("every %v: %d jobs are left at times, of %d", gap, least, most)
		}
	}
}

// TestSeenShrinks: what many submissions take is given back when their job goes.
func TestSeenShrinks(t *testing.T) {
	now := secondsOf(time.Unix(1e9, 0))
	var table jobTable
	remember := func(l *lasting, n int) {
		j := liveJob{lasting: l, created: now}
		table.add(j)
		for i := range n {
			table.remember(&j, &chainhash.Hash{byte(i), byte(i >> 8), byte(n)})
		}
	}
	remember(&lasting{job: new(mining.Job)}, 1000)
	remember(&lasting{job: new(mining.Job)}, 10)
	if len(table.seen) != 1010 || table.peak != 1010 {
		t.Fatalf("%d submissions, %d at most", len(table.seen), table.peak)
	}
	table.drop(1)
	if len(table.seen) != 10 || table.peak != 10 {
		t.Errorf("%d submissions, in a map for %d", len(table.seen), table.peak)
	}
	table.drop(1)
	if table.seen != nil {
		t.Error("a map for nothing")
	}
}
