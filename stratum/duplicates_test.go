package stratum

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
)

// again is a submission with the header of a visit's job, for the job of a later one.
func (v *visit) again(later visit, user string, nonce uint32) string {
	job := later.job
	job.ntime = v.job.ntime
	return job.submitLine(user, nonce)
}

// TestDuplicateOfOtherWorker: who goes on with a session under another user name has the
// same extranonce and, if the address is the same, the same headers. What was handed in
// stays known, over further connections, too.
func TestDuplicateOfOtherWorker(t *testing.T) {
	sceneOfRig(t, func(t *testing.T, h *harness, v visit) {
		nonce := v.works(t, "rig")
		v.leave()
		for i := range 3 {
			user := fmt.Sprint("other", i)
			back := h.visit(someRig, v.id, user)
			if back.id != v.id || back.job.extranonce1 != v.job.extranonce1 {
				t.Fatalf("session %s with %s", back.id, back.job.extranonce1)
			}
			back.send(v.again(back, user, nonce))
			back.want(rejectedWith("22", "duplicate"))
			back.send(v.job.submitLine(user, v.job.solve(t, easy, nonce+1, true)))
			back.want(rejectedWith("21", "unknown-work")) // it pays the other
			back.send(v.again(back, user, v.job.solve(t, easy, uint32(i+1)*1000, true)))
			back.want(accepted)
			back.leave()
		}
	})
}

// TestDuplicateOfOtherDevice: another user agent gets another extranonce.
func TestDuplicateOfOtherDevice(t *testing.T) {
	sceneOfRig(t, func(t *testing.T, h *harness, v visit) {
		v.works(t, "rig")
		v.leave()
		back := h.visit("rig/2", v.id, "rig")
		if back.id != v.id || back.job.extranonce1 == v.job.extranonce1 {
			t.Errorf("session %s with %s, was %s with %s", back.id, back.job.extranonce1, v.id, v.job.extranonce1)
		}
		back.leave()
		if n := len(h.server.extranonces.live); n != 0 {
			t.Errorf("%d extranonces", n)
		}
	})
}

// TestDuplicateBeyondParking: a session of which not all that was handed in is kept goes
// on with its difficulty, but with another extranonce and without its jobs.
func TestDuplicateBeyondParking(t *testing.T) {
	for name, test := range map[string]struct {
		submissions int
		full        bool
	}{
		"many submissions":  {parkedSeen + 1, false},
		"no place for jobs": {1, true},
	} {
		t.Run(name, func(t *testing.T) {
			sceneOfRig(t, func(t *testing.T, h *harness, v visit) {
				nonce := uint32(0)
				for range test.submissions {
					nonce = v.job.solve(t, easy, nonce+1, true)
					v.send(v.job.submitLine("rig", nonce))
					v.want(accepted)
				}
				if test.full {
					h.server.deps.parking.mu.Lock()
					h.server.deps.parking.withJobs = maxParkedJobs
					h.server.deps.parking.mu.Unlock()
				}
				v.leave()
				// It breaks off once, and comes back.
				c := h.connect()
				c.send(fmt.Sprintf(`{"id":1,"method":"mining.subscribe","params":["%s","%s"]}`, someRig, v.id))
				c.line()
				c.leave()
				if n := len(h.server.extranonces.live); n != 0 {
					t.Errorf("%d extranonces", n)
				}
				back := h.visit(someRig, v.id, "rig")
				if back.id != v.id || back.job.extranonce1 == v.job.extranonce1 || back.job.difficulty != v.job.difficulty {
					t.Errorf("session %s with %s, was %s with %s", back.id, back.job.extranonce1, v.id, v.job.extranonce1)
				}
				back.send(v.job.submitLine("rig", nonce))
				back.want(rejectedWith("21", "unknown-work"))
				back.works(t, "rig")
				if n := len(h.server.extranonces.live); n != 1 {
					t.Errorf("%d extranonces", n)
				}
			})
		})
	}
}

// TestDuplicateOfBrokenHandshake: submissions in one packet with the handshake, and then
// junk that ends the connection, are remembered for the next one.
func TestDuplicateOfBrokenHandshake(t *testing.T) {
	sceneOfRig(t, func(t *testing.T, h *harness, v visit) {
		v.works(t, "rig")
		h.source.set(newFakeWork(1, hard), "")
		e1 := v.job.extranonce1
		for began := time.Now(); time.Since(began) <= staleJobAge+notifyEvery; {
			v.job = v.client.job() // until nothing is remembered
		}
		v.job.extranonce1 = e1
		v.leave()

		nonce := v.job.solve(t, easy, 0, true)
		packet := fmt.Sprintf(`{"id":1,"method":"mining.subscribe","params":["%s","%s"]}`, someRig, v.id) + "\n" +
			`{"id":2,"method":"mining.authorize","params":["rig","x"]}` + "\n" +
			v.job.submitLine("rig", nonce) + "\n" + v.job.submitLine("rig", nonce) + "\n" + strings.Repeat("x\n", junkBurst+10)
		for i, want := range []int{1, 0, 0} {
			c := h.connect()
			go c.conn.Write([]byte(packet))
			answers, _ := io.ReadAll(c.r)
			if got := strings.Count(string(answers), accepted); got != want {
				t.Errorf("time %d: %d accepted, want %d:\n%s", i, got, want, answers)
			}
			synctest.Wait()
		}
	})
}

// TestSeenIsInherited: jobs may have the same headers; what was submitted for one that
// goes is a duplicate for the others.
func TestSeenIsInherited(t *testing.T) {
	now := secondsOf(time.Unix(1e9, 0))
	same, other := &lasting{job: new(mining.Job)}, &lasting{job: new(mining.Job)}
	key := func(i int) *chainhash.Hash { return &chainhash.Hash{byte(i), byte(i >> 8), byte(i >> 16)} }
	var table jobTable
	for i := range 2 * maxJobs {
		j := liveJob{id: uint64(i + 1), lasting: same, created: now}
		table.add(j)
		table.remember(&j, key(i))
	}
	if len(table.jobs) != maxJobs || len(table.seen) != 2*maxJobs || !table.isDuplicate(key(0)) {
		t.Errorf("%d jobs, %d submissions", len(table.jobs), len(table.seen))
	}
	if !table.park() || len(table.jobs) != parkedJobs || len(table.seen) != 2*maxJobs {
		t.Errorf("%d jobs, %d submissions parked", len(table.jobs), len(table.seen))
	}
	newest := table.newest()
	for i := len(table.seen); i < maxSeen; i++ {
		table.remember(newest, key(i))
	}
	if table.remember(newest, key(maxSeen)) || !table.isDuplicate(key(0)) {
		t.Error("room was made by forgetting what may come again")
	}
	last := liveJob{id: 1 << 20, lasting: other, created: now}
	table.add(last)
	if !table.remember(&last, key(maxSeen)) || len(table.jobs) != 1 || len(table.seen) != 1 {
		t.Errorf("%d jobs, %d submissions with other headers", len(table.jobs), len(table.seen))
	}
}
