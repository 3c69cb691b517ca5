package database

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/syndtr/goleveldb/leveldb"
)

// meta is the record that says how to read the others.
type meta struct {
	version uint32
	key     obfuscation // zero in version 1
}

// readMeta reads the meta record and checks version and chain.
func readMeta(db *leveldb.DB, chainID chainhash.Hash) (meta, error) {
	b, err := get(db, metaKey, obfuscation{})
	if err != nil {
		return meta{}, err
	}
	return decodeMeta(b, chainID)
}

func decodeMeta(b []byte, chainID chainhash.Hash) (m meta, err error) {
	const missing = damage("its meta record is missing or damaged")
	if len(b) < 4 {
		return m, missing
	}
	m.version = binary.LittleEndian.Uint32(b)
	if m.version > schemaVersion {
		return m, fmt.Errorf("%w: it has version %d, this program knows version %d", ErrVersion, m.version, schemaVersion)
	}
	size := metaSize
	if m.version == 1 {
		size = metaSize1
	}
	if m.version == 0 || len(b) != size {
		return m, missing
	}
	if !bytes.Equal(b[4:metaSize1], chainID[:]) {
		return m, ErrOtherChain
	}
	if m.version > 1 {
		if m.key = obfuscation(b[metaSize1:]); m.key == (obfuscation{}) {
			return m, damage("its obfuscation key is missing")
		}
	}
	return m, nil
}

// get returns a record's plain value, nil if there is none.
func get(db *leveldb.DB, recordKey []byte, key obfuscation) ([]byte, error) {
	b, err := db.Get(recordKey, scan)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	key.apply(b)
	return b, nil
}

func readState(db *leveldb.DB, key obfuscation) (state, error) {
	b, err := get(db, stateKey, key)
	if err != nil {
		return state{}, err
	}
	return decodeState(b)
}

// survey looks at the database without changing it, and returns its version.
func (e *engine) survey(path string, chainID chainhash.Hash) (version uint32, err error) {
	h, err := e.openLevelDB(path, readOnly)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	m, err := readMeta(h.DB, chainID)
	if err != nil {
		return 0, err
	}
	acknowledged, _ := readMark(h.folder)
	return m.version, steps[m.version].survey(h.DB, m.key, acknowledged)
}

// surveyRecords reads all records, whose checksums LevelDB verifies, and counts
// them. Shares below the base are not counted: Open deletes them.
func surveyRecords(db *leveldb.DB, key obfuscation, acknowledged uint64) error {
	st, err := readState(db, key)
	if err != nil {
		return err
	}
	it := db.NewIterator(nil, scan)
	defer it.Release()
	var stored uint64
	for it.Next() {
		switch k := it.Key(); {
		case isShareKey(k):
			if height, _ := splitShareKey(k); height >= st.base {
				stored++
			}
		case !bytes.Equal(k, metaKey) && !bytes.Equal(k, stateKey):
			return damage(fmt.Sprintf("its record %x is unknown", k))
		}
	}
	if err := it.Error(); err != nil {
		return err
	}
	return count(stored, st.stored, st.appended, acknowledged)
}

// count compares the shares found with those that should be there.
func count(found, stored, appended, acknowledged uint64) error {
	if found != stored {
		return damage(fmt.Sprintf("it has %d of %d shares", found, stored))
	}
	if appended < acknowledged {
		return damage(fmt.Sprintf("it has %d of %d acknowledged shares", appended, acknowledged))
	}
	return nil
}
