package stratum

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/blockchain"
)

func TestSubmit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		// Shares are hard, device difficulty is easy.
		h := newHarness(t, newFakeWork(0, 1e6), func(c *Config) {
			c.StartDifficulty, c.MinDifficulty = easy, easiestDifficulty
		})
		defer h.stop()
		c := h.connect()
		j := c.login("rig.1")
		good := j.solve(t, easy*1.01, 0, true)
		bad := j.solve(t, easy*0.99, 0, false)
		line := j.submitLine("rig.1", good)

		tests := []struct{ name, send, want string }{
			{"good", line, accepted},
			{"again", line, rejectedWith("22", "duplicate")},
			{"high hash", j.submitLine("rig.1", bad), rejectedWith("23", "high-hash")},
			{"other user", j.submitLine("rig.2", good), rejectedWith("24", "unauthorized worker")},
			{"unknown job", strings.Replace(line, `"`+j.id+`"`, `"ffff"`, 1), rejectedWith("21", "unknown-work")},
			{"bad job id", strings.Replace(line, `"`+j.id+`"`, `"zz"`, 1), rejectedWith("21", "unknown-work")},
			{"short extranonce2", strings.Replace(line, testExtranonce2, "01", 1), rejectedWith("20", "bad-extranonce2")},
			{"old", strings.Replace(line, j.ntime, string(appendUint32(nil, fakeTime-101)), 1), rejectedWith("20", "time-too-old")},
			{"new", strings.Replace(line, j.ntime, string(appendUint32(nil, fakeTime+7001)), 1), rejectedWith("20", "time-too-new")},
			{"bits outside the mask", strings.Replace(line, `"]}`, `","20000000"]}`, 1), rejectedWith("20", "bad-version")},
			{"too few params", `{"id":4,"method":"mining.submit","params":["rig.1","10"]}`, rejectedWith("20", "bad-params")},
			{"no params", `{"id":4,"method":"mining.submit"}`, rejectedWith("20", "bad-params")},
			{"numbers", `{"id":4,"method":"mining.submit","params":[1,2,3,4,5]}`, rejectedWith("20", "bad-params")},
		}
		for _, test := range tests {
			c.send(test.send)
			if got := c.line(); got != test.want {
				t.Errorf("%s: got %s, want %s", test.name, got, test.want)
			}
		}
		if n := len(h.source.submitted()); n != 0 {
			t.Errorf("%d device shares went to the source", n)
		}
		info := h.server.Workers()[0]
		if info.Accepted != 1 || info.Duplicate != 1 || info.LowDifficulty != 1 || info.Stale != 2 || info.Invalid != 3 {
			t.Errorf("statistics %+v", info)
		}
		if info.Name != "rig.1" || info.BestDifficulty < easy || info.Difficulty != j.difficulty || info.Connections != 1 {
			t.Errorf("statistics %+v", info)
		}
		if info.Hashrate[Over1m] <= 0 || info.Hashrate[Over7d] <= 0 || h.server.Hashrate() <= 0 {
			t.Error("no hashrate")
		}
		c.conn.Close()
		synctest.Wait()
		if info := h.server.Workers()[0]; info.Connections != 0 || !info.ConnectedSince.IsZero() || info.Accepted != 1 {
			t.Errorf("after the end: %+v", info)
		}
	})
}

// Shares go to the source with exactly what the miner found, and the answer
// follows the source's verdict.
func TestSharesReachTheSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, easy), nil)
		defer h.stop()
		c := h.connect()
		j := c.login("rig")
		// The share's difficulty caps that of the device.
		if j.difficulty > easy || j.difficulty < easy*0.999 {
			t.Fatalf("difficulty %g for shares of %g", j.difficulty, easy)
		}
		nonce := j.solve(t, easy, 0, true)
		h.source.hold = make(chan struct{})
		c.send(j.submitLine("rig", nonce))
		synctest.Wait()
		solutions := h.source.submitted()
		if len(solutions) != 1 {
			t.Fatalf("%d solutions", len(solutions))
		}
		s := solutions[0]
		if s.Nonce != nonce || s.Version != 0x20000004 || s.Worker != "rig" ||
			s.Extranonce != [12]byte{0xab, 0xcd, 0x00, 0x01, 11: 1} {
			t.Errorf("solution %+v", s)
		}
		// While the verdict is awaited, new work still goes out.
		h.source.set(newFakeWork(0, easy), "")
		c.job()
		close(h.source.hold)
		h.source.mu.Lock()
		h.source.hold, h.source.verdict = nil, errFake
		h.source.mu.Unlock()
		c.want(accepted)

		c.send(j.submitLine("rig", j.solve(t, easy, nonce+1, true)))
		c.want(rejectedWith("20", "share-refused"))
	})
}

