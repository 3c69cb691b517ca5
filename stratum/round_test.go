package stratum

import (
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// reader is the connection of a client that takes what is written in some time.
type reader struct {
	net.Conn
	takes time.Duration
}

func (r reader) Write(b []byte) (int, error) {
	time.Sleep(r.takes)
	return len(b), nil
}

func (reader) Close() error                     { return nil }
func (reader) SetReadDeadline(time.Time) error  { return nil }
func (reader) SetWriteDeadline(time.Time) error { return nil }

// tipWork is work on a Bitcoin block and a share tip.
func tipWork(block, tip byte) *fakeWork {
	w := newFakeWork(block, hard)
	w.job.Coinb2 = append([]byte{tip}, w.job.Coinb2...)
	return w
}

// audience adds n sessions that have logged in, of clients that read at once.
func (h *harness) audience(n int) []*session {
	var list []*session
	for range n {
		o := newOutbox(reader{}, h.server.queues)
		o.settle()
		sess := newSession(&h.server.deps, o, 1, time.Now())
		sess.ready = true
		h.server.add(sess)
		list = append(list, sess)
	}
	return list
}

// heard returns the share tips of which a session got jobs, and when the last came.
func heard(sess *session) (tips string, last time.Time) {
	sess.mu.Lock()
	defer sess.mu.Unlock()
	for _, j := range sess.jobs.jobs {
		tips += fmt.Sprint(j.job.Coinb2[0])
	}
	return tips, sess.lastNotify
}

// TestNewerWorkInARound: who has not been served when there is newer work gets that at
// once, and nothing older before it; the others get it after them. All get it, once.
func TestNewerWorkInARound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, tipWork(0, 0), nil)
		defer h.stop()
		const rest = 9 * paceBatch // after broadcastGap
		sessions := h.audience(int(broadcastGap/paceRest)*paceBatch + rest)
		time.Sleep(broadcastGap)
		h.source.set(tipWork(0, 1), "")
		time.Sleep(paceRest)
		h.source.set(tipWork(0, 2), "")
		time.Sleep(broadcastGap)
		late := h.audience(1)[0] // as one that logs in meanwhile
		time.Sleep(10 * broadcastGap)
		synctest.Wait()
		var direct int
		var lastDirect, firstOther time.Time
		for _, sess := range sessions {
			switch tips, at := heard(sess); {
			case tips == "2":
				direct++
				if at.After(lastDirect) {
					lastDirect = at
				}
			case tips != "12":
				t.Fatalf("got jobs of the tips %q", tips)
			case firstOther.IsZero() || at.Before(firstOther):
				firstOther = at
			}
		}
		// Of the batch at the end of the gap both are right.
		if direct != rest && direct != rest-paceBatch || lastDirect.After(firstOther) {
			t.Errorf("%d got the newer alone, the last at %v; the first of the others at %v", direct, lastDirect, firstOther)
		}
		h.source.set(tipWork(0, 3), "")
		time.Sleep(10 * broadcastGap)
		synctest.Wait()
		if tips, _ := heard(late); tips != "3" {
			t.Errorf("a late one has %q", tips)
		}
	})
}

// flicker is a source whose work once seems to be on another Bitcoin block.
type flicker struct {
	*fakeSource
	once *atomic.Bool
}

func (f flicker) Work() Work {
	if f.once.CompareAndSwap(true, false) {
		return tipWork(1, 0)
	}
	return f.fakeSource.Work()
}

// TestRoundGoesOn: a Bitcoin block that has gone again when it is looked at costs nobody
// the work that is being brought.
func TestRoundGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		once := new(atomic.Bool)
		h := newHarness(t, tipWork(0, 0), func(c *Config) { c.Source = flicker{c.Source.(*fakeSource), once} })
		defer h.stop()
		sessions := h.audience(3 * paceBatch)
		time.Sleep(broadcastGap)
		h.source.set(tipWork(0, 1), "")
		time.Sleep(paceRest / 2)
		once.Store(true)
		h.source.changed()
		time.Sleep(broadcastGap)
		synctest.Wait()
		for _, sess := range sessions {
			if tips, _ := heard(sess); once.Load() || tips != "1" {
				t.Fatalf("got jobs of the tips %q", tips)
			}
		}
	})
}

