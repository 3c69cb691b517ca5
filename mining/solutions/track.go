package solutions

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
)

const (
	// lookInterval is how often the node is asked without a new tip.
	lookInterval = 30 * time.Second

	// lookGap is how old the answers may be that Refresh is content with.
	lookGap = time.Second

	// refreshWait is how long Refresh takes at most: somebody waits for it.
	refreshWait = 2 * time.Second

	// closeWait is how long Close takes at most. A busy disk takes seconds for what was
	// begun; who stops a program whose disk hangs should not have to kill it.
	closeWait = 10 * time.Second

	// maxLooks bounds the questions of a round. Blocks of 17 hours can be unsettled;
	// only on regtest are that many ours.
	maxLooks = 500

	// maxFailures is how many questions about blocks may fail in a round. A node that
	// hangs takes its time for each.
	maxFailures = 3
)

// Run follows the blocks until ctx ends. Its error is always nil: it gives up nothing.
func (j *Journal) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	j.submitLeft()
	for {
		j.round(ctx, 0)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-j.kick:
		}
	}
}

// Close saves the history and waits for what is being written, unless the disk or the log
// hangs. Nothing may be called afterwards.
func (j *Journal) Close() {
	j.end()
	done := make(chan struct{})
	go func() {
		defer close(done)
		j.saving <- struct{}{}
		j.save()
		j.writers.Wait()
		j.out.done.Wait()
	}()
	select {
	case <-done:
	case <-time.After(closeWait):
	}
}

// Refresh brings List up to date if it is older than a second, as far as the node answers
// within two. If it doesn't, List is as good as before.
func (j *Journal) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, refreshWait)
	defer cancel()
	return j.round(ctx, lookGap)
}

