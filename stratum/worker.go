package stratum

import (
	"cmp"
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
)

// maxWorkers bounds the workers that statistics are kept for. When it is reached one that
// has never handed in good work makes room, which costs nothing to be; if there is none,
// the one that has been away longest does, but only for one that has.
const maxWorkers = 10_000

// WorkerInfo is a snapshot of one worker's statistics. A worker is a username
// as authorized, on however many connections.
type WorkerInfo struct {
	Name    string // address.worker, or either part; "" for the node's own
	Address string // as typed by the miner; "" when the node's own is paid
	Worker  string
	Payee   []byte // output script of Address; nil when the node's own is paid

	UserAgent string      // of the latest connection, printable ASCII
	Class     share.Class // of the latest connection

	Connections    int       // live ones
	ConnectedSince time.Time // of the oldest live connection in a row; zero if none
	LastSubmit     time.Time // of an accepted submission; zero if none

	Difficulty     float64 // assigned last
	BestDifficulty float64 // of the best accepted submission ever
	BestSession    float64 // of the best of the present session, or of the last one

	// Submissions by verdict, since the worker was first seen. Shares are those among
	// Accepted that the sharechain took.
	Accepted, Shares, Stale, Duplicate, LowDifficulty, Invalid uint64

	Hashrate Hashrates

	// Latency is how long the device goes on with the old Bitcoin block after a job on a
	// new one was queued, estimated from LatencyBlocks of them, the recent ones of most
	// weight. Both are zero while nothing is known.
	Latency       time.Duration
	LatencyBlocks float64
}

// DeadOnArrival is the part of the work, by submissions, that was good but too late.
func (w *WorkerInfo) DeadOnArrival() float64 {
	if w.Stale == 0 {
		return 0
	}
	return float64(w.Stale) / float64(w.Accepted+w.Stale)
}

// worker keeps one worker's statistics. Safe for concurrent use.
type worker struct {
	mu    sync.Mutex
	info  WorkerInfo
	past  past // of the session that ended last
	meter meter
	late  lateness

	// The registry's mutex protects these. One that is listed and has neither is connected.
	away    *list.Element // in registry.away
	untried *list.Element // in registry.untried
}

// credit is an accepted submission.
type credit struct {
	difficulty float64 // of the job
	best       float64 // of the hash
	share      bool    // the sharechain took it
}

// accepted reports whether it was the first.
func (w *worker) accepted(c credit, now time.Time) (first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.info.Accepted++
	if c.share {
		w.info.Shares++
	}
	w.info.LastSubmit = now
	w.info.BestDifficulty = max(w.info.BestDifficulty, c.best)
	w.info.BestSession = max(w.info.BestSession, c.best)
	w.meter.add(c.difficulty*hashesPerDifficulty, now)
	return w.info.Accepted == 1
}

// newBlock notes that a connection of the worker got a job on a new Bitcoin block.
func (w *worker) newBlock(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late.block(w.meter.over(Over5m, now), w.info.Connections)
}

// isLate notes a good submission for another than the newest Bitcoin block.
func (w *worker) isLate(difficulty float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late.late += difficulty * hashesPerDifficulty
}

func (w *worker) rejected(e *stratumError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.code {
	case codeStale:
		w.info.Stale++
	case codeDuplicate:
		w.info.Duplicate++
	case codeLowDifficulty:
		w.info.LowDifficulty++
	default:
		w.info.Invalid++
	}
}

// begins notes that a connection is not the continuation of another one.
func (w *worker) begins() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.info.Connections <= 1 {
		w.info.BestSession = 0
	}
}

func (w *worker) assigned(difficulty float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.info.Difficulty = difficulty
}

func (w *worker) snapshot(now time.Time) WorkerInfo {
	w.mu.Lock()
	defer w.mu.Unlock()
	info := w.info
	info.Hashrate = w.meter.value(now)
	info.Latency, info.LatencyBlocks = w.late.value(), w.late.blocks
	return info
}

