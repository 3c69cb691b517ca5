package solutions

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/p2poold/p2poold/mining"
)

const (
	// durableWait is how long Keep waits until the block survives a loss of power, from its
	// beginning on. Good disks make blocks below largeBlock durable in half of it; larger
	// ones, which have the head start against them, are at most written by then. The
	// submission goes on beside that: each millisecond of delay loses one block in 600,000
	// to another miner, far more than are lost because the power fails within the same
	// millisecond.
	durableWait = 2 * time.Millisecond

	// headStart is how long the writing of a block of largeBlock bytes and more waits. What
	// comes before its first bytes leave takes 0.3 ms; if the block is copied meanwhile and
	// processors are few, it takes several times as long. Of the time that all of its bytes
	// take to leave, for the last of which the file is waited for, this is a tenth.
	headStart  = 500 * time.Microsecond
	largeBlock = 256 << 10

	// writtenWait is how long it waits until the block survives the end of the program.
	// That is a copy in memory, unless the disk hangs.
	writtenWait = 100 * time.Millisecond

	// maxWriting bounds the blocks on their way to a disk that hangs, and with them
	// memory: 64 MB if their templates are gone.
	maxWriting = 16

	// maxFiles and maxFileBytes bound the blocks on disk: four times those that can be
	// unsettled, if every block of Bitcoin were ours.
	maxFiles     = 400
	maxFileBytes = 1 << 30

	// maxRejectedFiles are kept for people to look at.
	maxRejectedFiles = 20
)

// fileWrite is a block's file on its way to the disk.
type fileWrite struct {
	written chan struct{} // closed when its bytes are in the system's hands or never will be
	durable chan struct{} // closed when it is done
}

// write puts a block on disk and waits for that, within bounds.
func (j *Journal) write(r *Record, b *mining.SolvedBlock) {
	delay := headStart
	if b.Raw.Size() < largeBlock {
		delay = 0
	}
	w := j.startWrite(r, b, delay)
	if w == nil {
		return
	}
	start := time.NewTimer(writtenWait)
	defer start.Stop()
	short := time.NewTimer(durableWait)
	defer short.Stop()
	select {
	case <-w.durable:
		return
	case <-short.C:
	}
	select {
	case <-w.written:
	case <-start.C:
		j.fail(errors.New("the disk hangs"))
	}
}

// startWrite begins to put a block on disk, after a delay, unless another submission of it
// has. It returns nil if there is nothing to wait for: the file is there, or can't be.
func (j *Journal) startWrite(r *Record, b *mining.SolvedBlock, delay time.Duration) *fileWrite {
	w, begun := j.markWriting(r)
	if begun || w == nil {
		return w
	}
	select {
	case j.writing <- struct{}{}:
	default:
		j.wrote(r, 0, fmt.Errorf("%d blocks wait for the disk already", maxWriting))
		close(w.written)
		close(w.durable)
		return nil
	}
	j.writers.Go(func() {
		defer func() { <-j.writing }()
		defer close(w.durable)
		written := sync.OnceFunc(func() { close(w.written) })
		defer written()
		time.Sleep(delay)
		line, err := encodeLine(r, b.Raw, b.Share)
		if err == nil {
			err = writeBlock(j.cfg.Dir, fileName(r), slices.Concat(mining.RawBlock{line}, b.Raw), written)
		}
		j.wrote(r, b.Raw.Size(), err)
	})
	return w
}

// markWriting notes that a block's file is on its way. It returns nil if the file is there,
// and whether it was on its way already.
func (j *Journal) markWriting(r *Record) (w *fileWrite, begun bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.blocks[r.Hash]
	switch {
	case e == nil: // forgotten, for 5,000 others
		return newFileWrite(), false
	case e.file != "":
		return nil, false
	case e.writing != nil:
		return e.writing, true
	}
	e.writing = newFileWrite()
	return e.writing, false
}

func newFileWrite() *fileWrite { return &fileWrite{make(chan struct{}), make(chan struct{})} }

// wrote notes how the writing of a block file went.
func (j *Journal) wrote(r *Record, size int, err error) {
	if err != nil {
		j.fail(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.blocks[r.Hash]
	if e != nil {
		e.writing = nil
	}
	if err != nil {
		return
	}
	j.failure = ""
	if e != nil {
		e.file, e.size, e.held = fileName(r), size, nil
		if e.Final && e.Status != Rejected {
			j.remove(e) // the disk was slow, its fate fast
		}
	}
	j.limitFiles()
}

// limitFiles keeps within the limits of block files: first those go whose blocks are
// surest. The lock must be held.
func (j *Journal) limitFiles() {
	var list []*entry
	total, rejected := 0, 0
	for _, e := range j.blocks {
		if e.file != "" {
			list = append(list, e)
			total += e.size
		}
	}
	slices.SortFunc(list, func(a, b *entry) int {
		return cmp.Or(-cmp.Compare(a.Confirmations, b.Confirmations), cmp.Compare(a.Height, b.Height))
	})
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Status == Rejected {
			if rejected++; rejected > maxRejectedFiles {
				total -= list[i].size
				j.remove(list[i])
			}
		}
	}
	for i := 0; i < len(list) && (len(list)-i > maxFiles || total > maxFileBytes); i++ {
		if list[i].file != "" {
			total -= list[i].size
			j.remove(list[i])
		}
	}
}

// remove deletes a block's file, which its bytes are not needed any more for. The lock
// must be held; the deletion itself is left to a goroutine.
func (j *Journal) remove(e *entry) {
	if e.file == "" {
		return
	}
	path := filepath.Join(j.cfg.Dir, e.file)
	e.file, e.size = "", 0
	j.writers.Go(func() {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			j.fail(err)
		}
	})
}

// Health says why found blocks aren't safe on disk, "" if they are.
func (j *Journal) Health() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failure
}

// fail notes that the directory can't be used.
func (j *Journal) fail(err error) {
	text := fmt.Sprintf("found blocks can't be saved in %s: %v; they are submitted all the same, but not again after a restart",
		j.cfg.Dir, withoutPath(err))
	j.mu.Lock()
	changed := j.failure != text
	j.failure = text
	j.mu.Unlock()
	if changed {
		j.out.say(j.log.Error, "%s", strings.ToUpper(text[:1])+text[1:])
	}
}

// withoutPath drops the path from a file error, which the message has already.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}
