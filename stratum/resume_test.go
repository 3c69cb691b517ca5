package stratum

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
)

// visit is one connection of a client that knows of sessions.
type visit struct {
	*client
	id  string // of the session
	job testJob
}

// leave ends the connection and waits until the server has noticed.
func (c *client) leave() {
	c.conn.Close()
	synctest.Wait()
}

// visit logs in, naming a session if it is not empty, and reads the first job.
func (h *harness) visit(agent, session, user string) visit {
	h.t.Helper()
	v := visit{client: h.connect()}
	params := `"` + agent + `"`
	if session != "" {
		params += `,"` + session + `"`
	}
	v.send(`{"id":1,"method":"mining.subscribe","params":[`+params+`]}`,
		`{"id":2,"method":"mining.authorize","params":["`+user+`","x"]}`)
	var reply struct{ Result []any }
	if err := json.Unmarshal([]byte(v.line()), &reply); err != nil {
		h.t.Fatal(err)
	}
	v.id = reply.Result[0].([]any)[1].([]any)[1].(string)
	v.want(`{"id":2,"result":true,"error":null}`)
	v.job = v.client.job()
	v.job.extranonce1 = reply.Result[1].(string)
	return v
}

// works hands in the job's first solution and returns its nonce.
func (v *visit) works(t *testing.T, user string) uint32 {
	t.Helper()
	nonce := v.job.solve(t, v.job.difficulty, 0, true)
	v.send(v.job.submitLine(user, nonce))
	v.want(accepted)
	return nonce
}

// closed reports whether the server has ended the connection.
func (v *visit) closed() bool {
	synctest.Wait()
	v.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	for {
		if _, err := v.r.ReadString('\n'); err != nil {
			return !strings.Contains(err.Error(), "timeout")
		}
	}
}

const someRig = "rig/1"

// newEasyHarness has work that a test can solve on the processor.
func newEasyHarness(t *testing.T, change func(*Config)) *harness {
	return newHarness(t, newFakeWork(0, hard), func(cfg *Config) {
		easyDevices(cfg)
		if change != nil {
			change(cfg)
		}
	})
}

// sceneOfRig runs f in a bubble where a rig has visited an easy harness.
func sceneOfRig(t *testing.T, f func(t *testing.T, h *harness, v visit)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		h := newEasyHarness(t, nil)
		defer h.stop()
		f(t, h, h.visit(someRig, "", "rig"))
	})
}

// easyDevices makes all devices begin with work that a test can do.
func easyDevices(cfg *Config) {
	cfg.StartDifficulty, cfg.MinDifficulty = easy, easy
	cfg.Devices, _ = parseDevices("12 - - none") // nothing is known of any
}

// TestSessionResumed: who comes back within ten minutes and names his session has his
// extranonce and difficulty again, what he found in between is accepted, what he had
// handed in before is still a duplicate, and the first job is clean.
func TestSessionResumed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newEasyHarness(t, nil)
		defer h.stop()
		before := h.visit(someRig, "", "rig")
		h.visit(someRig, "", "other") // takes the next extranonce
		nonce := before.works(t, "rig")
		before.conn.Close()
		time.Sleep(9 * time.Minute)

		after := h.visit(someRig, before.id, "rig")
		if after.id != before.id || after.job.extranonce1 != before.job.extranonce1 {
			t.Fatalf("session %s with %s, was %s with %s", after.id, after.job.extranonce1, before.id, before.job.extranonce1)
		}
		if !after.job.clean || after.job.difficulty != before.job.difficulty || after.job.id == before.job.id {
			t.Errorf("first job %+v", after.job)
		}
		after.send(before.job.submitLine("rig", nonce))
		after.want(rejectedWith("22", "duplicate"))
		after.send(before.job.submitLine("rig", before.job.solve(t, easy, nonce+1, true)))
		after.want(accepted)
		after.send(before.job.submitLine("rig", before.job.solve(t, easy, 0, false)))
		after.want(rejectedWith("23", "high-hash"))

		// The connection ends and the device comes once more.
		after.leave()
		again := h.visit(someRig, before.id, "rig")
		again.send(before.job.submitLine("rig", nonce))
		again.want(rejectedWith("22", "duplicate"))
		if w := h.server.Workers(); len(w) != 2 || w[1].Accepted != 2 || w[1].Duplicate != 2 || w[1].Connections != 1 {
			t.Errorf("%+v", w)
		}
	})
}

