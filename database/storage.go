package database

import (
	"errors"
	"sync"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// carefulStorage makes good what LevelDB leaves out. It also ends all writing with
// the first write that fails: LevelDB tries again what it does in the background,
// but after a failed fsync(2) the next one may succeed without the data.
type carefulStorage struct {
	storage.Storage
	syncDir func() error // of the folder
	failure *failure
}

// failure is the first write that failed, nil for none.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// note remembers err if it is the first.
func (f *failure) note(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
	return err
}

// attempt does a write, unless one has failed before.
func (f *failure) attempt(write func() error) error {
	if err := f.get(); err != nil {
		return err
	}
	return f.note(write())
}

// Create makes a file, and its directory entry durable before anything is written
// to it. LevelDB itself syncs the content of a new journal only, and after a loss
// of power the journal can be gone with everything that was acknowledged.
func (s carefulStorage) Create(fd storage.FileDesc) (w storage.Writer, err error) {
	err = s.failure.attempt(func() error {
		if w, err = s.Storage.Create(fd); err != nil {
			return err
		}
		if err := s.syncDir(); err != nil {
			return errors.Join(err, w.Close())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return carefulWriter{w, s.failure}, nil
}

// SetMeta makes a manifest the current one.
func (s carefulStorage) SetMeta(fd storage.FileDesc) error {
	return s.failure.attempt(func() error { return s.Storage.SetMeta(fd) })
}

// Remove removes a file. It is no failure if it is not there.
func (s carefulStorage) Remove(fd storage.FileDesc) error {
	if err := s.failure.get(); err != nil {
		return err
	}
	return s.Storage.Remove(fd)
}

// Open opens a file to be read, if it is not a danger to memory.
func (s carefulStorage) Open(fd storage.FileDesc) (storage.Reader, error) {
	r, err := s.Storage.Open(fd)
	if err != nil || fd.Type != storage.TypeTable {
		return r, err
	}
	if err := checkFooter(fd, r); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Log drops what LevelDB says about its housekeeping, up to 2 MiB of it.
func (carefulStorage) Log(string) {}

// carefulWriter writes to a file of a carefulStorage.
type carefulWriter struct {
	storage.Writer
	failure *failure
}

// Write writes unless a write has failed before.
func (w carefulWriter) Write(b []byte) (n int, err error) {
	err = w.failure.attempt(func() error {
		n, err = w.Writer.Write(b)
		return err
	})
	return n, err
}

// Sync makes the file's content durable unless a write has failed before.
func (w carefulWriter) Sync() error { return w.failure.attempt(w.Writer.Sync) }
