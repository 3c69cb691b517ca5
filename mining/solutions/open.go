package solutions

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
)

// errNotOpen is why Block has nothing.
var errNotOpen = errors.New("there is no such block")

// Open returns our own blocks that others should submit too, the newest, up to count, the
// newest first: those that no Bitcoin node of ours is known to have. One that our nodes
// reject is among them as long as it is submitted again, for they may be wrong.
//
// It is asked each second, and few of 5,000 blocks are open, most of the time none.
func (j *Journal) Open(count int) (hashes []chainhash.Hash) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []*Record
	for _, e := range j.blocks {
		if e.open() {
			list = append(list, &e.Record)
		}
	}
	slices.SortFunc(list, newestFirst)
	for _, r := range list[:min(count, len(list))] {
		hashes = append(hashes, r.Hash)
	}
	return hashes
}

// open tells whether others should submit a block. The lock must be held.
func (e *entry) open() bool {
	undecided := e.Status == Pending || e.Status == Rejected && e.Refusals < maxRefusals
	return e.ready() && !e.Final && !e.bare && undecided
}

// Block returns a block of our own, from its file unless it is in memory. It takes as long
// as the disk does.
func (j *Journal) Block(hash chainhash.Hash) (*mining.SolvedBlock, error) {
	j.mu.Lock()
	e := j.blocks[hash]
	if e == nil || !e.ready() {
		j.mu.Unlock()
		return nil, errNotOpen
	}
	held, path := e.held, filepath.Join(j.cfg.Dir, e.file)
	j.mu.Unlock()
	if held != nil {
		return held, nil
	}
	l, block, err := readFile(path)
	if err != nil {
		return nil, err
	}
	s := l.share()
	if s == nil {
		return nil, errNotOpen
	}
	return &mining.SolvedBlock{Share: s, Raw: mining.RawBlock{block}, Worker: l.Worker, Own: true}, nil
}