// TestSessionOfBadLine: connections that break off, before they log in or without having
// found anything, do not cost the session.
func TestSessionOfBadLine(t *testing.T) {
	sceneOfRig(t, func(t *testing.T, h *harness, v visit) {
		nonce := v.works(t, "rig")
		v.leave()
		for range 3 {
			c := h.connect()
			c.send(fmt.Sprintf(`{"id":1,"method":"mining.subscribe","params":["%s","%s"]}`, someRig, v.id))
			if got := c.line(); !strings.Contains(got, v.id) {
				t.Errorf("%s", got)
			}
			c.leave()
			idle := h.visit(someRig, v.id, "rig")
			if idle.id != v.id {
				t.Fatal("the session is lost")
			}
			idle.leave()
		}
		back := h.visit(someRig, v.id, "rig")
		back.send(v.job.submitLine("rig", nonce))
		back.want(rejectedWith("22", "duplicate"))
		if p := h.server.deps.parking; len(p.parked) != 0 || len(h.server.extranonces.live) != 1 {
			t.Errorf("%d parked, %d extranonces", len(p.parked), len(h.server.extranonces.live))
		}
	})
}

// TestSessionKeepsClass: the class that a device turned out to carry, and one that its user
// asked for, hold, and so does a difficulty that the user fixed.
func TestSessionKeepsClass(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newEasyHarness(t, nil)
		defer h.stop()
		const user = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080+1e-8"
		v := h.visit(someRig, "", user)
		if v.job.difficulty != 1e-8 {
			t.Fatalf("difficulty %v", v.job.difficulty)
		}
		v.works(t, user)
		for _, s := range h.server.sessions() {
			s.mu.Lock()
			s.class, s.lowered = 1, true
			s.mu.Unlock()
		}
		v.leave()
		back := h.visit(someRig, v.id, user)
		for _, s := range h.server.sessions() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.class != 1 || !s.lowered || s.vardiff.fixed != 1e-8 || s.ready != true || s.was != nil {
				t.Errorf("class %v, lowered %v, fixed %v", s.class, s.lowered, s.vardiff.fixed)
			}
		}
		if back.id != v.id || back.job.difficulty != 1e-8 {
			t.Errorf("difficulty %v", back.job.difficulty)
		}
	})
}

// TestSessionTakenOver: a device that has lost its line comes back before the server has
// noticed, and gets its session; not from another host, and not at once, or two clients
// with one session would end each other's connections for ever.
func TestSessionTakenOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newEasyHarness(t, nil)
		defer h.stop()
		old := h.visit(someRig, "", "rig")
		nonce := old.works(t, "rig")

		if early := h.visit(someRig, old.id, "rig"); early.id == old.id || old.closed() {
			t.Error("taken over at once")
		}
		time.Sleep(takeoverAge)
		id, _ := parseSessionID([]byte(old.id))
		if h.server.deps.parking.claim(id, netip.MustParseAddr("192.0.2.1"), time.Now()) != nil {
			t.Error("taken over by another host")
		}
		back := h.visit(someRig, old.id, "rig")
		if back.id != old.id || back.job.extranonce1 != old.job.extranonce1 || !old.closed() {
			t.Fatal("not taken over")
		}
		back.send(old.job.submitLine("rig", nonce))
		back.want(rejectedWith("22", "duplicate"))
		back.send(old.job.submitLine("rig", old.job.solve(t, easy, nonce+1, true)))
		back.want(accepted)
		back.leave()
		if again := h.visit(someRig, old.id, "rig"); again.id != old.id {
			t.Error("what was taken over is not parked")
		}
	})
}

// TestSessionWithoutWorkerStays: a connection that has not logged in has nothing to leave,
// and does not end because another one names its session.
func TestSessionWithoutWorkerStays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newEasyHarness(t, nil)
		defer h.stop()
		first := visit{client: h.connect()}
		first.send(fmt.Sprintf(`{"id":1,"method":"mining.subscribe","params":["%s"]}`, someRig))
		first.want(`{"id":1,"result":` + subscribeResult + `,"error":null}`)
		time.Sleep(takeoverAge)
		if second := h.visit(someRig, "5e5510ff00000001", "rig"); second.id == "5e5510ff00000001" {
			t.Error("taken over")
		}
		first.send(`{"id":2,"method":"mining.authorize","params":["rig","x"]}`)
		first.want(`{"id":2,"result":true,"error":null}`)
		first.client.job()
		time.Sleep(takeoverAge)
		if third := h.visit(someRig, "5e5510ff00000001", "rig"); third.id != "5e5510ff00000001" || !first.closed() {
			t.Error("not taken over once there is a worker")
		}
	})
}

