package database

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Store is an open database.
type Store struct {
	db      *leveldb.DB
	closeDB func() error
	path    string

	mu   sync.Mutex
	mark *mark
	next uint64         // sequence number of the next share
	tip  chainhash.Hash // as last written
}

// Close closes the database.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.closeDB(), s.mark.close())
}

// Append stores shares and the chain's tip after them in one durable batch. A
// share that is stored already is left alone.
func (s *Store) Append(shares []*share.Share, tip chainhash.Hash) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.next
	batch := new(leveldb.Batch)
	added := make(map[chainhash.Hash]bool, len(shares))
	for _, sh := range shares {
		id := sh.ID()
		stored, err := s.db.Has(shareKey(id), nil)
		if err != nil {
			return s.readError(err)
		}
		if stored || added[id] {
			continue
		}
		added[id] = true
		batch.Put(shareKey(id), encodeRecord(next, sh))
		batch.Put(sequenceKey(next), id[:])
		next++
	}
	batch.Put(tipKey, encodeTip(next, tip))
	if err := s.db.Write(batch, &opt.WriteOptions{Sync: true}); err != nil {
		return s.writeError(err)
	}
	s.next, s.tip = next, tip
	if err := s.mark.set(next); err != nil {
		return s.writeError(err)
	}
	return nil
}

// Share returns the encoding of a stored share, or ErrNotFound.
func (s *Store) Share(id chainhash.Hash) ([]byte, error) {
	value, err := s.db.Get(shareKey(id), nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, s.readError(err)
	}
	if len(value) < 8 {
		return nil, corrupt(s.path, fmt.Sprintf("the record of share %v is damaged", id))
	}
	return value[8:], nil
}

// Len returns the number of stored shares.
func (s *Store) Len() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// Tip returns the tip stored last, the zero hash for an empty chain.
func (s *Store) Tip() chainhash.Hash {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tip
}

// Load calls restore for every share in the order of Append. It verifies that
// none is missing and that each record hashes to the ID it is stored under;
// damage and restore's errors come back as ErrCorrupt.
func (s *Store) Load(restore func(*share.Share) error) error {
	it := s.db.NewIterator(util.BytesPrefix([]byte{sequencePrefix}), nil)
	defer it.Release()
	var count uint64
	for it.Next() {
		key, value := it.Key(), it.Value()
		if len(key) != 9 || len(value) != chainhash.HashSize || binary.BigEndian.Uint64(key[1:]) != count {
			return corrupt(s.path, fmt.Sprintf("the record of share number %d is missing", count))
		}
		if err := s.loadOne(count, chainhash.Hash(value), restore); err != nil {
			return err
		}
		count++
	}
	if err := it.Error(); err != nil {
		return s.readError(err)
	}
	if want := s.Len(); count != want {
		return corrupt(s.path, fmt.Sprintf("it has %d of %d shares", count, want))
	}
	return nil
}

func (s *Store) loadOne(sequence uint64, id chainhash.Hash, restore func(*share.Share) error) error {
	value, err := s.db.Get(shareKey(id), nil)
	if err != nil && !errors.Is(err, leveldb.ErrNotFound) {
		return s.readError(err)
	}
	if err != nil {
		return corrupt(s.path, fmt.Sprintf("share %v is missing", id))
	}
	stored, sh, err := decodeRecord(id, value)
	if err == nil && stored != sequence {
		err = fmt.Errorf("record has the number %d, not %d", stored, sequence)
	}
	if err != nil {
		return corrupt(s.path, fmt.Sprintf("share %v is damaged: %v", id, err))
	}
	if err := restore(sh); err != nil {
		return corrupt(s.path, err.Error())
	}
	return nil
}

func (s *Store) readError(err error) error {
	if isDamage(err) {
		return corrupt(s.path, err.Error())
	}
	return fmt.Errorf("reading the database %s: %w", s.path, err)
}

func (s *Store) writeError(err error) error {
	return fmt.Errorf("writing the database %s: %w", s.path, err)
}
