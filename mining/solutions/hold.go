package solutions

import (
	"cmp"

	"github.com/p2poold/p2poold/mining"
)

// maxHeld bounds the blocks in memory that aren't safe on disk: 64 MB. They are those of
// hours, even if every tenth block of Bitcoin were ours.
const maxHeld = 16

// hold keeps a block in memory until it is on disk, or its fate is final: as long as this
// program runs, a block needs no disk to be submitted again. The lock must be held.
func (j *Journal) hold(e *entry, b *mining.SolvedBlock) {
	if e.file != "" || e.held != nil || e.Final {
		return
	}
	e.held = b
	var surest *entry
	n := 0
	for _, other := range j.blocks {
		if other.held == nil {
			continue
		}
		n++
		if surest == nil || cmp.Or(-cmp.Compare(other.Confirmations, surest.Confirmations), cmp.Compare(other.Height, surest.Height)) < 0 {
			surest = other
		}
	}
	if n > maxHeld {
		surest.held = nil
	}
}

// writeHeld puts the blocks on disk that aren't there and aren't on their way, as when the
// disk is well again.
func (j *Journal) writeHeld() {
	var list []*mining.SolvedBlock
	j.mu.Lock()
	for _, e := range j.blocks {
		if e.held != nil && e.writing == nil {
			list = append(list, e.held)
		}
	}
	j.mu.Unlock()
	for _, b := range list {
		r := j.newRecord(b)
		j.startWrite(&r, b, 0)
	}
}