// TestSessionNotResumed: what does not go on with a session, and what gets nothing of it.
func TestSessionNotResumed(t *testing.T) {
	const address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
	tests := []struct {
		name        string
		works       bool
		pause       time.Duration
		agent, user string
		sameID      bool
	}{
		{"too late", true, parkedFor + time.Second, someRig, "rig", false},
		{"swept", true, parkedFor + 2*sweepEvery, someRig, "rig", false},
		{"never worked", false, 0, someRig, "rig", false},
		{"another user", true, 0, someRig, address, true},
		{"another device", true, 0, "rig/2", "rig", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sceneOfRig(t, func(t *testing.T, h *harness, v visit) {
				if test.works {
					v.works(t, "rig")
				}
				v.conn.Close()
				time.Sleep(test.pause)
				synctest.Wait()
				back := h.visit(test.agent, v.id, test.user)
				if (back.id == v.id) != test.sameID {
					t.Errorf("session %s after %s", back.id, v.id)
				}
				back.send(v.job.submitLine(test.user, v.job.solve(t, easy, 1000, true)))
				back.want(rejectedWith("21", "unknown-work"))
				if p := h.server.deps.parking; len(p.parked) != 0 || p.withJobs != 0 || len(p.live) != 1 || len(h.server.extranonces.live) != 1 {
					t.Errorf("%d parked, %d with jobs, %d live, %d extranonces", len(p.parked), p.withJobs, len(p.live), len(h.server.extranonces.live))
				}
			})
		})
	}
}

// TestSessionGuess: one connection has one attempt.
func TestSessionGuess(t *testing.T) {
	sceneOfRig(t, func(t *testing.T, h *harness, v visit) {
		v.works(t, "rig")
		v.leave()
		c := h.connect()
		for _, id := range []string{"0000000000000000", v.id, strings.ToUpper(v.id)} {
			c.send(fmt.Sprintf(`{"id":1,"method":"mining.subscribe","params":["%s","%s"]}`, someRig, id))
			if got := c.line(); strings.Contains(got, v.id) {
				t.Errorf("%s", got)
			}
		}
		for _, id := range []string{"", "x", v.id + "00", v.id[1:], "zzzzzzzzzzzzzzzz"} {
			if _, ok := parseSessionID([]byte(id)); ok {
				t.Errorf("%q is an id", id)
			}
		}
	})
}

// TestOldJobsOfParkedSession: a parked session's jobs grow stale and are freed as those of
// a connected one.
func TestOldJobsOfParkedSession(t *testing.T) {
	sceneOfRig(t, func(t *testing.T, h *harness, v visit) {
		v.works(t, "rig")
		v.leave()
		h.source.set(newFakeWork(1, hard), "")
		time.Sleep(staleJobAge + 2*sweepEvery)
		p := h.server.deps.parking
		p.mu.Lock()
		parked, withJobs := len(p.parked), p.withJobs
		p.mu.Unlock()
		if parked != 1 || withJobs != 0 {
			t.Errorf("%d parked, %d with jobs", parked, withJobs)
		}
		if back := h.visit(someRig, v.id, "rig"); back.id != v.id {
			t.Error("the session itself is gone")
		}
	})
}

