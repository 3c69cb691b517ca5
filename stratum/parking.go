package stratum

import (
	"container/list"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Limits of parked sessions.
const (
	// parkedFor is how long a session may go on after its connection has ended: as
	// long as any of its jobs is of use.
	parkedFor = maxJobAge
	// maxParkedJobs bounds the sessions that keep their jobs while they are parked, and
	// parkedJobs and parkedSeen what each of them keeps of those: the jobs of the last
	// minute, of less with other chains, and as many submissions as a device hands in in half an hour. With
	// more of them it keeps none. Each takes some 3 kB, 15 kB at worst: 12 to 60 MB for all.
	maxParkedJobs, parkedJobs, parkedSeen = 4096, 8, 512
	// sweepEvery is how often parked jobs are looked at.
	sweepEvery = 10 * time.Second
	// takeoverAge is the least age of a live connection that gives way to another one
	// that names its session. Clients that share one session by mistake would else end
	// each other's connections without a pause.
	takeoverAge = 10 * time.Second
)

// errTakenOver ends a connection.
var errTakenOver = errors.New("another connection goes on with the session")

// parked is what a session leaves to the connection that names it.
type parked struct {
	id          sessionID
	extranonce1 uint32 // reserved if whole; else of no meaning
	whole       bool   // all submissions that may come again are in jobs
	ended       time.Time

	userAgent string
	user      string // first name authorized
	vardiff   vardiff
	startedBy rank
	least     float64
	sentDiff  float64
	class     classState
	carrier   carrier
	jobs      jobTable
	tip       chainhash.Hash
}

// parking holds the sessions of all connections that were told theirs, and those whose
// connection has ended. Safe for concurrent use; its mutex comes before that of the
// allocator, and no session's is taken with it held.
type parking struct {
	extranonces *allocator
	limit       int // of parked sessions

	mu       sync.Mutex
	live     map[sessionID]*session
	parked   map[sessionID]*list.Element
	order    list.List // of *parked, the longest parked first
	withJobs int       // how many of them have jobs
	swept    time.Time
}

func newParking(extranonces *allocator, limit int) *parking {
	return &parking{
		extranonces: extranonces, limit: limit,
		live: make(map[sessionID]*session), parked: make(map[sessionID]*list.Element),
	}
}

// enter lists a session whose client is told its id.
func (p *parking) enter(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live[s.id] = s
}

// leave forgets a live session, and keeps what it leaves, if anything. What does not find
// room makes the longest parked give way.
func (p *parking) leave(s *session, left *parked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live[s.id] == s {
		delete(p.live, s.id)
	}
	if left != nil {
		p.add(left)
	}
}

// strip takes the jobs away, and gives the extranonce1 back.
func (left *parked) strip(extranonces *allocator) {
	left.jobs = jobTable{}
	if left.whole {
		left.whole = false
		extranonces.release(left.extranonce1)
	}
}

// add MUST be called with the mutex held.
func (p *parking) add(left *parked) {
	if len(left.jobs.jobs) > 0 {
		if p.withJobs < maxParkedJobs {
			p.withJobs++
		} else {
			left.strip(p.extranonces)
		}
	}
	if len(p.parked) >= p.limit {
		p.drop(p.order.Front())
	}
	p.parked[left.id] = p.order.PushBack(left)
}

// remove takes a parked session out. It MUST be called with the mutex held.
func (p *parking) remove(e *list.Element) *parked {
	left := p.order.Remove(e).(*parked)
	delete(p.parked, left.id)
	if len(left.jobs.jobs) > 0 {
		p.withJobs--
	}
	return left
}

// drop frees a parked session for good. It MUST be called with the mutex held.
func (p *parking) drop(e *list.Element) {
	p.remove(e).strip(p.extranonces)
}

// claim returns the session that a client at peer names, if it may go on there: one whose
// connection has ended, or has not been noticed to have, but then of the same host. The
// connection of the latter is ended.
func (p *parking) claim(id sessionID, peer netip.Addr, now time.Time) *parked {
	p.mu.Lock()
	if e := p.parked[id]; e != nil {
		defer p.mu.Unlock()
		left := p.remove(e)
		if now.Sub(left.ended) > parkedFor {
			left.strip(p.extranonces)
			return nil
		}
		return left
	}
	s := p.live[id]
	p.mu.Unlock()
	if s == nil || s.peer != peer || now.Sub(s.connected) < takeoverAge {
		return nil
	}
	left := s.surrender(now)
	if left == nil {
		return nil // it has nothing to leave, or is about to end
	}
	p.mu.Lock()
	if p.live[id] == s {
		delete(p.live, id)
	}
	p.mu.Unlock()
	s.out.cut(errTakenOver)
	return left
}

// sweep drops sessions that have been parked for too long, and jobs that are of no use any
// more. tip is the Bitcoin block of the newest work, zero while there is none.
func (p *parking) sweep(tip chainhash.Hash, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.swept) < sweepEvery {
		return
	}
	p.swept = now
	for e := p.order.Front(); e != nil && now.Sub(e.Value.(*parked).ended) > parkedFor; e = p.order.Front() {
		p.drop(e)
	}
	for e := p.order.Front(); e != nil && p.withJobs > 0; e = e.Next() {
		left := e.Value.(*parked)
		if len(left.jobs.jobs) == 0 {
			continue
		}
		if left.jobs.age(tip, now); len(left.jobs.jobs) == 0 {
			p.withJobs--
		}
	}
}

// save returns the parked sessions for the state file, the latest first.
func (p *parking) save() []savedSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []savedSession
	for e := p.order.Back(); e != nil && len(list) < maxSavedSessions; e = e.Prev() {
		if left := e.Value.(*parked); utf8.ValidString(left.user) {
			list = append(list, left.saved())
		}
	}
	return list
}

// restore parks the sessions of the state file that can still go on.
func (p *parking) restore(list []savedSession, now time.Time) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(list) - 1; i >= 0; i-- {
		left := restoredSession(&list[i], now)
		if now.Sub(left.ended) > parkedFor || p.parked[left.id] != nil {
			continue
		}
		p.add(left)
		n++
	}
	return n
}

// park reduces the jobs to what a parked session keeps. It reports whether all submissions
// for what is left are known; otherwise nothing is left.
func (t *jobTable) park() (whole bool) {
	t.drop(max(len(t.jobs)-parkedJobs, 0))
	if len(t.seen) > parkedSeen {
		*t = jobTable{}
		return false
	}
	t.jobs = slices.Clone(t.jobs) // with room for no more than these
	t.shrink()
	return true
}

// age frees the jobs that have expired, on a table that gets no new ones. tip is the
// Bitcoin block of the newest work.
func (t *jobTable) age(tip chainhash.Hash, now time.Time) {
	for i := range t.jobs {
		switch j := &t.jobs[i]; {
		case j.job.PrevBlock == tip:
			j.stale = 0
		case j.stale == 0 && tip != (chainhash.Hash{}):
			j.stale = secondsOf(now)
		}
	}
	for len(t.jobs) > 0 && t.jobs[0].expires() < secondsOf(now) {
		t.drop(1)
	}
	t.quiet = 0 // should the session go on
}
