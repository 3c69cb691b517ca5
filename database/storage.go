package database

import (
	"errors"
	"os"
	"runtime"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
)

// options: ten bits a key make one in a hundred look-ups of an absent share
// read the disk; hashes don't compress.
func options() *opt.Options {
	return &opt.Options{
		Filter:         filter.NewBloomFilter(10),
		Compression:    opt.NoCompression,
		ErrorIfMissing: true,
	}
}

// openLevelDB opens the folder path with durable directory entries. Closing it
// takes the returned function.
func openLevelDB(path string, o *opt.Options) (*leveldb.DB, func() error, error) {
	files, err := storage.OpenFile(path, o.ReadOnly)
	if err != nil {
		return nil, nil, err
	}
	db, err := leveldb.Open(durableStorage{Storage: files, sync: func() error { return syncDir(path) }}, o)
	if err != nil {
		return nil, nil, errors.Join(err, files.Close())
	}
	return db, func() error { return errors.Join(db.Close(), files.Close()) }, nil
}

// durableStorage makes the directory entry of a new file durable before
// anything is written to the file. LevelDB itself syncs the content of a new
// journal only, and after a loss of power the journal can be gone with
// everything that was acknowledged.
type durableStorage struct {
	storage.Storage
	sync func() error // of the directory
}

// Create makes a file.
func (s durableStorage) Create(fd storage.FileDesc) (storage.Writer, error) {
	w, err := s.Storage.Create(fd)
	if err != nil {
		return nil, err
	}
	if err := s.sync(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// syncDir makes new and renamed entries of a directory survive a loss of power.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // NTFS journals its directories and refuses the call
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