// TestWorkOnce: who got the newest work by logging in, or because the last job was old, does
// not get it again in the round, unless there is something else to say.
func TestWorkOnce(t *testing.T) {
	scene(t, newFakeWork(0, hard), nil, func(t *testing.T, h *harness, c *client) {
		c.login("rig")
		sess := h.settle(1024)
		silent := func(when string) {
			t.Helper()
			sess.deliver(time.Now())
			c.ping(5)
			if line := c.line(); line != pong {
				t.Errorf("%s: %s", when, line)
			}
		}
		silent("after the login")
		time.Sleep(notifyEvery + tickEvery)
		c.job()
		silent("after a tick")
		sess.mu.Lock()
		sess.vardiff.diff *= 2
		sess.mu.Unlock()
		sess.deliver(time.Now())
		if j := c.job(); j.difficulty == 0 || j.clean {
			t.Errorf("another difficulty: %+v", j)
		}
		sess.mu.Lock()
		sess.afresh = true
		sess.mu.Unlock()
		sess.deliver(time.Now())
		if j := c.job(); !j.clean {
			t.Error("the job is not clean")
		}
	})
}

// TestPlainConnectionsFirst: a new Bitcoin block reaches those who take their job at once
// before anything has to be encrypted for others.
func TestPlainConnectionsFirst(t *testing.T) {
	server, err := New(testConfig("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	const n = 10 * fanBatch
	for i := range 2 * n {
		o := new(outbox)
		if i%2 == 0 {
			o.raw = struct{ syscall.RawConn }{}
		}
		server.add(&session{out: o})
	}
	var served, early atomic.Int64
	server.urge(func(sess *session) {
		if served.Add(1) <= n && sess.out.raw == nil {
			early.Add(1)
		}
	})
	if served.Load() != 2*n || early.Load() != 0 {
		t.Errorf("%d served, %d too early", served.Load(), early.Load())
	}
}

// fanOutOf brings a message of some length to n clients with this connection, and returns
// how many were dropped, and how long it took to queue all.
func fanOutOf(all *queues, n, length int, conn net.Conn) (dropped int, took time.Duration) {
	var sessions []*session
	for range n {
		o := newOutbox(conn, all)
		o.settle()
		sessions = append(sessions, &session{out: o})
	}
	start := time.Now()
	message := make([]byte, length)
	makeWay := all.makeWay(patience)
	fanOut(sessions, func(sess *session) {
		makeWay()
		sess.out.send(message)
	})
	took = time.Since(start)
	for _, sess := range sessions {
		if sess.out.finish() != nil || sess.out.dropped.Load() {
			dropped++
		}
	}
	return dropped, took
}

// TestFanOutDropsNoReader: though far more is to be written than may wait, nobody is dropped
// who reads what comes.
func TestFanOutDropsNoReader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const length = 1000
		all := newQueues(4 * runtime.GOMAXPROCS(0) * length) // each goes one above half of it
		dropped, took := fanOutOf(all, 20*fanBatch, length, reader{takes: 5 * time.Millisecond})
		if dropped > 0 || took == 0 || all.sum() != 0 {
			t.Errorf("%d dropped; it took %v", dropped, took)
		}
	})
}

// TestFanOutWaitsForNobodyDeaf: those who do not read hold up the others hardly at all.
func TestFanOutWaitsForNobodyDeaf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		all := newQueues(100_000)
		silent := deaf(t, all)
		silent.send(make([]byte, 60_000))
		dropped, took := fanOutOf(all, 20*fanBatch, 100, reader{})
		if dropped > 0 || took != wayRest*wayRests {
			t.Errorf("%d dropped after %v", dropped, took)
		}
		silent.cut(errTimeUp)
		if err := silent.finish(); err != errTimeUp {
			t.Error(err)
		}
	})
}

// TestFanOutLosesPatience: however long they take who read little by little, new work goes
// to all in the end.
func TestFanOutLosesPatience(t *testing.T) {
	bubble(t, func(t *testing.T) {
		all := newQueues(1 << 20)
		slow := newOutbox(reader{takes: wayRest}, all)
		slow.limit = all.max
		stop := make(chan struct{})
		go func() { // always more than half
			for {
				select {
				case <-stop:
					return
				default:
				}
				slow.mu.Lock()
				waits := slow.inFlight + len(slow.pending)
				slow.mu.Unlock()
				if waits < all.max*7/8 {
					slow.send(make([]byte, all.max/8))
				}
				time.Sleep(wayRest / 4)
			}
		}()
		time.Sleep(20 * wayRest)
		_, took := fanOutOf(all, 20*fanBatch, 10, reader{})
		if took > patience+wayRest {
			t.Errorf("it took %v", took)
		}
		close(stop)
		slow.finish()
	})
}