// round asks about all blocks whose fate may change, unless the last round is younger
// than age.
func (j *Journal) round(ctx context.Context, age time.Duration) error {
	select {
	case j.rounds <- struct{}{}:
		defer func() { <-j.rounds }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if j.cfg.Now().Sub(j.lastRound) < age {
		return nil
	}
	j.beside(j.probing, j.probe)
	err := j.lookAll(ctx)
	if err != nil && ctx.Err() == nil {
		j.out.say(j.log.Debug, "Looking for found blocks: %v", err)
	}
	j.lastRound = j.cfg.Now()
	j.beside(j.saving, j.save)
	return err
}

// beside does something with the disk, for which nobody waits: it may hang. It isn't done
// twice at a time, which the semaphore sees to.
func (j *Journal) beside(semaphore chan struct{}, do func()) {
	select {
	case semaphore <- struct{}{}:
	default:
		return
	}
	j.writers.Go(func() {
		defer func() { <-semaphore }()
		do()
	})
}

// lookAll asks about all blocks. What can't be learned of one says nothing of the next;
// but a node that answers nothing isn't asked any more. The error is the first.
func (j *Journal) lookAll(ctx context.Context) error {
	first := j.lookTip(ctx)
	failures := 0
	for _, r := range j.unsettled() {
		if ctx.Err() != nil {
			return cmp.Or(first, ctx.Err())
		}
		if failures < maxFailures {
			err := j.look(ctx, &r)
			if err == nil {
				continue
			}
			failures++
			first = cmp.Or(first, err)
		}
		if r.Status == Pending || r.Status == Rejected {
			j.resubmit(r.Hash, resubmitTimeout) // to nodes that aren't asked, and to ports for peers
		}
	}
	return first
}

// unsettled returns the blocks whose fate may change, the oldest first.
func (j *Journal) unsettled() []Record {
	list := slices.DeleteFunc(j.records(), func(r Record) bool { return r.Final })
	slices.Reverse(list)
	return list[:min(len(list), maxLooks)]
}

// lookTip asks for the height of the best block.
func (j *Journal) lookTip(ctx context.Context) error {
	j.mu.Lock()
	any := len(j.blocks) > 0
	j.mu.Unlock()
	if !any {
		return nil
	}
	hash, err := j.cfg.Node.TipHash(ctx)
	if err != nil {
		return err
	}
	info, err := j.cfg.Node.Header(ctx, hash)
	if errors.Is(err, bitcoind.ErrUnknownBlock) {
		return nil // another has it by now
	}
	if err != nil {
		return err
	}
	j.mu.Lock()
	j.tip = info.Height
	j.mu.Unlock()
	return nil
}

// look asks what has become of a block. The error is that of a node that doesn't answer.
func (j *Journal) look(ctx context.Context, r *Record) error {
	info, err := j.cfg.Node.Header(ctx, r.Hash)
	switch {
	case errors.Is(err, bitcoind.ErrUnknownBlock):
		return j.missing(ctx, r)
	case err != nil:
		return err
	case info.InBestChain && info.Confirmations >= Maturity:
		j.found(r.Hash, Matured, info.Confirmations, true)
	case info.InBestChain:
		j.found(r.Hash, Accepted, info.Confirmations, false)
	default:
		status := Orphaned
		if info.Invalid {
			status = Rejected
		}
		settled, err := j.rival(ctx, r.Hash, info.Height)
		if err != nil {
			return err
		}
		j.found(r.Hash, status, -1, settled)
		if info.Invalid && !settled {
			j.resubmit(r.Hash, resubmitTimeout) // another node may think otherwise
		}
	}
	return nil
}

// rival tells whether another block than ours has a height for good.
func (j *Journal) rival(ctx context.Context, ours chainhash.Hash, height uint32) (settled bool, err error) {
	hash, err := j.cfg.Node.HashAt(ctx, height)
	if errors.Is(err, bitcoind.ErrUnknownBlock) {
		return false, nil
	}
	if err != nil || hash == ours {
		return false, err
	}
	info, err := j.cfg.Node.Header(ctx, hash)
	if errors.Is(err, bitcoind.ErrUnknownBlock) {
		return false, nil // a reorganisation in between
	}
	return err == nil && info.Confirmations >= Maturity, err
}

// missing deals with a block that the node doesn't know.
func (j *Journal) missing(ctx context.Context, r *Record) error {
	settled, err := j.rival(ctx, r.Hash, r.Height)
	if err != nil {
		return err
	}
	status := Pending
	switch {
	case r.Reason != "" && r.Refusals > 0:
		status = Rejected
	case settled:
		status = Orphaned
	}
	j.found(r.Hash, status, 0, settled)
	if !settled {
		j.resubmit(r.Hash, resubmitTimeout)
	}
	return nil
}

// found notes what the node says of a block.
func (j *Journal) found(hash chainhash.Hash, status Status, confirmations int64, final bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.blocks[hash]
	if e == nil {
		return
	}
	e.Checked = j.cfg.Now().Unix()
	j.become(e, status, confirmations, final)
}

// become changes a block's status, and logs it. The lock must be held.
func (j *Journal) become(e *entry, status Status, confirmations int64, final bool) {
	old := e.Status
	if old == status && e.Final == final {
		e.Confirmations = confirmations
		return
	}
	e.Status, e.Confirmations, e.Final = status, confirmations, final
	j.dirty = true
	if old != status {
		e.Changed = j.cfg.Now().Unix()
		j.tell(e, old)
	}
	if final {
		e.held = nil
		if status != Rejected {
			j.remove(e)
		}
	}
}

// tell logs a change of status.
func (j *Journal) tell(e *entry, old Status) {
	whose := "found by another node"
	if e.Own {
		whose = "found here by " + mining.WorkerName(e.Worker)
	}
	const form = "Block %v at height %d, %s: "
	switch e.Status {
	case Pending:
		j.out.say(j.log.Warn, form+"the Bitcoin node doesn't know it any more", e.Hash, e.Height, whose)
	case Accepted:
		if old == Orphaned {
			j.out.say(j.log.Info, form+"it is in the best chain again", e.Hash, e.Height, whose)
			return
		}
		j.out.say(j.log.Info, form+"it is in the best chain", e.Hash, e.Height, whose)
	case Orphaned:
		j.out.say(j.log.Warn, form+"it lost to another block", e.Hash, e.Height, whose)
	case Rejected:
		j.out.say(j.log.Error, form+"the Bitcoin node calls it invalid: %s", e.Hash, e.Height, whose, cmp.Or(e.Reason, "it doesn't say why"))
	case Matured:
		j.out.say(j.log.Info, form+"it has matured", e.Hash, e.Height, whose)
	}
}
