package database

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/p2poold/p2poold/internal/atomicfile"
)

// disk is the file system as far as a database needs it. The crash tests have
// one of their own.
type disk interface {
	exists(path string) (bool, error)
	// names returns those of the entries of a folder.
	names(path string) ([]string, error)
	// makeDir makes a folder for its owner alone, and the folders above it.
	makeDir(path string) error
	rename(from, to string) error
	removeAll(path string) error
	// syncDir makes new, renamed and removed entries of a folder survive a loss
	// of power.
	syncDir(path string) error
	// size returns the bytes of all files in a folder.
	size(path string) (int64, error)
	// open locks a folder that exists, shared if only to read, and opens it.
	open(path string, readOnly bool) (folder, error)
}

// folder is an open folder: LevelDB's files, and the mark's beside them.
type folder interface {
	storage.Storage
	// readMark returns the content of the mark's file.
	readMark() ([]byte, error)
	// openMark opens the mark's file for writing and makes it if there is none.
	openMark() (markFile, error)
}

// markFile is what a mark needs of its file.
type markFile interface {
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// osDisk is the disk of the operating system.
type osDisk struct{}

func (osDisk) exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (osDisk) names(path string) (list []string, err error) {
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list, err
}

func (osDisk) makeDir(path string) error       { return os.MkdirAll(path, 0o700) }
func (osDisk) rename(from, to string) error    { return os.Rename(from, to) }
func (osDisk) removeAll(path string) error     { return os.RemoveAll(path) }
func (osDisk) size(path string) (int64, error) { return folderSize(path) }

func (osDisk) syncDir(path string) error { return atomicfile.SyncDir(path) }

// folderSize leaves out what disappears while it is looking.
func folderSize(path string) (size int64, err error) {
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
	}
	return size, err
}

func (osDisk) open(path string, readOnly bool) (folder, error) {
	files, err := storage.OpenFile(path, readOnly)
	if err != nil {
		return nil, err
	}
	return osFolder{files, path}, nil
}

// osFolder is an open folder of the operating system.
type osFolder struct {
	storage.Storage
	path string
}

func (f osFolder) markPath() string { return filepath.Join(f.path, markName) }

func (f osFolder) readMark() ([]byte, error) { return os.ReadFile(f.markPath()) }

func (f osFolder) openMark() (markFile, error) {
	return os.OpenFile(f.markPath(), os.O_RDWR|os.O_CREATE, 0o600)
}