// A solution for a job of an older Bitcoin tip counts if the sharechain took it
// or if it is a block; it is stale otherwise.
func TestStaleTip(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, easy), nil)
		defer h.stop()
		c := h.connect()
		old := c.login("rig")
		h.source.set(newFakeWork(0, easy), "")
		c.job()

		// A job of the same Bitcoin tip is as good as the newest.
		nonce := old.solve(t, easy, 0, true)
		c.send(old.submitLine("rig", nonce))
		c.want(accepted)
		h.source.set(newFakeWork(1, easy), "")
		c.job()

		undecided := &blockchain.UndecidedError{Kind: blockchain.ErrMissingParent}
		for i, test := range []struct {
			name    string
			verdict error
			block   bool
			want    string
		}{
			{"share", nil, false, accepted},
			{"block and share", nil, true, accepted},
			{"block whose share is refused", errFake, true, accepted},
			{"refused", errFake, false, rejectedWith("21", "stale-prevblk")},
			{"held", undecided, false, rejectedWith("21", "stale-prevblk")},
		} {
			before, rate := h.server.Workers()[0], h.server.Hashrate()
			h.source.judge(test.verdict, test.block)
			nonce = old.solve(t, easy, nonce+1, true)
			c.send(old.submitLine("rig", nonce))
			if got := c.line(); got != test.want {
				t.Errorf("%s: got %s, want %s", test.name, got, test.want)
			}
			if n := len(h.source.submitted()); n != i+2 {
				t.Errorf("%s: %d of %d solutions handed on", test.name, n, i+2)
			}
			after := h.server.Workers()[0]
			counted := after.Accepted == before.Accepted+1 && after.Stale == before.Stale &&
				after.Hashrate[Over1m] > before.Hashrate[Over1m] && h.server.Hashrate() > rate
			if counted != (test.want == accepted) || (after.Shares > before.Shares) != (test.verdict == nil) {
				t.Errorf("%s: statistics from %+v to %+v", test.name, before, after)
			}
		}
	})
}

// What is no solution is stale as soon as the Bitcoin tip moves on.
func TestStaleDeviceShare(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, 1e6), func(c *Config) {
			c.StartDifficulty, c.MinDifficulty = easy, easiestDifficulty
		})
		defer h.stop()
		c := h.connect()
		old := c.login("rig")
		h.source.set(newFakeWork(1, 1e6), "")
		c.job()
		c.send(old.submitLine("rig", old.solve(t, easy*1.01, 0, true)))
		c.want(rejectedWith("21", "stale-prevblk"))
		if info := h.server.Workers()[0]; info.Accepted != 0 || info.Stale != 1 {
			t.Errorf("statistics %+v", info)
		}
	})
}

// A Bitcoin block whose share is refused is a success on the newest tip, too.
func TestBlockWithoutShare(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, easy), nil)
		defer h.stop()
		c := h.connect()
		j := c.login("rig")
		h.source.judge(errFake, true)
		c.send(j.submitLine("rig", j.solve(t, easy, 0, true)))
		c.want(accepted)
		if info := h.server.Workers()[0]; info.Accepted != 1 || info.Shares != 0 {
			t.Errorf("statistics %+v", info)
		}
	})
}

// TestRolledVersionReachesTheSource: the bits that a miner rolled come with its solution.
func TestRolledVersionReachesTheSource(t *testing.T) {
	scene(t, newFakeWork(0, easy), nil, func(t *testing.T, h *harness, c *client) {
		j := c.login("rig")
		j.version = "30006004"
		nonce := j.solve(t, easy, 0, true)
		c.send(strings.Replace(j.submitLine("rig", nonce), `"]}`, `","10006000"]}`, 1))
		c.want(accepted)
		if s := h.source.submitted()[0]; uint32(s.Version) != 0x30006004 || s.Nonce != nonce {
			t.Errorf("solution %+v", s)
		}
	})
}

