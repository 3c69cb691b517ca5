package main

import (
	"context"
	"math"
	"time"
)

const (
	// batch is how many hashes a thread does between looks at the board: well
	// under a millisecond.
	batch = 1024
	// pacing is how often a thread with a limited hashrate pauses.
	pacing = 50 * time.Millisecond
)

// miner is one thread. Threads share the units of a work by their index.
type miner struct {
	board *board
	stats *stats

	index, threads uint64
	limit          float64 // hashes per second, 0 for none

	started uint64 // units so far; never reset, a resent job must not be searched twice
	due     time.Time
}

// run mines until ctx is done.
func (m *miner) run(ctx context.Context) {
	for {
		w := m.board.wait(ctx)
		if w == nil || ctx.Err() != nil {
			return
		}
		u := w.unit(m.started*m.threads + m.index)
		m.started++
		m.search(ctx, u)
	}
}

// search tries all nonces of a unit, or until there is newer work.
func (m *miner) search(ctx context.Context, u *unit) {
	size := m.batchSize()
	for nonce := uint64(0); nonce <= math.MaxUint32; nonce += size {
		if m.board.current.Load() != u.work || ctx.Err() != nil {
			return
		}
		end := min(nonce+size, math.MaxUint32+1)
		if !m.pace(ctx, end-nonce) {
			return
		}
		for n := nonce; n < end; n++ {
			u.header.SetNonce(uint32(n))
			hash := u.header.Hash()
			if !u.work.goal.Met(&hash) {
				continue
			}
			u.work.session.submit(ctx, u, uint32(n))
			if m.board.current.Load() != u.work {
				m.stats.hashes.Add(n + 1 - nonce)
				return
			}
		}
		m.stats.hashes.Add(end - nonce)
	}
}

// batchSize is smaller where the limit is, lest a batch take long.
func (m *miner) batchSize() uint64 {
	if m.limit == 0 {
		return batch
	}
	return max(1, min(batch, uint64(m.limit*pacing.Seconds())))
}

// pace waits until the limit allows so many hashes more. It is false when ctx
// ends first. Time not used, while there was no work, is not made up for.
func (m *miner) pace(ctx context.Context, hashes uint64) bool {
	if m.limit == 0 {
		return true
	}
	now := time.Now()
	if earliest := now.Add(-pacing); m.due.Before(earliest) {
		m.due = earliest
	}
	m.due = m.due.Add(time.Duration(float64(hashes) / m.limit * float64(time.Second)))
	if wait := m.due.Sub(now); wait >= 0 {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
	return true
}
