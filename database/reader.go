package database

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/p2poold/p2poold/blockchain/share"
)

// reader reads what can be read of a database, of any version, healthy or not.
type reader struct {
	db      *leveldb.DB
	version uint32 // 0 if unknown
	chainID chainhash.Hash
	key     obfuscation // the copy beside the mark if LevelDB's cannot be read
	state   state       // zero if it cannot be read
}

// newReader returns a reader of db, even with an error that is damage. The folder
// is that of the mark.
func newReader(db *leveldb.DB, f folder, chainID chainhash.Hash) (*reader, error) {
	r := &reader{db: db, chainID: chainID}
	m, err := readMeta(db, chainID)
	r.version, r.key = m.version, m.key
	if err != nil {
		if !isDamage(err) {
			return r, err
		}
		r.version = 0
		_, r.key = readMark(f)
	}
	if r.version == 1 {
		shares, tip, err1 := state1(db)
		r.state = state{stored: shares, appended: shares, tip: tip}
		key, err2 := get(db, upgradeKey, obfuscation{})
		if len(key) == obfuscationSize {
			r.key = obfuscation(key)
		}
		return r, errors.Join(err1, err2)
	}
	st, err2 := readState(db, r.key)
	if err2 == nil {
		r.state = st
	}
	return r, errors.Join(err, err2)
}

// shares yields the shares that can be read, and whether each is a root, in
// ascending order of height. It tells problem what is wrong with the others as
// far as there is a trace of them.
func (r *reader) shares(problem func(error)) iter.Seq2[*share.Share, bool] {
	return func(yield func(*share.Share, bool) bool) {
		old := r.oldRecords()
		if len(old) > 0 {
			r.merge(old, problem, yield)
			return
		}
		it := r.db.NewIterator(util.BytesPrefix([]byte{sharePrefix}), tolerant)
		defer it.Release()
		var plain []byte
		for it.Next() {
			plain = append(plain[:0], it.Value()...)
			if !r.offer(it.Key(), plain, problem, yield) {
				return
			}
		}
		if err := it.Error(); err != nil {
			problem(err)
		}
	}
}

// offer decodes one record of version 2 and yields it. It returns false to end.
func (r *reader) offer(key, value []byte, problem func(error), yield func(*share.Share, bool) bool) bool {
	r.key.apply(value)
	s, root, err := decodeRecord(&r.chainID, key, value)
	if err != nil {
		problem(fmt.Errorf("the record %x is damaged: %w", key, err))
		return true
	}
	if s.Data.Height < r.state.base {
		return true // pruned, and brought back by Recover
	}
	return yield(s, root)
}

// record is where a share of a database that is older, or half upgraded, is found.
type record struct {
	height uint32
	key    []byte
}

// id returns the beginning of the ShareID, as far as all keys have it.
func (r record) id() []byte {
	if isShareKey(r.key) {
		_, id := splitShareKey(r.key)
		return id
	}
	return r.key[1 : 1+keyIDSize]
}

// oldRecords lists the shares of version 1 that can be read.
func (r *reader) oldRecords() (list []record) {
	it := r.db.NewIterator(util.BytesPrefix([]byte{sharePrefix1}), tolerant)
	defer it.Release()
	for it.Next() {
		if k := it.Key(); isShareKey1(k) {
			if _, s, err := decodeRecord1(k[1:], it.Value()); err == nil {
				list = append(list, record{s.Data.Height, slices.Clone(k)})
			}
		}
	}
	return list
}

// merge yields the shares of both versions.
func (r *reader) merge(list []record, problem func(error), yield func(*share.Share, bool) bool) {
	it := r.db.NewIterator(util.BytesPrefix([]byte{sharePrefix}), tolerant)
	for it.Next() {
		if k := it.Key(); isShareKey(k) {
			height, _ := splitShareKey(k)
			list = append(list, record{height, slices.Clone(k)})
		}
	}
	it.Release()
	slices.SortFunc(list, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.height, b.height), bytes.Compare(a.id(), b.id()))
	})
	list = slices.CompactFunc(list, func(a, b record) bool { return a.height == b.height && bytes.Equal(a.id(), b.id()) })
	for _, rec := range list {
		value, err := r.db.Get(rec.key, tolerant)
		if err != nil {
			problem(fmt.Errorf("the record %x cannot be read: %w", rec.key, err))
			continue
		}
		if isShareKey(rec.key) {
			if !r.offer(rec.key, value, problem, yield) {
				return
			}
			continue
		}
		if _, s, err := decodeRecord1(rec.key[1:], value); err == nil && !yield(s, false) {
			return
		}
	}
}
