package stratum

import (
	"fmt"
	"net"
	"sync/atomic"
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
