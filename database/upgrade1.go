package database

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Version 1 as it was, see the package's documentation. While it is upgraded,
// upgradeKey holds the obfuscation key of version 2, and the records of the first
// shares of the sequence are those of version 2.
const (
	metaSize1     = 4 + chainhash.HashSize
	stateSize1    = 8 + chainhash.HashSize
	sharePrefix1  = 's' // as in version 2, but the keys are shorter
	shareKeySize1 = 1 + chainhash.HashSize
	sequence1     = 'q'
	sequenceSize1 = 1 + 8
)

var upgradeKey = []byte("u")

func shareKey1(id []byte) []byte { return append([]byte{sharePrefix1}, id...) }

func isShareKey1(key []byte) bool { return len(key) == shareKeySize1 && key[0] == sharePrefix1 }

// state1 reads what version 1 had under stateKey.
func state1(db *leveldb.DB) (shares uint64, tip chainhash.Hash, err error) {
	b, err := get(db, stateKey, obfuscation{})
	if err != nil {
		return 0, tip, err
	}
	if len(b) != stateSize1 {
		return 0, tip, damage("its tip record is missing or damaged")
	}
	return binary.LittleEndian.Uint64(b), chainhash.Hash(b[8:]), nil
}

// decodeRecord1 reads the record of a share in version 1.
func decodeRecord1(id, value []byte) (sequence uint64, s *share.Share, err error) {
	if len(value) < 8 {
		return 0, nil, errors.New("record is missing or too short")
	}
	if s, err = share.Decode(value[8:]); err != nil {
		return 0, nil, err
	}
	if got := s.ID(); !bytes.Equal(got[:], id) {
		return 0, nil, fmt.Errorf("record holds another share, %v", got)
	}
	return binary.LittleEndian.Uint64(value), s, nil
}

// inSequence1 calls f with all shares of version 1 in the order of the sequence,
// and with the number of the first and the one after the last.
func inSequence1(db *leveldb.DB, f func(sequenceKey, id []byte, s *share.Share) error) (first, end uint64, err error) {
	it := db.NewIterator(util.BytesPrefix([]byte{sequence1}), scan)
	defer it.Release()
	for it.Next() {
		key, id := it.Key(), it.Value()
		if len(key) != sequenceSize1 || len(id) != chainhash.HashSize {
			return first, end, damage(fmt.Sprintf("its record %x is damaged", key))
		}
		number := binary.BigEndian.Uint64(key[1:])
		if end == 0 {
			first = number
		} else if number != end {
			return first, end, damage(fmt.Sprintf("share number %d is missing", end))
		}
		value, err := get(db, shareKey1(id), obfuscation{})
		if err != nil {
			return first, end, err
		}
		sequence, s, err := decodeRecord1(id, value)
		if err == nil && sequence != number {
			err = fmt.Errorf("record has the number %d, not %d", sequence, number)
		}
		if err != nil {
			return first, end, damage(fmt.Sprintf("share %x is damaged: %v", id, err))
		}
		if err := f(key, id, s); err != nil {
			return first, end, err
		}
		end = number + 1
	}
	return first, end, it.Error()
}

// survey1 checks a database of version 1, which may be half upgraded.
func survey1(db *leveldb.DB, _ obfuscation, acknowledged uint64) error {
	shares, _, err := state1(db)
	if err != nil {
		return err
	}
	key, err := get(db, upgradeKey, obfuscation{})
	if err != nil {
		return err
	}
	first, end, err := inSequence1(db, func([]byte, []byte, *share.Share) error { return nil })
	if err != nil {
		return err
	}
	if end == 0 { // all of them are upgraded
		first, end = shares, shares
		if key == nil {
			first, end = 0, 0
		}
	}
	if key == nil && first != 0 || key != nil && len(key) != obfuscationSize {
		return damage("share number 0 is missing")
	}
	older, newer, err := count1(db)
	if err != nil {
		return err
	}
	if older != end-first || newer != first {
		return damage(fmt.Sprintf("it has %d of %d shares", older+newer, shares))
	}
	return count(end, shares, shares, acknowledged)
}

// count1 reads all records, and counts the shares of either version.
func count1(db *leveldb.DB) (older, newer uint64, err error) {
	it := db.NewIterator(nil, scan)
	defer it.Release()
	for it.Next() {
		switch k := it.Key(); {
		case isShareKey1(k):
			older++
		case isShareKey(k):
			newer++
		case len(k) == sequenceSize1 && k[0] == sequence1:
		case !bytes.Equal(k, metaKey) && !bytes.Equal(k, stateKey) && !bytes.Equal(k, upgradeKey):
			return 0, 0, damage(fmt.Sprintf("its record %x is unknown", k))
		}
	}
	return older, newer, it.Error()
}

// maxUpgrade is how many shares one batch of an upgrade rewrites.
const maxUpgrade = 1_000

// upgrade1 turns version 1 into version 2: a share's record gets a new key and
// flags, its place in the sequence is dropped, and the values are obfuscated. It
// needs as much space again until LevelDB has tidied up.
func upgrade1(e *engine, h *handle, chainID chainhash.Hash) error {
	shares, tip, err := state1(h.DB)
	if err != nil {
		return err
	}
	batch := new(leveldb.Batch)
	key, err := upgradeObfuscation(h.DB, batch)
	if err != nil {
		return err
	}
	var record []byte
	_, _, err = inSequence1(h.DB, func(sequenceKey, id []byte, s *share.Share) error {
		record = appendRecord(record[:0], s, false)
		key.apply(record)
		batch.Put(shareKey(s.Data.Height, chainhash.Hash(id)), record)
		batch.Delete(shareKey1(id))
		batch.Delete(sequenceKey)
		if batch.Len() < 3*e.maxUpgrade {
			return nil
		}
		defer batch.Reset()
		return e.write(h, batch)
	})
	if err != nil {
		return err
	}
	record = appendState(record[:0], state{stored: shares, appended: shares, tip: tip})
	key.apply(record)
	batch.Put(stateKey, record)
	batch.Put(metaKey, encodeMeta(2, chainID, key))
	batch.Delete(upgradeKey)
	if err := e.write(h, batch); err != nil {
		return err
	}
	return h.CompactRange(util.Range{})
}

// upgradeObfuscation returns the key of the version in the making, from an
// earlier attempt or newly made and part of the first batch.
func upgradeObfuscation(db *leveldb.DB, batch *leveldb.Batch) (key obfuscation, err error) {
	b, err := get(db, upgradeKey, obfuscation{})
	if err != nil {
		return key, err
	}
	if b != nil {
		return obfuscation(b), nil
	}
	key = newObfuscation()
	batch.Put(upgradeKey, key[:])
	return key, nil
}
