package solutions

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/internal/atomicfile"
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

	// resubmitEvery is the pause between two submissions of a block that the node
	// doesn't know, and resubmitTimeout bounds each.
	resubmitEvery   = time.Minute
	resubmitTimeout = 30 * time.Second

	// maxRefusals is how often a block is submitted that the node rejects: it may do so
	// for want of something that it gets later, or be replaced by one without the fault.
	maxRefusals = 3

	// maxLooks bounds the questions of a round. Blocks of 17 hours can be unsettled;
	// only on regtest are that many ours.
	maxLooks = 500

	// probeEvery is how often it is tried whether the directory can be written.
	probeEvery = 5 * time.Minute
)

// Run follows the blocks until ctx ends. Its error is always nil: it gives up nothing.
func (j *Journal) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
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
	done := make(chan struct{})
	go func() {
		defer close(done)
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
	j.probe()
	err := j.lookTip(ctx)
	for _, r := range j.unsettled() {
		if err != nil || ctx.Err() != nil {
			break
		}
		err = j.look(ctx, &r)
	}
	if err != nil && ctx.Err() == nil {
		j.out.say(j.log.Debug, "Looking for found blocks: %v", err)
	}
	j.lastRound = j.cfg.Now()
	j.save()
	return err
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
			return j.resubmit(ctx, r.Hash) // another node may think otherwise
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
	if settled {
		return nil
	}
	return j.resubmit(ctx, r.Hash)
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

// resubmit submits a block of our own that the node doesn't know, if it is time to.
func (j *Journal) resubmit(ctx context.Context, hash chainhash.Hash) error {
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
	}
	j.mu.Unlock()
	if !due {
		return nil
	}
	if raw == nil {
		_, block, err := readFile(path)
		if err != nil {
			j.out.say(j.log.Error, "Found block in %s can't be read: %v", path, err)
			return nil
		}
		raw = mining.RawBlock{block}
	}
	j.out.say(j.log.Info, "Submitting block %v at height %d again", hash, height)
	ctx, cancel := context.WithTimeout(ctx, resubmitTimeout)
	defer cancel()
	err := j.cfg.Node.SubmitBlock(ctx, raw, nil)
	if err != nil {
		j.out.say(j.log.Warn, "Block %v at height %d was not accepted: %v", hash, height, err)
	}
	j.mu.Lock()
	if e := j.blocks[hash]; e != nil {
		j.refused(e, err)
	}
	j.mu.Unlock()
	if err == nil {
		j.Kick() // to see it there
	}
	return nil
}

// save writes the history if it has changed.
func (j *Journal) save() {
	j.mu.Lock()
	dirty := j.dirty
	j.dirty = false
	j.mu.Unlock()
	if !dirty {
		return
	}
	b, err := formatHistory(j.records())
	if err == nil {
		err = atomicfile.Write(filepath.Join(j.cfg.Dir, historyFile), b)
	}
	if err != nil {
		j.mu.Lock()
		j.dirty = true
		j.mu.Unlock()
		j.fail(err)
	}
}

// probe tries from time to time whether the directory can be written, so that a full or
// read-only disk is known of before it matters, and its repair as well.
func (j *Journal) probe() {
	now, broken := j.cfg.Now(), j.Health() != ""
	if now.Sub(j.lastProbe) < probeEvery && !(broken && now.Sub(j.lastProbe) >= lookInterval) {
		return
	}
	j.lastProbe = now
	const name = "probe"
	err := os.MkdirAll(j.cfg.Dir, dirMode)
	if err == nil {
		// More than a file system keeps in a directory entry.
		err = writeSynced(j.cfg.Dir, name, [][]byte{make([]byte, maxLine)}, func() {})
	}
	if err == nil {
		err = os.Remove(filepath.Join(j.cfg.Dir, name))
	}
	if err != nil {
		j.fail(err)
		return
	}
	j.mu.Lock()
	j.failure = ""
	j.mu.Unlock()
	j.writeHeld()
}
