package database

import (
	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// maxPrune bounds the deletions of one batch, so that a node that was away for
// long does not stall at its first share: 4,096 take some milliseconds.
const maxPrune = 4_096

// prune adds the deletion of all shares below a height to the batch, or of as
// many whole heights as maxPrune allows, and enters them in the state. Whole
// heights, because of a lonely uncle at the bottom nobody could tell whether its
// nephew's parent is missing.
func (s *Store) prune(base uint32, next *state) error {
	if base == next.base {
		return nil
	}
	it := s.below(next.base, base)
	defer it.Release()
	var deleted uint64
	for at := next.base; it.Next(); deleted++ {
		height, _ := splitShareKey(it.Key())
		if height != at && int(deleted) >= s.engine.maxPrune {
			base = height
			break
		}
		at = height
		s.batch.Delete(it.Key())
	}
	next.base = base
	next.stored -= deleted
	return it.Error()
}

// pruneAgain deletes what should have been pruned already. LevelDB can bring
// deleted records back, if not in normal operation.
func (s *Store) pruneAgain() error {
	it := s.below(0, s.state.base)
	defer it.Release()
	for {
		s.batch.Reset()
		for s.batch.Len() < s.engine.maxPrune && it.Next() {
			s.batch.Delete(it.Key())
		}
		if s.batch.Len() == 0 {
			return it.Error()
		}
		if err := s.engine.write(s.handle, &s.batch); err != nil {
			return err
		}
	}
}

// below iterates over the shares from one height to below another.
func (s *Store) below(from, to uint32) iterator.Iterator {
	return s.handle.NewIterator(&util.Range{Start: appendHeightKey(nil, from), Limit: appendHeightKey(nil, to)}, scan)
}
