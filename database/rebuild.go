package database

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/syndtr/goleveldb/leveldb"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Salvage fills an empty database with shares of a damaged one. They come in
// ascending order of height, each with whether it was stored as a root; any of
// them may be missing, and what the caller appends to dst is what will be left.
type Salvage = func(shares iter.Seq2[*share.Share, bool], dst *Store) error

// Rebuild makes a new database of what can be read of the one in the folder path,
// which is then kept under the name returned, path.bad-YYYYMMDD-HHMMSS. If there
// is none, an empty one is made and the name is "".
//
// The old database is only read. Rebuild takes three times the space of the
// database. It may be
// interrupted at any time: then the old one is there, or the new one, and what
// was left half done is removed by the next Rebuild or successful Open.
func Rebuild(path string, chainID chainhash.Hash, salvage Salvage) (kept string, err error) {
	return newEngine().rebuild(path, chainID, salvage, time.Now())
}

func (e *engine) rebuild(path string, chainID chainhash.Hash, salvage Salvage, now time.Time) (kept string, err error) {
	there, err := e.disk.exists(path)
	if err != nil {
		return "", explain(path, err)
	}
	if !there {
		s, err := e.open(path, chainID)
		if err != nil {
			return "", err
		}
		return "", s.Close()
	}
	old, err := e.disk.open(path, true) // nobody may write to it meanwhile
	if err != nil {
		return "", explain(path, err)
	}
	err = errors.Join(e.rescue(old, path, chainID, salvage), old.Close(), e.disk.removeAll(path+salvageSuffix))
	if err != nil {
		return "", errors.Join(fmt.Errorf("rebuilding the database %s: %w", path, explain(path, err)), e.disk.removeAll(path+newSuffix))
	}
	return e.swap(path, badSuffix, now)
}

// rescue makes a database at path.new of what is in the one at path.
func (e *engine) rescue(old folder, path string, chainID chainhash.Hash, salvage Salvage) error {
	for _, suffix := range []string{salvageSuffix, newSuffix, readySuffix} {
		if err := e.disk.removeAll(path + suffix); err != nil {
			return err
		}
	}
	src, err := e.openOrSalvage(old, path, chainID)
	if err != nil {
		return err
	}
	return errors.Join(e.fill(path+newSuffix, src, old, chainID, salvage), src.close())
}

// openOrSalvage opens a database if it is healthy, and otherwise one at
// path.salvage with the records that can be read of it.
func (e *engine) openOrSalvage(old folder, path string, chainID chainhash.Hash) (*handle, error) {
	_, err := e.survey(path, chainID)
	if err == nil {
		return e.openLevelDB(path, readOnly)
	}
	if !isDamage(err) {
		return nil, err
	}
	if err := e.disk.makeDir(path + salvageSuffix); err != nil {
		return nil, err
	}
	h, err := e.openLevelDB(path+salvageSuffix, create)
	if err != nil {
		return nil, err
	}
	// Unsynced: after a crash everything starts afresh.
	if err := salvage(old, func(b *leveldb.Batch) error { return h.Write(b, nil) }); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// fill makes a database at path and lets salvage fill it from src.
func (e *engine) fill(path string, src *handle, old folder, chainID chainhash.Hash, salvage Salvage) error {
	r, err := newReader(src.DB, old, chainID)
	if err != nil && !isDamage(err) {
		return err
	}
	if err := e.createAt(path, chainID); err != nil {
		return err
	}
	dst, err := e.open(path, chainID)
	if err != nil {
		return err
	}
	return errors.Join(salvage(r.shares(func(error) {}), dst), dst.Close())
}

// swap puts the database at path.new in the place of the one at path, which is kept
// under a name with that suffix. Under the name path.ready it is known to be
// complete, which one at path.new is not: see settle.
func (e *engine) swap(path, suffix string, now time.Time) (kept string, err error) {
	if err := e.move(path+newSuffix, path+readySuffix); err != nil {
		return "", err
	}
	if kept, err = e.keptAs(path, suffix, now); err != nil {
		return "", err
	}
	if err := e.move(path, kept); err != nil {
		return "", err
	}
	return kept, e.move(path+readySuffix, path)
}