// TestParkingIsBounded: sessions, their jobs and what was submitted for them.
func TestParkingIsBounded(t *testing.T) {
	a := newAllocator()
	const limit = maxParkedJobs + 10
	p := newParking(a, limit)
	now := time.Unix(1e9, 0)
	leave := func(i int) {
		e, err := a.take()
		if err != nil {
			t.Fatal(err)
		}
		left := &parked{extranonce1: e, whole: true, ended: now, jobs: jobTable{jobs: []liveJob{{lasting: &lasting{job: new(mining.Job)}, created: secondsOf(now)}}}}
		left.id = sessionID(appendUint32(nil, uint32(i)))
		p.leave(&session{id: left.id}, left)
	}
	for i := range limit + 5 {
		leave(i)
	}
	if len(p.parked) != limit || p.order.Len() != limit || p.withJobs > maxParkedJobs || len(a.live) != p.withJobs {
		t.Errorf("%d parked, %d in order, %d with jobs, %d extranonces", len(p.parked), p.order.Len(), p.withJobs, len(a.live))
	}
	if _, ok := p.parked[sessionID(appendUint32(nil, 4))]; ok {
		t.Error("the oldest stayed")
	}
	p.sweep(chainhash.Hash{}, now.Add(parkedFor+sweepEvery))
	if len(p.parked) != 0 || p.withJobs != 0 || len(a.live) != 0 {
		t.Errorf("after ten minutes %d parked, %d with jobs, %d extranonces", len(p.parked), p.withJobs, len(a.live))
	}

	var jobs jobTable
	for i := range 2 * parkedJobs {
		j := liveJob{id: uint64(i), lasting: &lasting{job: new(mining.Job)}, created: secondsOf(now)}
		jobs.add(j)
		for k := range 50 {
			jobs.remember(&j, &chainhash.Hash{byte(i), byte(k)})
		}
	}
	if !jobs.park() || len(jobs.jobs) != parkedJobs || len(jobs.seen) > parkedSeen || jobs.newest().id != 2*parkedJobs-1 {
		t.Errorf("%d jobs, %d submissions", len(jobs.jobs), len(jobs.seen))
	}
	if !jobs.isDuplicate(&chainhash.Hash{2*parkedJobs - 1, 5}) {
		t.Error("a submission is forgotten")
	}
	for k := range parkedSeen {
		jobs.remember(jobs.newest(), &chainhash.Hash{byte(k), byte(k >> 8), 1})
	}
	if jobs.park() || len(jobs.jobs) != 0 || len(jobs.seen) != 0 {
		t.Errorf("%d jobs, %d submissions of a session that has too many", len(jobs.jobs), len(jobs.seen))
	}
}

// TestSessionsCycle: connections that come and go leave nothing behind.
func TestSessionsCycle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newEasyHarness(t, nil)
		defer h.stop()
		id := ""
		for i := range 200 {
			v := h.visit(someRig, id, "rig")
			if i > 0 && v.id != id {
				t.Fatalf("%d: another session", i)
			}
			id = v.id
			if i%2 == 0 {
				v.works(t, "rig")
			} else {
				v.send(v.job.submitLine("rig", v.job.solve(t, easy, uint32(1000*i), true)))
				v.want(accepted)
			}
			v.leave()
		}
		p := h.server.deps.parking
		if len(p.live) != 0 || len(p.parked) != 1 || p.order.Len() != 1 || p.withJobs != 1 || len(h.server.extranonces.live) != 1 {
			t.Errorf("%d live, %d parked, %d with jobs, %d extranonces", len(p.live), len(p.parked), p.withJobs, len(h.server.extranonces.live))
		}
	})
}

// TestSessionOverRestart: statistics and sessions go on over a restart, but what was handed
// in is not known any more, so that the extranonce is another one.
func TestSessionOverRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "miners.dat")
		withFile := func(cfg *Config) { cfg.StateFile = file }
		h := newEasyHarness(t, withFile)
		v := h.visit(someRig, "", "rig")
		v.works(t, "rig")
		before := h.server.Workers()[0]
		rate := h.server.Hashrate()
		time.Sleep(time.Second)
		synctest.Wait()
		h.stop()
		time.Sleep(5 * time.Second)

		h = newEasyHarness(t, withFile)
		defer h.stop()
		h.server.jobNumber.Store(1 << 20) // drawn at random but in tests
		h.server.extranonces.next = 1
		w := h.server.Workers()
		if len(w) != 1 || w[0].Accepted != 1 || w[0].Connections != 0 || w[0].BestDifficulty != before.BestDifficulty ||
			w[0].UserAgent != someRig || w[0].Class != before.Class || w[0].LastSubmit.Unix() != before.LastSubmit.Unix() {
			t.Errorf("after %+v\n%+v", before, w)
		}
		for i, r := range w[0].Hashrate {
			if r <= 0 || r > before.Hashrate[i] {
				t.Errorf("hashrate %v after %v", w[0].Hashrate, before.Hashrate)
			}
		}
		if got := h.server.Hashrate(); got <= 0 || got > rate {
			t.Errorf("all together %v after %v", got, rate)
		}
		back := h.visit(someRig, v.id, "rig")
		if back.id != v.id || back.job.extranonce1 == v.job.extranonce1 || back.job.difficulty != v.job.difficulty || !back.job.clean {
			t.Errorf("session %s with %s, was %s with %s", back.id, back.job.extranonce1, v.id, v.job.extranonce1)
		}
		back.send(v.job.submitLine("rig", 0))
		back.want(rejectedWith("21", "unknown-work"))
		back.works(t, "rig")
		if w := h.server.Workers()[0]; w.Accepted != 2 || w.Connections != 1 || w.BestSession == 0 {
			t.Errorf("%+v", w)
		}
	})
}
