package stratum

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// onBoth runs f with a client that is connected over plain TCP, and one over TLS. What the
// server wrote until then is not counted.
func onBoth(t *testing.T, change func(*Config), f func(t *testing.T, server *Server, c *client, writes *atomic.Int64)) {
	for _, encrypted := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", encrypted), func(t *testing.T) {
			server, writes := watchedServer(t, func(c *Config) {
				c.TLS = certificate(t)
				if change != nil {
					change(c)
				}
			})
			c := dialMiner(t, server.Addrs()[0], encrypted)
			c.ping(5)
			c.want(pong)
			writes.Store(0)
			f(t, server, c, writes)
		})
	}
}

// ping sends pings with these ids in one packet.
func (c *client) ping(ids ...int) {
	c.t.Helper()
	var lines []string
	for _, id := range ids {
		lines = append(lines, fmt.Sprintf(`{"id":%d,"method":"mining.ping"}`, id))
	}
	c.send(lines...)
}

// wantPongs expects the answers.
func (c *client) wantPongs(ids ...int) {
	c.t.Helper()
	for _, id := range ids {
		c.want(fmt.Sprintf(`{"id":%d,"result":"pong","error":null}`, id))
	}
}

// wholeLogin is what a client may send at once, and wholeAnswer how many lines come back:
// the answers, difficulty, job and notice.
const (
	wholeLogin = `{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}` + "\n" +
		`{"id":2,"method":"mining.subscribe","params":["bitaxe/BM1370/v2.9.0"]}` + "\n" +
		`{"id":3,"method":"mining.authorize","params":["` + regtestAddr + `","nonsense=1,d=zero"]}` + "\n" +
		`{"id":4,"method":"mining.ping"}` + "\n" + `{"id":5,"method":"mining.ping"}`
	wholeAnswer = 5 + 4
)

// TestLoginIsOneWrite: the answers to a whole login, its first job and what there is to
// tell the miner leave in one piece.
func TestLoginIsOneWrite(t *testing.T) {
	onBoth(t, func(c *Config) { c.Notice = "this node keeps a part" }, func(t *testing.T, _ *Server, c *client, writes *atomic.Int64) {
		c.send(wholeLogin)
		var got []string
		for range wholeAnswer {
			got = append(got, c.line())
		}
		if n := writes.Load(); n != 1 {
			t.Errorf("%d writes", n)
		}
		for i := range 5 {
			if !strings.HasPrefix(got[i], fmt.Sprintf(`{"id":%d,`, i+1)) {
				t.Errorf("answer %d: %s", i+1, got[i])
			}
		}
		for i, what := range []string{"mining.set_difficulty", "mining.notify", "d=zero is not understood", "keeps a part"} {
			if !strings.Contains(got[5+i], what) {
				t.Errorf("%s instead of %s", got[5+i], what)
			}
		}
	})
}

// TestLoginLineByLine: who waits for each answer gets it at once, and the last of them
// together with the job.
func TestLoginLineByLine(t *testing.T) {
	onBoth(t, nil, func(t *testing.T, _ *Server, c *client, writes *atomic.Int64) {
		c.send(`{"id":1,"method":"mining.subscribe","params":[]}`)
		c.line()
		c.send(`{"id":2,"method":"mining.authorize","params":["rig","x"]}`)
		c.want(`{"id":2,"result":true,"error":null}`)
		c.job()
		c.ping(5)
		c.want(pong)
		if n := writes.Load(); n != 3 {
			t.Errorf("%d writes", n)
		}
	})
}

// TestBurstEndsInHalfALine: the answers to the whole lines of a packet do not wait for the
// rest of another.
func TestBurstEndsInHalfALine(t *testing.T) {
	onBoth(t, nil, func(t *testing.T, _ *Server, c *client, writes *atomic.Int64) {
		for range 3 {
			writes.Store(0)
			io.WriteString(c.conn, `{"id":1,"method":"mining.ping"}`+"\n"+`{"id":2,"method":"mining.ping"}`+"\n"+`{"id":3,"meth`)
			c.wantPongs(1, 2)
			c.send(`od":"mining.ping"}`)
			c.wantPongs(3)
			if n := writes.Load(); n != 2 {
				t.Errorf("%d writes", n)
			}
		}
	})
}

