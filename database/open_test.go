package database

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
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
	meta := append(encodeMeta(schemaVersion+1, testChain, s.key), "something new"...)
	if err := s.handle.Put(metaKey, meta, nil); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	refused(t, path, ErrVersion, "version 3", "knows version 2", "matching release")
}

// TestDamagedRecords: records that LevelDB returns faithfully, but that are not
// what this package writes.
func TestDamagedRecords(t *testing.T) {
	record := func(n int) []byte { return appendRecord(nil, testShare(n), isRoot(n)) }
	key := func(n int) []byte { return shareKey(uint32(n), testShare(n).ID()) }
	counts := func(stored, appended uint64) []byte {
		return appendState(nil, state{stored, appended, 0, testShare(4).ID()})
	}
	tests := []struct {
		name string
		key  []byte
		put  []byte // nil to delete
	}{
		{"no meta", metaKey, nil},
		{"short meta", metaKey, []byte{1}},
		{"version 0", metaKey, encodeMeta(0, testChain, obfuscation{1})},
		{"long meta", metaKey, append(encodeMeta(2, testChain, obfuscation{1}), 0)},
		{"no obfuscation", metaKey, encodeMeta(2, testChain, obfuscation{})},
		{"other obfuscation", metaKey, encodeMeta(2, testChain, obfuscation{1})},
		{"no state", stateKey, nil},
		{"long state", stateKey, make([]byte, stateSize+1)},
		{"counts fewer", stateKey, counts(4, 5)},
		{"counts more", stateKey, counts(6, 6)},
		{"more than ever", stateKey, counts(5, 4)},
		{"odd key", []byte("qq"), make([]byte, 32)},
		{"odd share key", []byte("ss"), make([]byte, 32)},
		{"share key of version 1", shareKey1(make([]byte, 32)), record(1)},
		{"no share", key(1), nil},
		{"share too many", key(9), record(9)},
		{"empty share", key(1), []byte{}},
		{"short share", key(1), []byte{0, 2}},
		{"garbled share", key(1), make([]byte, 100)},
		{"other share", key(1), record(2)},
		{"unknown flags", key(1), append([]byte{2}, record(1)[1:]...)},
		{"other height", key(1), appendRecord(nil, shareAt(1, 2), false)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "shares")
			s := open(t, path)
			appendShares(t, s, 0, 5)
			err := s.handle.Delete(test.key, nil)
			if test.put != nil {
				if string(test.key) != string(metaKey) {
					s.key.apply(test.put)
				}
				err = s.handle.Put(test.key, test.put, nil)
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
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "--reindex") {
				t.Errorf("got %v", err)
			}
			r, err := Check(path, testChain, func(*share.Share, bool) error { return nil })
			if err != nil || r.Healthy() {
				t.Errorf("Check: %+v, %v", r, err)
			}
		})
	}
}

// TestEmptyRecord: Share does not trust what it reads.
func TestEmptyRecord(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "shares"))
	defer closeStore(t, s)
	id := testShare(1).ID()
	if err := s.handle.Put(shareKey(1, id), nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Share(1, id); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
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

// TestExplain: only what a new database can cure is called damage, and each error
// is explained once.
func TestExplain(t *testing.T) {
	for _, test := range []struct {
		err  error
		kind error
		say  string
	}{
		{os.ErrPermission, os.ErrPermission, "permissions"},
		{errors.New("too many open files"), nil, "p: too many"},
		{errors.Join(errors.New("input/output error"), nil), nil, "input/output"},
		{damage("it has 1 of 2 shares"), ErrCorrupt, "--reindex"},
		{io.ErrUnexpectedEOF, ErrCorrupt, "--reindex"},
		{explain("p", damage("x")), ErrCorrupt, "--reindex"},
	} {
		err := explain("p", test.err)
		if errors.Is(err, ErrCorrupt) != (test.kind == ErrCorrupt) || test.kind != nil && !errors.Is(err, test.kind) {
			t.Errorf("%v is %v", test.err, err)
		}
		if strings.Count(err.Error(), test.say) != 1 {
			t.Errorf("%q says %q not once", err, test.say)
		}
	}
	if err := explain("p", nil); err != nil {
		t.Error(err)
	}
}