// registry holds the workers by name. Its mutex comes before a worker's.
type registry struct {
	mu      sync.Mutex
	workers map[string]*worker
	away    list.List // the *worker without a connection, the longest away in front
	untried list.List // the *worker that never had a submission accepted, those without a connection in front

	totalMu sync.Mutex
	total   meter
}

func newRegistry(now time.Time) *registry {
	return &registry{
		workers: make(map[string]*worker),
		total:   newMeter(now),
	}
}

// connect returns the worker of a name and counts a connection. When the registry is full
// of workers that have worked, a new one is not listed before it has.
func (r *registry) connect(id identity, userAgent string, class share.Class, now time.Time) *worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := id.name()
	w := r.workers[name]
	if w == nil {
		w = &worker{meter: newMeter(now)}
		w.info.Name, w.info.Address, w.info.Worker = name, id.address, id.worker
		if len(r.workers) < maxWorkers || r.evict(&r.untried) {
			r.workers[name] = w
			w.untried = r.untried.PushBack(w)
		}
	}
	r.returns(w)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.info.Payee, w.info.UserAgent, w.info.Class = id.payee, userAgent, class
	if w.info.Connections == 0 {
		w.info.ConnectedSince = now
	}
	w.info.Connections++
	return w
}

// returns notes that a worker has a connection. It MUST be called with the registry's
// mutex held.
func (r *registry) returns(w *worker) {
	switch {
	case w.untried != nil:
		r.untried.MoveToBack(w.untried)
	case w.away != nil:
		r.away.Remove(w.away)
		w.away = nil
	}
}

// evict forgets the first worker of one of the lists. It MUST be called with the
// registry's mutex held.
func (r *registry) evict(from *list.List) bool {
	first := from.Front()
	if first == nil {
		return false
	}
	w := from.Remove(first).(*worker)
	w.away, w.untried = nil, nil
	delete(r.workers, w.info.Name)
	return true
}

// proves notes the first accepted submission of a worker: it is listed from now on, and
// kept as long as there is room for those who have worked.
func (r *registry) proves(w *worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := w.name()
	switch listed := r.workers[name]; {
	case listed == w:
		r.untried.Remove(w.untried)
		w.untried = nil
	case listed != nil && listed.untried == nil:
		return // there is one of the name, which other connections have
	default:
		if listed != nil {
			r.untried.Remove(listed.untried)
			listed.untried = nil
		} else if len(r.workers) >= maxWorkers && !r.evict(&r.untried) && !r.evict(&r.away) {
			return // all are connected
		}
		r.workers[name] = w
	}
	w.mu.Lock()
	connections := w.info.Connections
	w.mu.Unlock()
	if connections == 0 {
		w.away = r.away.PushBack(w)
	}
}

// disconnect counts a connection less.
func (r *registry) disconnect(w *worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.info.Connections--
	if w.info.Connections > 0 {
		return
	}
	w.info.ConnectedSince = time.Time{}
	switch {
	case w.untried != nil:
		r.untried.MoveToFront(w.untried)
	case r.workers[w.info.Name] == w: // not if it was never listed
		w.away = r.away.PushBack(w)
	}
}

// credit counts accepted work of any worker.
func (r *registry) credit(difficulty float64, now time.Time) {
	r.totalMu.Lock()
	defer r.totalMu.Unlock()
	r.total.add(difficulty*hashesPerDifficulty, now)
}

func (r *registry) hashrate(now time.Time) float64 {
	r.totalMu.Lock()
	defer r.totalMu.Unlock()
	return r.total.over(Over5m, now)
}

// list returns all workers, by name.
func (r *registry) list(now time.Time) []WorkerInfo {
	r.mu.Lock()
	workers := make([]*worker, 0, len(r.workers))
	for _, w := range r.workers {
		workers = append(workers, w)
	}
	r.mu.Unlock()
	infos := make([]WorkerInfo, len(workers))
	for i, w := range workers {
		infos[i] = w.snapshot(now)
	}
	slices.SortFunc(infos, func(a, b WorkerInfo) int { return cmp.Compare(a.Name, b.Name) })
	return infos
}

// name is the name for logs and shares.
func (w *worker) name() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.info.Name
}