// TestLongBurst: hundreds of answers are not held all at once.
func TestLongBurst(t *testing.T) {
	scene(t, newFakeWork(0, hard), nil, func(t *testing.T, h *harness, c *client) {
		c.login("rig")
		var ids []int
		for id := range 500 {
			ids = append(ids, id)
		}
		go c.ping(ids...)
		c.wantPongs(ids...)
	})
}

// TestShareDelaysNoAnswer: while the node judges a share, the answers to what came before it
// in the same packet are there, and so are new jobs; what comes after it waits.
func TestShareDelaysNoAnswer(t *testing.T) {
	scene(t, newFakeWork(0, easy), nil, func(t *testing.T, h *harness, c *client) {
		j := c.login("rig")
		verdict := make(chan struct{})
		h.source.mu.Lock()
		h.source.hold = verdict
		h.source.mu.Unlock()
		c.send(`{"id":5,"method":"mining.ping"}`, j.submitLine("rig", j.solve(t, easy, 0, true)), `{"id":5,"method":"mining.ping"}`)
		start := time.Now()
		c.want(pong)
		if took := time.Since(start); took != 0 {
			t.Errorf("after %v", took)
		}
		h.source.set(newFakeWork(0, 2*easy), "")
		c.job()
		close(verdict)
		c.want(accepted, pong)
	})
}

// TestRateDelaysNoAnswer: an answer that has been earned does not wait until the next line
// may be read.
func TestRateDelaysNoAnswer(t *testing.T) {
	scene(t, newFakeWork(0, hard), nil, func(t *testing.T, h *harness, c *client) {
		c.login("rig")
		for _, sess := range h.server.sessions() {
			sess.mu.Lock()
			sess.messages = newBucket(1, 1, time.Now()) // one a second
			sess.mu.Unlock()
		}
		start := time.Now()
		c.ping(1, 2, 3)
		for i := range 3 {
			c.wantPongs(i + 1)
			if took := time.Since(start).Round(time.Second); took != time.Duration(max(i-1, 0))*time.Second {
				t.Errorf("answer %d after %v", i+1, took)
			}
		}
	})
}

// TestLastAnswersOfABurst: a connection that is to end first says what it has held back.
func TestLastAnswersOfABurst(t *testing.T) {
	for name, test := range map[string]struct {
		last string
		want []string
	}{
		"junk": {strings.Repeat("{\n", junkBurst+5),
			slices.Repeat([]string{`{"id":null,"result":null,"error":[20,"malformed message",null]}`}, junkBurst+1)},
		"a long line": {strings.Repeat("x", MaxLine+1) + "\n",
			[]string{`{"id":null,"result":null,"error":[20,"line longer than 16384 bytes",null]}`}},
	} {
		t.Run(name, func(t *testing.T) {
			scene(t, newFakeWork(0, hard), nil, func(t *testing.T, h *harness, c *client) {
				go io.WriteString(c.conn, `{"id":5,"method":"mining.ping"}`+"\n"+test.last)
				c.want(pong)
				c.want(test.want...)
				if line, err := c.r.ReadString('\n'); err == nil {
					t.Errorf("further: %s", line)
				}
			})
		})
	}
}

