package stratum

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/blockchain/target"
)

// TestAuxSolutionsReachTheSource: a device's hash that solves a block of another chain
// goes to the source though it is neither share nor block; one that does not, or is
// below the device's difficulty, does not.
func TestAuxSolutionsReachTheSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		work := newFakeWork(0, hard)
		work.job.AuxTarget = target.FromDifficulty(16 * easy)
		h := newHarness(t, work, func(c *Config) {
			c.StartDifficulty, c.MinDifficulty = easy, easiestDifficulty
		})
		defer h.stop()
		c := h.connect()
		j := c.login("rig.1")
		aux := j.solve(t, 17*easy, 0, true)
		var poor uint32
		for poor = j.solve(t, easy*1.01, 0, true); ; poor = j.solve(t, easy*1.01, poor+1, true) {
			if best := j.solve(t, 15*easy, poor, true); best != poor {
				break
			}
		}
		for i, step := range []struct {
			nonce  uint32
			answer string
			solved int // that the source has by then
		}{
			{aux, accepted, 1},
			{aux, rejectedWith("22", "duplicate"), 1},
			{poor, accepted, 1},
			{j.solve(t, easy*0.99, 0, false), rejectedWith("23", "high-hash"), 1},
		} {
			c.send(j.submitLine("rig.1", step.nonce))
			if got := c.line(); got != step.answer || len(h.source.submitted()) != step.solved {
				t.Errorf("step %d: %s, %d solutions", i, got, len(h.source.submitted()))
			}
		}
		c.conn.Close()
	})
}

// TestAuxSolutionWaitsForNothing: a hash that is of use to another chain alone is answered
// together with what came in the same packet.
func TestAuxSolutionWaitsForNothing(t *testing.T) {
	work := newFakeWork(0, hard)
	work.job.AuxTarget = target.FromDifficulty(easy)
	withAux := func(c *Config) {
		c.Source.(*fakeSource).work = work
		c.StartDifficulty, c.MinDifficulty = easy, easiestDifficulty
	}
	onBoth(t, withAux, func(t *testing.T, server *Server, c *client, writes *atomic.Int64) {
		j := c.login("rig")
		aux := j.submitLine("rig", j.solve(t, 1.01*easy, 0, true))
		writes.Store(0)
		c.send(`{"id":5,"method":"mining.ping"}`, aux, `{"id":5,"method":"mining.ping"}`)
		c.want(pong, accepted, pong)
		if n := len(server.cfg.Source.(*fakeSource).submitted()); n != 1 || writes.Load() != 1 {
			t.Errorf("%d solutions, %d writes", n, writes.Load())
		}
	})
}

// TestNoAuxBlockIsLost: a hash that solves a block of another chain reaches the source
// though it is below what suits the device.
func TestNoAuxBlockIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const suits, aux = 40 * easy, 16 * easy
		h := newHarness(t, newFakeWork(0, hard), func(c *Config) {
			c.StartDifficulty, c.MinDifficulty = suits, easiestDifficulty
		})
		defer h.stop()
		c := h.connect()
		defer c.conn.Close()
		first := c.login("rig.1")
		h.settle(suits)
		work := newFakeWork(0, hard)
		work.job.AuxTarget = target.FromDifficulty(aux)
		h.source.set(work, "")
		j := c.job()
		j.extranonce1 = first.extranonce1
		nonce := j.solve(t, 1.01*aux, 0, true)
		for nonce != j.solve(t, suits, nonce, false) {
			nonce = j.solve(t, 1.01*aux, nonce+1, true)
		}
		c.send(j.submitLine("rig.1", nonce))
		if got := c.line(); got != accepted || len(h.source.submitted()) != 1 {
			t.Errorf("%s, %d solutions", got, len(h.source.submitted()))
		}
	})
}

// TestAuxBlockOfRefusedSubmission: what does not meet the difficulty of a device that is
// not known yet is refused, but is no less a block of another chain.
func TestAuxBlockOfRefusedSubmission(t *testing.T) {
	const starts, aux = 40 * easy, 16 * easy
	work := newFakeWork(0, hard)
	work.job.AuxTarget = target.FromDifficulty(aux)
	scene(t, work, func(c *Config) { c.StartDifficulty, c.MinDifficulty = starts, easiestDifficulty }, func(t *testing.T, h *harness, c *client) {
		j := c.login("rig.1")
		nonce := j.solve(t, 1.01*aux, 0, true)
		for nonce != j.solve(t, 0.9*starts, nonce, false) {
			nonce = j.solve(t, 1.01*aux, nonce+1, true)
		}
		c.send(j.submitLine("rig.1", nonce))
		if got, n := c.line(), len(h.source.submitted()); got != rejectedWith("23", "high-hash") || n != 1 {
			t.Errorf("%s, %d solutions", got, n)
		}
	})
}