func TestVardiffFollowsAMiner(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, 1e6), func(c *Config) {
			c.StartDifficulty, c.MinDifficulty = 1, easiestDifficulty
		})
		defer h.stop()
		c := h.connect()
		j := c.login("rig")
		start := time.Now()
		// It finds nothing: lowered within a minute, by set_difficulty before a
		// notify of a new job.
		next := c.job()
		for next.difficulty == 0 {
			next = c.job()
		}
		if next.difficulty >= 0.5 || next.id == j.id || time.Since(start) > time.Minute {
			t.Fatalf("difficulty %g after %v", next.difficulty, time.Since(start))
		}
	})
}

func FuzzSubmit(f *testing.F) {
	f.Add([]byte(`{"id":4,"method":"mining.submit","params":["x","10","0000000000000001","386d4380","00000000"]}`))
	f.Add([]byte(`{"id":4,"method":"mining.submit","params":["x","10","0000000000000001","386d4380","1","1fffe000"]}`))
	f.Add([]byte(`{"id":4,"method":"mining.submit","params":[null,{},[],"",-1]}`))
	f.Add([]byte(`{"id":1,"method":"mining.configure","params":[["version-rolling",1],{"version-rolling.mask":5}]}`))
	f.Add([]byte(`{"id":1,"method":"mining.suggest_target","params":["zz"]}`))
	s := newTestSession(f)
	f.Fuzz(func(t *testing.T, line []byte) {
		if strings.Contains(string(line), "\n") {
			return
		}
		s.messages.tokens, s.junk.tokens = messageBurst, junkBurst
		if _, err := s.handle(t.Context(), line, time.Now()); err != nil {
			t.Fatal(err)
		}
		s.flush(time.Now())
		checkLines(t, s)
	})
}

// BenchmarkSubmit is one device share from line to queued answer. One allocation is of
// the test's job, which has no prepared hash.
func BenchmarkSubmit(b *testing.B) {
	s := newTestSession(b)
	j := s.jobs.newest()
	j.diff = easiestDifficulty // every hash is good
	j.job.ShareTarget, j.job.BlockTarget = deviceTarget(hard), deviceTarget(hard)
	now, line := time.Now(), newSubmitted("x", j)
	nonce := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		nonce++
		line.setNonce(nonce)
		if _, err := s.handle(b.Context(), line, now); err != nil {
			b.Fatal(err)
		}
		s.out.pending = s.out.pending[:0]
		if len(s.jobs.seen) == maxSeen {
			clear(s.jobs.seen)
		}
	}
	if n := s.worker([]byte("x")).snapshot(now).Accepted; n != uint64(nonce) {
		b.Errorf("%d of %d accepted", n, nonce)
	}
}

// submitted is a mining.submit of which the nonce can be set.
type submitted []byte

func newSubmitted(user string, j *liveJob) submitted {
	return fmt.Appendf(nil, `{"id":4,"method":"mining.submit","params":["%s","%x","0000000000000001","%08x","00000000"]}`+"\n",
		user, j.id, j.ntime)
}

func (l submitted) setNonce(nonce uint32) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], nonce)
	hex.Encode(l[len(l)-len("00000000\"]}\n"):], b[:])
}

// BenchmarkSubmitTCP is the same over TCP, from the client and back, on so many
// connections in turn.
func BenchmarkSubmitTCP(b *testing.B) {
	for _, miners := range []int{1, 2000} {
		b.Run(fmt.Sprint(miners), func(b *testing.B) { benchmarkSubmitTCP(b, miners) })
	}
}

func benchmarkSubmitTCP(b *testing.B, miners int) {
	server, _, addr := serveTCP(b)
	var conns []net.Conn
	for range miners {
		conn, _ := tcpMiner(b, addr)
		defer conn.Close()
		conns = append(conns, conn)
	}
	var line submitted
	for _, sess := range server.sessions() {
		sess.mu.Lock()
		j := sess.jobs.newest()
		j.id, j.diff = 1, easiestDifficulty // one line is good for all
		line = newSubmitted("rig", j)
		sess.messages = newBucket(1e9, 1e9, time.Now())
		sess.mu.Unlock()
	}
	answer, nonce := make([]byte, 4096), uint32(0)
	submit := func(conn net.Conn) {
		nonce++
		line.setNonce(nonce)
		conn.Write(line)
	}
	for _, conn := range conns {
		submit(conn)
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conns[i].Read(answer); err != nil {
			b.Fatal(err)
		}
		submit(conns[i])
		i = (i + 1) % miners
	}
	if n := server.Workers()[0].Accepted; n == 0 || n > uint64(nonce) {
		b.Errorf("%d of %d accepted", n, nonce)
	}
}
