package bench

import (
	"sync/atomic"
	"time"

	"github.com/p2poold/p2poold/cmd/p2pminer/internal/pow"
)

// A poller does a loop's I/O. It calls the loop's opened, received and lose, from
// wait only.
type poller interface {
	// dial begins a connection.
	dial(c *client) (link, error)
	// wait handles what has happened, or waits for something to happen until that
	// time at most. It returns how long it waited.
	wait(until int64) time.Duration
	// close frees everything but the links.
	close()
}

// link is a client's connection.
type link interface {
	// write sends a message. It does not wait for the server to read.
	write(b []byte) error
	// mute stops reading for good.
	mute()
	// shut closes the connection, with a reset or in good order.
	shut(reset bool)
}

// Times of a loop.
const (
	// longestWait is how late a loop may notice another phase.
	longestWait = 10 * time.Millisecond
	// pacing is the shortest sleep between submissions; what comes due in it is sent
	// together. Shorter ones cost more than what is sent.
	pacing = 200 * time.Microsecond
	// batch is how many logins or submissions a loop sends between two looks at what
	// has come in.
	batch = 64
)

// loop runs a share of the clients in one goroutine. Everything in it belongs to
// that goroutine; the counters of run are shared.
type loop struct {
	run    *run
	index  int
	poller poller
	hasher *pow.Hasher
	stats  stats

	clients  []*client // those begun; nil: gone for good
	next     int       // number of the next one to begin
	flying   []*client // logging in, in the order of their beginning
	inFlight int       // of them
	live     []*client // that can submit
	turn     int       // whose turn it is in live
	sent     int64     // submissions due so far
	filled   bool      // all have begun to submit as fast as answers come
	idle     []*client // and those of them that have no answer to go on from

	recent     [4]*body
	nextRecent int
	scratch    []byte
	e2         [maxExtranonce2]byte
	pestered   int64
}

// work runs the loop until the run's last phase.
func (l *loop) work() {
	defer l.finish()
	for {
		now := l.run.now()
		until := now + int64(longestWait)
		phase := l.run.phase.Load()
		switch phase {
		case phaseClose:
			return
		case phaseLogin:
			until = min(until, l.logins(now))
		case phasePrepare:
			if l.prepare() {
				until = now
			}
		case phaseMeasure:
			if l.run.cfg.submits() {
				until = min(until, l.submits(now))
			}
			l.pester(now)
		}
		l.expire(now)
		if waited := l.poller.wait(until); phase == phaseMeasure {
			l.stats.waited += waited
		}
	}
}

// logins begins those that are due and returns when the next one is.
func (l *loop) logins(now int64) int64 {
	cfg := l.run.cfg
	parallel := max(1, cfg.Parallel/cfg.Threads)
	for range batch {
		if l.next >= cfg.total() || l.inFlight >= parallel {
			return now + int64(longestWait)
		}
		if cfg.LoginRate > 0 {
			if due := int64(float64(l.next) / cfg.LoginRate * float64(time.Second)); due > now-l.run.began {
				return l.run.began + due
			}
		}
		l.begin(l.next)
		l.next += cfg.Threads
	}
	return now
}

// begin starts the login of a client.
func (l *loop) begin(number int) {
	c := &client{number: number, kind: l.run.kindOf(number), place: -1, begun: l.run.now()}
	l.run.started.Add(1)
	l.stats.begin(c.begun)
	l.inFlight++
	link, err := l.poller.dial(c)
	if err != nil {
		c.state = gone
		l.inFlight--
		l.stats.failed.add("cannot connect: " + err.Error())
		l.run.failed.Add(1)
		return
	}
	c.link = link
	l.clients = append(l.clients, c)
	l.flying = append(l.flying, c)
}

// loggedIn is called when a client has its first job.
func (l *loop) loggedIn(c *client, now int64) {
	c.state, c.ready = ready, now
	l.inFlight--
	l.stats.login.add(since(c.begun, now))
	l.stats.lastLogin = now
	l.run.loggedIn.Add(1)
	switch {
	case l.run.cfg.Mode == Cycle:
		l.stats.left++
		l.leave(c, false)
	case c.kind == mute:
		c.link.mute()
		l.stats.mute++
	default:
		c.place = len(l.live)
		l.live = append(l.live, c)
		l.run.connected.Add(1)
	}
}

// dropped ends a client that is to break off its login.
func (l *loop) dropped(c *client, reset bool) {
	if c.state == gone {
		return // by itself
	}
	l.inFlight--
	l.stats.dropped++
	l.run.dropped.Add(1)
	l.leave(c, reset)
}

// lose ends a client because of the server or the network.
func (l *loop) lose(c *client, reason string, now int64) {
	switch {
	case c.state == gone:
		return
	case c.state < ready:
		l.inFlight--
		if c.kind != whole && c.kind != mute {
			reason = "before it could break off: " + reason
		}
		l.stats.failed.add(reason)
		l.run.failed.Add(1)
	case c.kind == mute:
		l.stats.muteLost.add(since(c.ready, now))
	default:
		l.stats.lost.add(reason)
		l.stats.unanswered += uint64(len(c.pending))
		l.run.pending.Add(-int64(len(c.pending)))
		c.pending = nil
	}
	l.leave(c, false)
}

// leave closes a client's connection and forgets it.
func (l *loop) leave(c *client, reset bool) {
	if c.place >= 0 {
		last := l.live[len(l.live)-1]
		l.live[c.place], last.place = last, c.place
		l.live = l.live[:len(l.live)-1]
		c.place = -1
		l.run.connected.Add(-1)
	}
	c.state = gone
	c.link.shut(reset)
	c.rest = nil
}

// expire ends logins that have taken too long.
func (l *loop) expire(now int64) {
	for len(l.flying) > 0 {
		c := l.flying[0]
		if c.state < ready {
			if since(c.begun, now) < l.run.cfg.Timeout {
				return
			}
			l.stats.timedOut++
			l.lose(c, "timed out "+whereTo[c.state], now)
		}
		l.flying[0] = nil
		l.flying = l.flying[1:]
	}
}

// whereTo says what a login that timed out was waiting for.
var whereTo = map[state]string{
	connecting:  "connecting",
	configuring: "waiting for the answer to configure",
	subscribing: "waiting for the answer to subscribe",
	authorizing: "waiting for the answer to authorize",
	waiting:     "waiting for a job",
}

// send writes to a client.
func (l *loop) send(c *client, b []byte, now int64) {
	if c.state == gone {
		return
	}
	l.stats.bytesOut += uint64(len(b))
	if err := c.link.write(b); err != nil {
		l.lose(c, ioReason(err), now)
	}
}

// finish closes everything. What is left is reset: closed in good order, each connection
// would keep its local port busy for another minute.
func (l *loop) finish() {
	for _, c := range l.clients {
		if c.state != gone {
			l.stats.unanswered += uint64(len(c.pending))
			c.state = gone
			c.link.shut(true)
		}
	}
	l.poller.close()
}

// counters are what the loops tell the run while it goes on.
type counters struct {
	started, loggedIn, failed, dropped atomic.Int64 // logins
	connected                          atomic.Int64 // clients that can submit
	sent, answers, rejected, pending   atomic.Int64 // submissions
	prepared                           atomic.Int64 // loops that need not look for solutions any more
}
