package stratum

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
)

// TestNewBlockWaitsForNothing: in the gap after a round of jobs a new share tip waits, a
// new Bitcoin block doesn't; and of two jobs on one block only the first is clean.
func TestNewBlockWaitsForNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		c := h.connect()
		c.login("rig")
		time.Sleep(broadcastGap)
		on := func(block, other byte) *fakeWork {
			w := newFakeWork(block, hard)
			w.job.Coinb2 = append([]byte{other}, w.job.Coinb2...)
			return w
		}
		start := time.Now()
		expect := func(what string, at time.Duration, clean bool) {
			t.Helper()
			if j := c.job(); time.Since(start) != at || j.clean != clean {
				t.Errorf("%s: after %v, clean %v", what, time.Since(start), j.clean)
			}
		}
		h.source.set(on(0, 1), "")
		expect("a share tip", 0, false)
		time.Sleep(time.Millisecond)
		h.source.set(on(0, 2), "")
		time.Sleep(time.Millisecond)
		h.source.set(on(1, 1), "")
		expect("a block in the gap", 2*time.Millisecond, true)
		h.source.set(on(1, 2), "")
		expect("its full template", 2*time.Millisecond+broadcastGap, false)
		time.Sleep(5 * time.Second)
		start = time.Now()
		h.source.set(on(2, 1), "")
		expect("a block after the gap", 0, true)
	})
}

// arrivals are the jobs that many clients got.
type arrivals struct {
	mu   sync.Mutex
	list []arrival
}

type arrival struct {
	client int
	at     time.Time
	clean  bool
}

// watch notes the jobs of a client until its connection ends.
func (a *arrivals) watch(t *testing.T, i int, c *client) {
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return
		}
		if j, ok := parseNotify(t, line); ok {
			a.mu.Lock()
			a.list = append(a.list, arrival{i, time.Now(), j.clean})
			a.mu.Unlock()
		}
	}
}

// take returns how many clients had got their first clean or other job when, after start,
// and forgets everything.
func (a *arrivals) take(start time.Time, clean bool) map[time.Duration]int {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	got := make(map[time.Duration]int)
	var seen []int
	for _, j := range a.list {
		if j.clean == clean && !slices.Contains(seen, j.client) {
			seen = append(seen, j.client)
			got[j.at.Sub(start)]++
		}
	}
	return got
}

func (a *arrivals) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = nil
}

// TestPacedRound: new work goes out in batches, with rests in which answers go first, and
// a new Bitcoin block at once to everybody, also in the middle of a round.
func TestPacedRound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		const n = 3 * paceBatch
		var jobs arrivals
		var wg sync.WaitGroup
		var clients []*client
		for i := range n {
			c := h.connect()
			c.login("rig")
			clients = append(clients, c)
			wg.Go(func() { jobs.watch(t, i, c) })
		}
		time.Sleep(broadcastGap)
		work := func(block, tip byte) {
			w := newFakeWork(block, hard)
			w.job.Coinb2 = append([]byte{tip}, w.job.Coinb2...)
			h.source.set(w, "")
		}
		expect := func(what string, got map[time.Duration]int, want ...int) {
			t.Helper()
			for i, n := range want {
				if got[time.Duration(i)*paceRest/2] != n {
					t.Errorf("%s: jobs after %v, want %v each half rest", what, got, want)
					return
				}
			}
		}

		start := time.Now()
		work(0, 1)
		time.Sleep(broadcastGap)
		expect("a share tip", jobs.take(start, false), paceBatch, 0, paceBatch, 0, paceBatch)
		jobs.reset()

		time.Sleep(time.Second)
		start = time.Now()
		work(0, 2)
		time.Sleep(paceRest / 2)
		work(1, 3)
		time.Sleep(broadcastGap)
		expect("a share tip before a block", jobs.take(start, false), paceBatch, 0, 0)
		expect("a block in the round", jobs.take(start, true), 0, n)

		for _, c := range clients {
			c.conn.Close()
		}
		wg.Wait()
	})
}

// builds counts the jobs that are built.
type builds struct {
	*fakeWork
	n *atomic.Int64
}

func (b builds) Job(payee []byte, class share.Class) (*mining.Job, error) {
	b.n.Add(1)
	return b.fakeWork.Job(payee, class)
}

// TestMorePayeesThanJobs: a connection for whose job a workset has no room gets it built
// once, not each second, and what is handed in for it is known as for any other.
func TestMorePayeesThanJobs(t *testing.T) {
	var built atomic.Int64
	work := builds{newFakeWork(0, easy), &built}
	scene(t, work, func(c *Config) { c.StartDifficulty, c.MinDifficulty = easy, easiestDifficulty }, func(t *testing.T, h *harness, c *client) {
		ws := h.server.work.Load()
		ws.mu.Lock()
		for i := range maxPrepared {
			ws.jobs[jobKey{payee: string(appendUint32(nil, uint32(i)))}] = new(prepared)
		}
		ws.mu.Unlock()
		j := c.login("rig")
		nonce := j.solve(t, easy, 0, true)
		c.send(j.submitLine("rig", nonce))
		c.want(accepted)
		for range 2 * maxJobs / jobStep {
			j.id = c.job().id // every 25 s
		}
		c.send(j.submitLine("rig", nonce))
		c.want(rejectedWith("22", "duplicate"))
		if n := built.Load(); n != 1 {
			t.Errorf("%d jobs were built", n)
		}
	})
}