// settle makes a device count as found at a difficulty, and returns its session.
func (h *harness) settle(diff float64) *session {
	h.t.Helper()
	synctest.Wait()
	for _, s := range h.server.sessions() {
		s.mu.Lock()
		s.vardiff.settled = diff
		s.mu.Unlock()
		return s
	}
	h.t.Fatal("no session")
	return nil
}

// TestDifficultyForAuxBlocks: a device works at the difficulty of other chains' blocks if
// that is easier, so that none is lost, but at none so easy that it would submit more than
// once a second, or easier than is wanted at least.
func TestDifficultyForAuxBlocks(t *testing.T) {
	for _, test := range []struct {
		name     string
		password string
		settled  float64 // 0: the device is still sought
		aux      float64 // 0: no other chain
		want     float64 // of 1024
	}{
		{"no other chain", "x", 1024, 0, 1024},
		{"harder blocks", "x", 1024, 5000, 1024},
		{"easier ones", "x", 1024, 700, 700},
		{"once a second", "x", 1000, 300, 300},
		{"easier still", "x", 1000, 299, 300},
		{"every hash", "x", 1000, easiestDifficulty, 300},
		{"unknown speed", "x", 0, 700, 1024},
		{"a slower device than wanted", "x", 10, 20, 20},
		{"a faster one, for now", "x", 1e6, 20, 1024},
		{"a least difficulty", "md=800", 1000, 700, 800},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarness(t, newFakeWork(0, hard), nil)
				defer h.stop()
				c := h.connect()
				defer c.conn.Close()
				c.send(`{"id":1,"method":"mining.subscribe"}`, `{"id":2,"method":"mining.authorize","params":["x","`+test.password+`"]}`)
				c.line()
				c.line()
				if j := c.job(); j.difficulty != 1024 {
					t.Fatalf("difficulty %g", j.difficulty)
				}
				s := h.settle(test.settled)
				work := newFakeWork(0, hard)
				if test.aux > 0 {
					work.job.AuxTarget = target.FromDifficulty(test.aux)
				}
				h.source.set(work, "")
				j := c.job()
				if s.sentDiff != test.want || j.clean {
					t.Errorf("difficulty %g, want %g; clean %v", s.sentDiff, test.want, j.clean)
				}
				// Without the chain all is as before.
				h.source.set(newFakeWork(0, hard), "")
				if c.job(); s.sentDiff != 1024 {
					t.Errorf("then %g", s.sentDiff)
				}
			})
		})
	}
}

// TestAuxBlocksLeaveFixedDifficulties: what a user fixed only shares lower.
func TestAuxBlocksLeaveFixedDifficulties(t *testing.T) {
	bubble(t, func(t *testing.T) {
		work := newFakeWork(0, hard)
		work.job.AuxTarget = target.FromDifficulty(500)
		h := newHarness(t, work, nil)
		defer h.stop()
		c := h.connect()
		defer c.conn.Close()
		if j := c.login(regtestAddr + "+5000"); j.difficulty != 5000 {
			t.Errorf("difficulty %g", j.difficulty)
		}
	})
}

// TestEasyAuxBlocksFloodNobody: while every hash is a block of another chain, a device
// submits once a second, not less, and is still followed when it becomes faster.
func TestEasyAuxBlocksFloodNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		work := newFakeWork(0, hard)
		work.job.AuxTarget = target.FromDifficulty(easiestDifficulty)
		h := newHarness(t, work, nil)
		defer h.stop()
		c := h.connect()
		d := &virtualDevice{changed: make(chan struct{}, 1)}
		c.send(`{"id":1,"method":"mining.subscribe"}`, `{"id":2,"method":"mining.authorize","params":["rig"]}`)
		go d.listen(c)
		hashrate := 2 * 1024 * hashesPerDifficulty * submitsPerMinute / 60 // twice what the first difficulty is for
		s := h.settle(0)
		w, rng := s.worker([]byte("rig")), rand.New(rand.NewPCG(1, 2))
		const found, watched = 10 * time.Minute, 30 * time.Minute
		for range 2 {
			d.mine(s, w, rng, hashrate, time.Now().Add(found))
			before := w.info.Accepted
			d.mine(s, w, rng, hashrate, time.Now().Add(watched))
			rate := float64(w.info.Accepted-before) / watched.Minutes()
			if rate > 1.2*auxSubmitsPerMinute || rate < auxSubmitsPerMinute/1.2 {
				t.Errorf("%.0f submissions a minute", rate)
			}
			hashrate *= 100
		}
		c.conn.Close()
	})
}
