package database

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/syndtr/goleveldb/leveldb"
	ldberrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
)

// Errors to be told apart by callers.
var (
	// ErrNotFound says that a share is not in the store.
	ErrNotFound = errors.New("share not found in the database")
	// ErrCorrupt says that the database is damaged. The message tells how to
	// rebuild it.
	ErrCorrupt = errors.New("database is corrupted")
	// ErrLocked says that another process has the database open.
	ErrLocked = errors.New("database is in use by another process")
	// ErrOtherChain says that the database belongs to another sharechain.
	ErrOtherChain = errors.New("database belongs to another sharechain")
)

// Open opens the database in the folder path, or makes it if there is none. A
// database that is damaged, locked, of another chain or of a newer version is
// left exactly as it was.
func Open(path string, chainID chainhash.Hash) (*Store, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := create(path, chainID); err != nil {
			return nil, fmt.Errorf("creating the database %s: %w", path, err)
		}
	}
	if err := check(path, chainID); err != nil {
		return nil, err
	}
	db, closeDB, err := openLevelDB(path, options())
	if err != nil {
		return nil, openError(path, err)
	}
	s := &Store{db: db, closeDB: closeDB, path: path}
	if err := s.readMeta(chainID); err != nil {
		return nil, errors.Join(err, closeDB())
	}
	if s.mark, err = openMark(path); err != nil {
		return nil, errors.Join(openError(path, err), closeDB())
	}
	if err := s.mark.set(s.next); err != nil {
		return nil, errors.Join(s.writeError(err), s.mark.close(), closeDB())
	}
	return s, nil
}

// create makes an empty database under another name and moves it to path,
// because a crash during LevelDB's first open can leave a folder that will not
// open again. What an earlier crash left under that name has never held a share.
func create(path string, chainID chainhash.Hash) error {
	parent := filepath.Dir(path)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	temp := path + ".new"
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := os.Mkdir(temp, 0o700); err != nil {
		return err
	}
	o := options()
	o.ErrorIfMissing = false
	db, closeDB, err := openLevelDB(temp, o)
	if err != nil {
		return err
	}
	batch := new(leveldb.Batch)
	batch.Put(metaKey, encodeMeta(chainID))
	batch.Put(tipKey, encodeTip(0, chainhash.Hash{}))
	if err := errors.Join(db.Write(batch, &opt.WriteOptions{Sync: true}), closeDB()); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(parent)
}

// check looks at the database without changing it.
func check(path string, chainID chainhash.Hash) (err error) {
	o := options()
	o.ReadOnly = true
	db, closeDB, err := openLevelDB(path, o)
	if err != nil {
		return openError(path, err)
	}
	defer func() { err = errors.Join(err, closeDB()) }()
	s := &Store{db: db, path: path}
	if err := s.readMeta(chainID); err != nil {
		return err
	}
	if err := s.checkTables(); err != nil {
		return err
	}
	if acknowledged := readMark(path); s.next < acknowledged {
		return corrupt(path, fmt.Sprintf("it has %d of %d shares", s.next, acknowledged))
	}
	return nil
}

// checkTables reads all records, whose checksums LevelDB verifies, and counts
// them. The sequence must have no gap.
func (s *Store) checkTables() error {
	it := s.db.NewIterator(nil, &opt.ReadOptions{DontFillCache: true})
	defer it.Release()
	var numbers, shares uint64
	for it.Next() {
		switch key := it.Key(); {
		case bytes.Equal(key, sequenceKey(numbers)):
			numbers++
		case len(key) == 1+chainhash.HashSize && key[0] == sharePrefix:
			shares++
		case !bytes.Equal(key, metaKey) && !bytes.Equal(key, tipKey):
			return corrupt(s.path, fmt.Sprintf("share number %d is missing, or record %x one too many", numbers, key))
		}
	}
	if err := it.Error(); err != nil {
		return s.readError(err)
	}
	if numbers != s.next || shares != s.next {
		return corrupt(s.path, fmt.Sprintf("it has %d of %d shares", min(numbers, shares), s.next))
	}
	return nil
}

// readMeta checks version and chain and reads the tip.
func (s *Store) readMeta(chainID chainhash.Hash) error {
	meta, err := s.db.Get(metaKey, nil)
	if err != nil && !errors.Is(err, leveldb.ErrNotFound) {
		return s.readError(err)
	}
	if len(meta) != metaSize {
		return corrupt(s.path, "its meta record is missing or damaged")
	}
	if v := binary.LittleEndian.Uint32(meta); v != schemaVersion {
		return fmt.Errorf("database %s has version %d, this program knows version %d: use a matching release", s.path, v, schemaVersion)
	}
	if !bytes.Equal(meta[4:], chainID[:]) {
		return fmt.Errorf("%w: %s; each network and pool needs a data directory of its own", ErrOtherChain, s.path)
	}
	tip, err := s.db.Get(tipKey, nil)
	if err != nil && !errors.Is(err, leveldb.ErrNotFound) {
		return s.readError(err)
	}
	if len(tip) != tipSize {
		return corrupt(s.path, "its tip record is missing or damaged")
	}
	s.next = binary.LittleEndian.Uint64(tip)
	copy(s.tip[:], tip[8:])
	return nil
}

// openError turns LevelDB's failures into messages that say what to do.
func openError(path string, err error) error {
	switch {
	case isLocked(err):
		return fmt.Errorf("%w: %s; stop the other p2poold or choose another --datadir", ErrLocked, path)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("opening the database %s: %w; correct its owner and permissions", path, err)
	case isDamage(err):
		return corrupt(path, err.Error())
	}
	return fmt.Errorf("opening the database %s: %w", path, err)
}

// isDamage tells files that are missing, cut short or garbled from a disk or
// system that fails in other ways, which moving the folder would not cure.
func isDamage(err error) bool {
	for _, damage := range []error{os.ErrNotExist, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, damage) {
			return true
		}
	}
	_, record := errors.AsType[*ldberrors.ErrCorrupted](err)
	_, file := errors.AsType[*storage.ErrCorrupted](err)
	return record || file
}

// corrupt says how to rebuild. Deleting is left to the user.
func corrupt(path, detail string) error {
	return fmt.Errorf("%w: %s: %s. Nothing was deleted. To rebuild it, move the folder away (mv %s %s.bad) and start again: "+
		"the shares will be fetched from your peers", ErrCorrupt, path, detail, path, path)
}
