package stratum

import (
	"bytes"
	"cmp"
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
)

// maxWorkers bounds the workers that statistics are kept for. When it is
// reached the one that has been away longest makes room.
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
	BestDifficulty float64 // of the best accepted submission

	// Submissions by verdict. Shares are those among Accepted that the sharechain
	// took.
	Accepted, Shares, Stale, Duplicate, LowDifficulty, Invalid uint64

	// Hashrate, in hashes per second, over about one and ten minutes.
	Hashrate1m, Hashrate10m float64
}

// worker keeps one worker's statistics. Safe for concurrent use.
type worker struct {
	mu    sync.Mutex
	info  WorkerInfo
	past  past // of the session that ended last
	short meter
	long  meter

	away *list.Element // in registry.away, whose mutex protects it; nil while connected
}

// credit is an accepted submission.
type credit struct {
	difficulty float64 // of the job
	best       float64 // of the hash
	share      bool    // the sharechain took it
}

func (w *worker) accepted(c credit, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.info.Accepted++
	if c.share {
		w.info.Shares++
	}
	w.info.LastSubmit = now
	w.info.BestDifficulty = max(w.info.BestDifficulty, c.best)
	w.short.add(c.difficulty*hashesPerDifficulty, now)
	w.long.add(c.difficulty*hashesPerDifficulty, now)
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

func (w *worker) assigned(difficulty float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.info.Difficulty = difficulty
}

func (w *worker) snapshot(now time.Time) WorkerInfo {
	w.mu.Lock()
	defer w.mu.Unlock()
	info := w.info
	info.Hashrate1m = w.short.value(now)
	info.Hashrate10m = w.long.value(now)
	return info
}

// registry holds the workers by name. Its mutex comes before a worker's.
type registry struct {
	mu      sync.Mutex
	workers map[string]*worker
	away    list.List // the *worker without a connection, the longest away in front

	totalMu sync.Mutex
	total   meter
}

func newRegistry(now time.Time) *registry {
	return &registry{
		workers: make(map[string]*worker),
		total:   newMeter(10*time.Minute, now),
	}
}

// connect returns the worker of a name and counts a connection. When the
// registry is full of connected workers the new one is not listed.
func (r *registry) connect(id identity, userAgent string, class share.Class, now time.Time) *worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := id.name()
	w := r.workers[name]
	if w == nil {
		w = &worker{short: newMeter(time.Minute, now), long: newMeter(10*time.Minute, now)}
		w.info.Name, w.info.Address, w.info.Worker = name, id.address, id.worker
		if len(r.workers) < maxWorkers || r.evict() {
			r.workers[name] = w
		}
	}
	if w.away != nil {
		r.away.Remove(w.away)
		w.away = nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.info.Payee, w.info.UserAgent, w.info.Class = bytes.Clone(id.payee), userAgent, class
	if w.info.Connections == 0 {
		w.info.ConnectedSince = now
	}
	w.info.Connections++
	return w
}

// evict forgets the worker that has been away longest. It MUST be called with
// the registry's mutex held.
func (r *registry) evict() bool {
	oldest := r.away.Front()
	if oldest == nil {
		return false
	}
	w := r.away.Remove(oldest).(*worker)
	delete(r.workers, w.info.Name)
	return true
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
	if r.workers[w.info.Name] == w { // not if it was never listed
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
	return r.total.value(now)
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
