package database

import (
	"errors"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

// Store is an open database.
type Store struct {
	engine  *engine
	handle  *handle
	path    string
	key     obfuscation
	chainID chainhash.Hash

	mu     sync.Mutex
	mark   *mark
	state  state // as last written
	top    int64 // the greatest height ever stored, −1 if there is none
	failed error // a write's, after which there are no others

	// What one Append leaves for the next to use again.
	batch  leveldb.Batch
	record []byte
	added  map[chainhash.Hash]bool
}

// maxKept is the longest batch, in bytes, whose memory is kept for the next one:
// that of 1,500 shares.
const maxKept = 1 << 20

// Close closes the database.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.handle.close(), s.mark.close())
}

// Append stores shares and the chain's tip after them, and deletes all shares
// below the height base, in one durable batch. A share that is stored already is
// left alone, one below base is not stored, and a base lower than before changes
// nothing. Of a great many shares to delete some are left to the next calls.
//
// After an error every further call returns ErrStopped.
func (s *Store) Append(accepted []blockchain.Accepted, tip chainhash.Hash, base uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return fmt.Errorf("%w: %w", ErrStopped, s.failed)
	}
	err := s.append(accepted, tip, base)
	if len(s.batch.Dump()) > maxKept {
		s.batch = leveldb.Batch{}
	}
	if err != nil {
		s.failed = fmt.Errorf("writing the database %s: %w", s.path, err)
		return s.failed
	}
	return nil
}

func (s *Store) append(accepted []blockchain.Accepted, tip chainhash.Hash, base uint32) error {
	if err := s.handle.failure.get(); err != nil { // in the background
		return err
	}
	s.batch.Reset()
	next, top := s.state, s.top
	next.tip = tip
	base = max(base, next.base)
	if err := s.insert(accepted, base, &next, &top); err != nil {
		return err
	}
	if err := s.prune(base, &next); err != nil {
		return err
	}
	s.record = appendState(s.record[:0], next)
	s.key.apply(s.record)
	s.batch.Put(stateKey, s.record)
	if err := s.engine.write(s.handle, &s.batch); err != nil {
		return err
	}
	s.state, s.top = next, top
	return s.mark.set(next.appended)
}

// insert adds the shares that are not stored yet to the batch. Only those that
// are no higher than another one before can be stored already.
func (s *Store) insert(accepted []blockchain.Accepted, base uint32, next *state, top *int64) error {
	clear(s.added)
	key := make([]byte, 0, shareKeySize)
	for i := range accepted {
		a := &accepted[i]
		height := a.Share.Data.Height
		if height < base || s.added[a.ID] {
			continue
		}
		key = appendShareKey(key[:0], height, &a.ID)
		if int64(height) <= s.top {
			if stored, err := s.handle.Has(key, nil); err != nil {
				return err
			} else if stored {
				continue
			}
		}
		s.record = appendRecord(s.record[:0], a.Share, a.Root)
		s.key.apply(s.record)
		s.batch.Put(key, s.record)
		s.added[a.ID] = true
		next.stored++
		next.appended++
		*top = max(*top, int64(height))
	}
	return nil
}

// findTop finds the greatest height stored.
func (s *Store) findTop() error {
	it := s.handle.NewIterator(util.BytesPrefix([]byte{sharePrefix}), scan)
	defer it.Release()
	s.top = -1
	if it.Last() && isShareKey(it.Key()) {
		height, _ := splitShareKey(it.Key())
		s.top = int64(height)
	}
	return it.Error()
}

// Share returns the encoding of a stored share, or ErrNotFound.
func (s *Store) Share(height uint32, id chainhash.Hash) ([]byte, error) {
	key := shareKey(height, id)
	value, err := s.handle.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, explain(s.path, err)
	}
	s.key.apply(value)
	sh, _, err := decodeRecord(&s.chainID, key, value)
	if err != nil {
		return nil, explain(s.path, damage(fmt.Sprintf("the record of share %v is damaged: %v", id, err)))
	}
	return sh.Encode(), nil
}

// Len returns the number of stored shares.
func (s *Store) Len() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.stored
}

// Tip returns the tip stored last, the zero hash for an empty chain.
func (s *Store) Tip() chainhash.Hash {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.tip
}

// Base returns the lowest height that is not pruned, 0 before the first pruning.
func (s *Store) Base() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.base
}

// Load calls restore for every share in ascending order of height, so that
// parents and uncles come before their children; root says that the share was
// accepted without its parent. It verifies that none is missing and that each
// record holds the share it is stored under; damage and restore's errors come
// back as ErrCorrupt.
func (s *Store) Load(restore func(s *share.Share, root bool) error) error {
	s.mu.Lock()
	it := s.handle.NewIterator(util.BytesPrefix([]byte{sharePrefix}), scan)
	want := s.state.stored
	s.mu.Unlock()
	defer it.Release()
	var found uint64
	var plain []byte
	for it.Next() {
		plain = append(plain[:0], it.Value()...)
		s.key.apply(plain)
		sh, root, err := decodeRecord(&s.chainID, it.Key(), plain)
		if err != nil {
			return explain(s.path, damage(fmt.Sprintf("the record %x is damaged: %v", it.Key(), err)))
		}
		if err := restore(sh, root); err != nil {
			return explain(s.path, damage(fmt.Sprintf("share %v at height %d: %v", sh.ID(), sh.Data.Height, err)))
		}
		found++
	}
	if err := it.Error(); err != nil {
		return explain(s.path, err)
	}
	if found != want {
		return explain(s.path, damage(fmt.Sprintf("it has %d of %d shares", found, want)))
	}
	return nil
}
