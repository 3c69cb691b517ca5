package database

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/syndtr/goleveldb/leveldb"
)

// Folders beside that of a database, by what is appended to its path.
const (
	newSuffix     = ".new"     // a database in the making
	readySuffix   = ".ready"   // a complete one that will take the place of a damaged one
	salvageSuffix = ".salvage" // what could be read of a damaged one

	candidateSuffix = ".candidate" // of another chain, see Pair
)

// Open opens the database in the folder path, or makes it if there is none, and
// brings one of an older version up to date. A database that is damaged, locked,
// of another chain or of a newer version is left exactly as it was.
func Open(path string, chainID chainhash.Hash) (*Store, error) {
	return newEngine().open(path, chainID)
}

func (e *engine) open(path string, chainID chainhash.Hash) (*Store, error) {
	if err := e.settle(path, chainID); err != nil {
		return nil, fmt.Errorf("creating the database %s: %w", path, err)
	}
	version, err := e.survey(path, chainID)
	if err != nil {
		return nil, explain(path, err)
	}
	h, err := e.openLevelDB(path, readWrite)
	if err != nil {
		return nil, explain(path, err)
	}
	s, err := e.start(h, path, version, chainID)
	if err != nil {
		return nil, errors.Join(explain(path, err), h.close())
	}
	return s, nil
}

// start makes a Store of a database that was found healthy.
func (e *engine) start(h *handle, path string, version uint32, chainID chainhash.Hash) (*Store, error) {
	if err := e.upgrade(h, version, chainID); err != nil {
		return nil, err
	}
	s := &Store{engine: e, handle: h, path: path, chainID: chainID, added: make(map[chainhash.Hash]bool)}
	meta, err := readMeta(h.DB, chainID)
	if err != nil {
		return nil, err
	}
	s.key = meta.key
	if s.state, err = readState(h.DB, s.key); err != nil {
		return nil, err
	}
	if err := s.findTop(); err != nil {
		return nil, err
	}
	if err := s.pruneAgain(); err != nil {
		return nil, err
	}
	for _, leftover := range []string{newSuffix, readySuffix, salvageSuffix, candidateSuffix} {
		if err := e.disk.removeAll(path + leftover); err != nil {
			return nil, err
		}
	}
	s.mark, err = openMark(h.folder, s.state.appended, s.key)
	return s, err
}

// settle sees to it that there is a database at path. If Rebuild was interrupted
// between its two renames it does the second; otherwise it makes an empty one.
func (e *engine) settle(path string, chainID chainhash.Hash) error {
	if there, err := e.disk.exists(path); there || err != nil {
		return err
	}
	ready, err := e.disk.exists(path + readySuffix)
	if err != nil {
		return err
	}
	if ready {
		return e.move(path+readySuffix, path)
	}
	return e.create(path, chainID)
}

// create makes an empty database under another name and moves it to path,
// because a crash during LevelDB's first open can leave a folder that will not
// open again. What an earlier crash left under that name has never held a share.
func (e *engine) create(path string, chainID chainhash.Hash) error {
	if err := e.disk.makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := e.createAt(path+newSuffix, chainID); err != nil {
		return errors.Join(err, e.disk.removeAll(path+newSuffix))
	}
	return e.move(path+newSuffix, path)
}

// createAt makes an empty database in place of whatever is there.
func (e *engine) createAt(path string, chainID chainhash.Hash) error {
	if err := e.disk.removeAll(path); err != nil {
		return err
	}
	if err := e.disk.makeDir(path); err != nil {
		return err
	}
	h, err := e.openLevelDB(path, create)
	if err != nil {
		return err
	}
	key := newObfuscation()
	empty := appendState(nil, state{})
	key.apply(empty)
	batch := new(leveldb.Batch)
	batch.Put(metaKey, encodeMeta(schemaVersion, chainID, key))
	batch.Put(stateKey, empty)
	return errors.Join(e.write(h, batch), h.close())
}

// move renames a folder durably.
func (e *engine) move(from, to string) error {
	if err := e.disk.rename(from, to); err != nil {
		return err
	}
	return e.disk.syncDir(filepath.Dir(to))
}
