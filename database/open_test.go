package database

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/syndtr/goleveldb/leveldb/storage"
)

// refused opens the folder, expects an error of that kind whose message has all
// the parts, and that the folder is as it was.
func refused(t *testing.T, path string, kind error, parts ...string) {
	t.Helper()
	before := snapshot(t, path)
	s, err := Open(path, testChain)
	if err == nil {
		closeStore(t, s)
		t.Fatal("opened")
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
	for _, part := range append(parts, path) {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if diff := before.diff(snapshot(t, path)); diff != "" {
		t.Errorf("the folder has changed: %s", diff)
	}
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	appendShares(t, s, 0, 3)
	refused(t, path, ErrLocked, "stop the other p2poold", "--datadir")
	appendShares(t, s, 3, 5)
	closeStore(t, s)
	s = open(t, path)
	if err := intact(s, 5); err != nil {
		t.Error(err)
	}
	closeStore(t, s)
}

func TestOtherChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s, err := Open(path, chainhash.Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	refused(t, path, ErrOtherChain, "data directory of its own")
}

func TestNewerVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	meta := encodeMeta(testChain)
	binary.LittleEndian.PutUint32(meta, schemaVersion+1)
	if err := s.db.Put(metaKey, meta, nil); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	refused(t, path, nil, "version 2", "knows version 1")
}

// TestDamagedRecords: records that LevelDB returns faithfully, but that are not
// what this package writes.
func TestDamagedRecords(t *testing.T) {
	tests := []struct {
		name string
		key  []byte
		put  []byte // nil to delete
	}{
		{"no meta", metaKey, nil},
		{"short meta", metaKey, []byte{1}},
		{"no tip", tipKey, nil},
		{"long tip", tipKey, make([]byte, tipSize+1)},
		{"tip counts fewer", tipKey, encodeTip(4, testShare(3).ID())},
		{"tip counts more", tipKey, encodeTip(6, testShare(3).ID())},
		{"hole in the sequence", sequenceKey(2), nil},
		{"sequence too long", sequenceKey(5), make([]byte, 32)},
		{"odd key", []byte("qq"), make([]byte, 32)},
		{"odd value", sequenceKey(2), []byte("x")},
		{"unknown share", sequenceKey(2), make([]byte, 32)},
		{"share twice", sequenceKey(2), func() []byte { id := testShare(1).ID(); return id[:] }()},
		{"no share", shareKey(testShare(1).ID()), nil},
		{"share too many", shareKey(testShare(9).ID()), encodeRecord(1, testShare(9))},
		{"short share", shareKey(testShare(1).ID()), []byte{1, 2}},
		{"garbled share", shareKey(testShare(1).ID()), make([]byte, 100)},
		{"other share", shareKey(testShare(1).ID()), encodeRecord(1, testShare(2))},
		{"other number", shareKey(testShare(1).ID()), encodeRecord(2, testShare(1))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "shares")
			s := open(t, path)
			appendShares(t, s, 0, 5)
			err := s.db.Delete(test.key, nil)
			if test.put != nil {
				err = s.db.Put(test.key, test.put, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			closeStore(t, s)
			s, err = Open(path, testChain)
			if err == nil {
				_, err = loadAll(s)
				closeStore(t, s)
			}
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "mv "+path) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestInterruptedCreation: what a crash can leave of a first start does not stand
// in the way of the second, and is gone after it.
func TestInterruptedCreation(t *testing.T) {
	leftovers := map[string]func(t *testing.T, temp string){
		"empty folder": func(t *testing.T, temp string) {
			if err := os.MkdirAll(temp, 0o700); err != nil {
				t.Fatal(err)
			}
		},
		"half a database": func(t *testing.T, temp string) {
			if err := os.MkdirAll(temp, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"MANIFEST-000000", "LOCK", "CURRENT.0"} {
				if err := os.WriteFile(filepath.Join(temp, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		},
		"a whole database": func(t *testing.T, temp string) { closeStore(t, open(t, temp)) },
	}
	for name, leave := range leftovers {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "shares")
			leave(t, path+".new")
			s := open(t, path)
			appendShares(t, s, 0, 2)
			closeStore(t, s)
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("left behind: %v, %v", entries, err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("others can read the folder: %v, %v", info.Mode(), err)
			}
		})
	}
}

func TestImpossiblePaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, file, nil, "not a directory")
	if _, err := Open(filepath.Join(file, "shares"), testChain); err == nil {
		t.Error("a database below a file")
	}
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(empty, testChain); !errors.Is(err, ErrCorrupt) {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestNoPermission(t *testing.T) {
	if os.Getuid() <= 0 {
		t.Skip("root and Windows ignore permissions")
	}
	path := filepath.Join(t.TempDir(), "shares")
	closeStore(t, open(t, path))
	current := filepath.Join(path, "CURRENT")
	if err := os.Chmod(current, 0); err != nil {
		t.Fatal(err)
	}
	refused(t, path, os.ErrPermission, "owner and permissions")
}

// TestOpenErrors: only what moving the folder away can cure is called damage.
func TestOpenErrors(t *testing.T) {
	if err := openError("p", os.ErrPermission); errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "permissions") {
		t.Error(err)
	}
	if err := openError("p", errors.New("too many open files")); errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	if err := (&Store{path: "p"}).readError(errors.New("input/output error")); errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}

// TestNewFilesAreDurable: the directory is synced after each new file and before
// LevelDB gets hold of it.
func TestNewFilesAreDurable(t *testing.T) {
	disk := storage.NewMemStorage()
	fd := storage.FileDesc{Type: storage.TypeJournal, Num: 7}
	synced := 0
	s := durableStorage{Storage: disk, sync: func() error {
		if list, err := disk.List(storage.TypeAll); err != nil || len(list) != 1 {
			t.Errorf("synced before the file was there: %v, %v", list, err)
		}
		synced++
		return nil
	}}
	w, err := s.Create(fd)
	if err != nil || synced != 1 {
		t.Fatalf("synced %d times, %v", synced, err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	full := errors.New("disk full")
	s.sync = func() error { return full }
	if _, err := s.Create(fd); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if err := syncDir(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("synced a missing directory")
	}
}