// TestBurstsBesideJobs: while bursts are answered, jobs come from elsewhere. Answers are in
// order, a job is never behind another one, and each difficulty is right before its job.
func TestBurstsBesideJobs(t *testing.T) {
	const bursts, size = 200, 10
	onBoth(t, nil, func(t *testing.T, server *Server, c *client, _ *atomic.Int64) {
		c.login("rig")
		sess := server.sessions()[0]
		sess.mu.Lock()
		sess.messages = newBucket(1e9, 1e9, time.Now())
		sess.mu.Unlock()
		source, begun := server.cfg.Source.(*fakeSource), make(chan struct{})
		defer close(begun)
		go func() {
			n := 0
			for range begun {
				for range 5 {
					n++
					source.mu.Lock()
					source.work = newFakeWork(0, float64(100+n%2)) // below the first difficulty
					source.mu.Unlock()
					server.adopt()
					sess.deliver(time.Now())
				}
			}
		}()
		jobs, last := 0, ""
		for burst := range bursts {
			var ids []int
			for i := range size {
				ids = append(ids, burst*size+i)
			}
			begun <- struct{}{}
			c.ping(ids...)
			for len(ids) > 0 {
				line := c.line()
				if strings.Contains(line, "mining.set_difficulty") {
					line = c.line()
					if !strings.Contains(line, "mining.notify") {
						t.Fatalf("between difficulty and job: %s", line)
					}
				}
				if j, ok := parseNotify(t, line); ok {
					if len(j.id) < len(last) || len(j.id) == len(last) && j.id <= last {
						t.Fatalf("job %s after %s", j.id, last)
					}
					jobs, last = jobs+1, j.id
					continue
				}
				if want := fmt.Sprintf(`{"id":%d,"result":"pong","error":null}`, ids[0]); line != want {
					t.Fatalf("got %s, want %s", line, want)
				}
				ids = ids[1:]
			}
		}
		if jobs == 0 {
			t.Error("no jobs")
		}
	})
}

// TestOthersDoNotWait: what the server says by itself goes out at once, together with the
// answers that are held, although the reader does not get on.
func TestOthersDoNotWait(t *testing.T) {
	for name, say := range map[string]func(*session){
		"work": func(sess *session) {
			sess.mu.Lock()
			sess.afresh = true
			sess.mu.Unlock()
			sess.deliver(time.Now())
		},
		"time": func(sess *session) { sess.tick(time.Now().Add(notifyEvery)) },
		"end":  (*session).bye,
	} {
		t.Run(name, func(t *testing.T) {
			server, writes := watchedServer(t, nil)
			c := dialMiner(t, server.Addrs()[0], false)
			c.send(`{"id":1,"method":"mining.subscribe","params":["cgminer/4"]}`, `{"id":2,"method":"mining.authorize","params":["rig"]}`)
			c.line()
			c.line()
			c.job()
			sess := server.sessions()[0]
			writes.Store(0)
			sess.out.cork()
			sess.out.send([]byte(pong + "\n"))
			say(sess)
			sess.out.mu.Lock()
			if sess.out.held != nil {
				t.Error("something is held")
			}
			sess.out.mu.Unlock()
			c.want(pong)
			if name == "end" {
				c.want(strings.TrimSpace(reconnectMessage))
			} else {
				c.job()
			}
			if n := writes.Load(); n != 1 {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// BenchmarkLogin is a connection with a whole login in one packet, from the client and back.
func BenchmarkLogin(b *testing.B) {
	_, _, addr := serveTCP(b)
	b.ReportAllocs()
	for b.Loop() {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		io.WriteString(conn, wholeLogin+"\n")
		awaitJob(b, bufio.NewReader(conn))
		conn.Close()
	}
}

// BenchmarkSubmitBurst is 16 submissions in one packet over TCP, as proxies hand them on.
func BenchmarkSubmitBurst(b *testing.B) {
	server, _, addr := serveTCP(b)
	conn, r := tcpMiner(b, addr)
	defer conn.Close()
	sess := server.sessions()[0]
	sess.mu.Lock()
	j := sess.jobs.newest()
	j.diff = easiestDifficulty
	line := newSubmitted("rig", j)
	sess.messages = newBucket(1e9, 1e9, time.Now())
	sess.mu.Unlock()
	nonce, packet := uint32(0), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		packet = packet[:0]
		for range 16 {
			nonce++
			line.setNonce(nonce)
			packet = append(packet, line...)
		}
		conn.Write(packet)
		for n := 0; n < 16; {
			answer, err := r.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if bytes.HasPrefix(answer, []byte(`{"id":4`)) {
				n++
			}
		}
	}
}
