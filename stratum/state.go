package stratum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/p2poold/p2poold/internal/atomicfile"
)

// saveEvery is how often the state file is written. It is what a crash costs of the
// statistics; writing 10,000 workers takes some 50 ms and 5 MB.
const saveEvery = 5 * time.Minute

// loadState reads the state file. One that cannot be read is no reason not to start: it
// is put aside, and the log says so.
func (s *Server) loadState(now time.Time) {
	path := s.cfg.StateFile
	if path == "" {
		return
	}
	state, err := readState(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		s.cfg.Log.Warnf("Miners' statistics begin anew: %v", err)
		return
	}
	s.deps.registry.restore(state, &s.deps.names, now)
	if n := s.deps.parking.restore(state.sessions, now); n > 0 {
		s.cfg.Log.Infof("Sessions of miners that may go on: %d", n)
	}
}

// readState reads a state file. One that is not as it was written is renamed.
func readState(path string) (*savedState, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxStateFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	state, err := decodeState(b)
	if err != nil {
		aside := path + ".damaged"
		return nil, errors.Join(fmt.Errorf("%s: %w; it is kept as %s", path, err, aside), os.Rename(path, aside))
	}
	return state, nil
}

// saveState writes the state file.
func (s *Server) saveState(now time.Time) {
	if s.cfg.StateFile == "" {
		return
	}
	state := savedState{at: now, workers: s.deps.registry.save(now), sessions: s.deps.parking.save()}
	b, err := state.encode()
	if err == nil {
		err = atomicfile.Write(s.cfg.StateFile, b)
	}
	if err != nil {
		s.cfg.Log.Errorf("Miners' statistics cannot be saved: %v", err)
	}
}

// keepState writes the state file now and then. Run writes it at the end.
func (s *Server) keepState(ctx context.Context) {
	for pause(ctx, saveEvery) == nil {
		s.saveState(time.Now())
	}
}

// save returns the workers for the state file, those longest away first.
func (r *registry) save(now time.Time) []savedWorker {
	r.mu.Lock()
	workers := make([]*worker, 0, len(r.workers))
	for e := r.away.Front(); e != nil; e = e.Next() {
		workers = append(workers, e.Value.(*worker))
	}
	for _, w := range r.workers {
		if w.away == nil {
			workers = append(workers, w)
		}
	}
	r.mu.Unlock()
	saved := make([]savedWorker, len(workers))
	for i, w := range workers {
		saved[i] = w.saved(now)
	}
	return saved
}

// restore lists the workers of the state file, unless their address is of another network.
func (r *registry) restore(state *savedState, n *names, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range state.workers {
		saved := &state.workers[i]
		id := identity{address: saved.Address, worker: saved.Worker}
		var err error
		if id.payee, err = n.payee(saved.Address); err != nil || (id.payee == nil) != (id.address == "") {
			continue
		}
		name := id.name()
		if r.workers[name] != nil || len(r.workers) >= maxWorkers {
			continue
		}
		w := restoredWorker(saved, id, state.at, now)
		if saved.Accepted > 0 {
			w.away = r.away.PushBack(w)
		} else {
			w.untried = r.untried.PushBack(w)
		}
		r.workers[name] = w
		r.total.join(&w.meter)
	}
}

// saved is a worker as the state file has it.
func (w *worker) saved(now time.Time) savedWorker {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := &w.info
	s := savedWorker{
		Address: i.Address, Worker: i.Worker, UserAgent: i.UserAgent, Class: i.Class.Outputs(), LastSubmit: unix(i.LastSubmit),
		Difficulty: finite(i.Difficulty), Best: finite(i.BestDifficulty), BestSession: finite(i.BestSession),
		Accepted: i.Accepted, Shares: i.Shares, Stale: i.Stale, Duplicate: i.Duplicate, Low: i.LowDifficulty, Invalid: i.Invalid,
		Since: unix(w.meter.start), Late: finite(w.late.late), LateRates: finite(w.late.rates), LateBlocks: finite(w.late.blocks),
	}
	for span := range s.Rates {
		s.Rates[span] = min(w.meter.aged(span, now), maxRate)
	}
	if p := &w.past; !p.at.IsZero() {
		s.Past = &savedPast{UserAgent: p.userAgent, Difficulty: p.difficulty, Class: p.class.Outputs(), Lowered: p.lowered, At: unix(p.at)}
	}
	return s
}

// restoredWorker is the inverse, for a valid s that was saved at a time.
func restoredWorker(s *savedWorker, id identity, at, now time.Time) *worker {
	class, _ := classOf(s.Class)
	w := &worker{
		info: WorkerInfo{
			Name: id.name(), Address: id.address, Worker: id.worker, Payee: id.payee, UserAgent: s.UserAgent, Class: class,
			LastSubmit: fromUnix(s.LastSubmit, now), Difficulty: s.Difficulty, BestDifficulty: s.Best, BestSession: s.BestSession,
			Accepted: s.Accepted, Shares: s.Shares, Stale: s.Stale, Duplicate: s.Duplicate, LowDifficulty: s.Low, Invalid: s.Invalid,
		},
		meter: meter{start: fromUnix(s.Since, now), last: fromUnix(at.Unix(), now), rates: s.Rates},
		late:  lateness{late: s.Late, rates: s.LateRates, blocks: s.LateBlocks},
	}
	if p := s.Past; p != nil {
		w.past = past{userAgent: p.UserAgent, difficulty: p.Difficulty, lowered: p.Lowered, at: fromUnix(p.At, now)}
		w.past.class, _ = classOf(p.Class)
	}
	return w
}
