package solutions

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
)

const (
	// resubmitEvery is the pause between two submissions of a block that the node
	// doesn't know, and resubmitTimeout bounds each.
	resubmitEvery   = time.Minute
	resubmitTimeout = 30 * time.Second

	// leftTimeout bounds the first submission after a start, as long as that of a new
	// block: when the power comes back the Bitcoin node takes minutes to start. It is for
	// the newest block, which alone may still be in time; others would keep it, or blocks
	// found since, from their turn.
	leftTimeout = 10 * time.Minute

	// maxRefusals is how often a block is submitted that the node rejects: it may do so
	// for want of something that it gets later, or be replaced by one without the fault.
	maxRefusals = 3

	// maxResubmits bounds the blocks that are submitted again at a time, and their
	// memory: 16 MB. The others' turn comes with the next rounds.
	maxResubmits = 4
)

// resubmit begins to submit a block of our own that the node doesn't know, if it is time
// to. It doesn't wait: with nodes that are away that takes its time, and other blocks and
// those who want to see them don't have it.
func (j *Journal) resubmit(hash chainhash.Hash, timeout time.Duration) {
	select {
	case j.resubmits <- struct{}{}:
	default:
		return
	}
	now := j.cfg.Now()
	j.mu.Lock()
	e := j.blocks[hash]
	due := e != nil && (e.file != "" || e.held != nil) && e.inFlight == 0 && e.Refusals < maxRefusals && now.Sub(e.submitted) >= resubmitEvery
	var path string
	var height uint32
	var raw mining.RawBlock
	if due {
		path, height, e.submitted = filepath.Join(j.cfg.Dir, e.file), e.Height, now
		if e.held != nil {
			raw = e.held.Raw
		}
		e.inFlight++
	}
	j.mu.Unlock()
	if !due {
		<-j.resubmits
		return
	}
	j.writers.Go(func() {
		defer func() { <-j.resubmits }()
		err := j.sendAgain(hash, height, path, raw, timeout)
		j.mu.Lock()
		if e := j.blocks[hash]; e != nil {
			e.inFlight = max(0, e.inFlight-1)
			e.submitted = j.cfg.Now()
			if rejected, ok := errors.AsType[*bitcoind.RejectedError](err); ok && rejected.NoParent() {
				e.submitted = time.Time{} // the block below may be ours, and on its way
			}
			j.refused(e, err)
		}
		j.mu.Unlock()
		j.beside(j.saving, j.save)
		if err == nil {
			j.Kick() // to see it there
		}
	})
}

// sendAgain submits a block, which is read from its file unless it is in memory.
func (j *Journal) sendAgain(hash chainhash.Hash, height uint32, path string, raw mining.RawBlock, timeout time.Duration) error {
	if raw == nil {
		_, block, err := readFile(path)
		if err != nil {
			j.out.say(j.log.Error, "Found block in %s can't be read: %v", path, err)
			return err
		}
		raw = mining.RawBlock{block}
	}
	j.out.say(j.log.Info, "Submitting block %v at height %d again", hash, height)
	ctx, cancel := context.WithTimeout(j.life, timeout)
	defer cancel()
	err := j.cfg.Node.SubmitBlock(ctx, raw, nil)
	if err != nil {
		j.out.say(j.log.Warn, "Block %v at height %d was not accepted: %v", hash, height, err)
	}
	return err
}

// submitLeft begins to submit the blocks that no submission of this run was for, without a
// question before: they must not wait for the answer of a node that hangs. The newest is
// first; the others follow from the oldest on, as each may build on the one before.
func (j *Journal) submitLeft() {
	list, timeout := j.unsent(), leftTimeout
	if n := len(list); n > 0 {
		list = slices.Concat(list[n-1:], list[:n-1])
	}
	for _, r := range list {
		j.mu.Lock()
		e := j.blocks[r.Hash]
		left := e != nil && e.submitted.IsZero()
		j.mu.Unlock()
		if left {
			j.resubmit(r.Hash, timeout)
			timeout = resubmitTimeout
		}
	}
}

// Rescue submits our own blocks that the node may not have, for 30 s at most, and returns
// those that it still doesn't have, the oldest first. It is for a program that ends because
// of an error, maybe before Run could do so, and nobody knows when it runs again.
func (j *Journal) Rescue(ctx context.Context) []Record {
	ctx, cancel := context.WithTimeout(ctx, resubmitTimeout)
	defer cancel()
	j.submitLeft()
	for {
		before := j.unsent()
		if len(before) == 0 || ctx.Err() != nil {
			return before
		}
		_ = j.round(ctx, 0)
		done := make(chan struct{})
		go func() {
			defer close(done)
			j.writers.Wait()
		}()
		select {
		case <-done:
			_ = j.round(ctx, 0)
		case <-ctx.Done():
		}
		if after := j.unsent(); len(after) >= len(before) {
			return after
		}
	}
}

// unsent returns our own blocks that the node isn't known to have and that could be
// submitted, the oldest first.
func (j *Journal) unsent() []Record {
	var list []Record
	for _, r := range j.unsettled() {
		j.mu.Lock()
		if e := j.blocks[r.Hash]; e != nil && r.Status == Pending && e.ready() {
			list = append(list, r)
		}
		j.mu.Unlock()
	}
	return list
}

// ready tells whether a block could be submitted. The lock must be held.
func (e *entry) ready() bool { return e.Own && (e.file != "" || e.held != nil) }
