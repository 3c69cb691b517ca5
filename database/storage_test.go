package database

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/storage"
)

// TestNewFilesAreDurable: the directory is synced after each new file and before
// LevelDB gets hold of it.
func TestNewFilesAreDurable(t *testing.T) {
	disk := storage.NewMemStorage()
	fd := storage.FileDesc{Type: storage.TypeJournal, Num: 7}
	synced := 0
	s := carefulStorage{Storage: disk, failure: new(failure), syncDir: func() error {
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
	s.syncDir = func() error { return full }
	if _, err := s.Create(fd); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	for name, err := range map[string]error{"Write": second(w.Write([]byte{1})), "Sync": w.Sync(), "SetMeta": s.SetMeta(fd), "Remove": s.Remove(fd)} {
		if !errors.Is(err, full) {
			t.Errorf("%s after a failure: %v", name, err)
		}
	}
	if err := (osDisk{}).syncDir(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("synced a missing directory")
	}
}

// TestFooter: a table whose footer asks for more than the file has is not opened,
// and every other flip of a bit leaves it to LevelDB.
func TestFooter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	if err := s.Append(accepted(0, 500), testShare(499).ID(), 0); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	closeStore(t, open(t, path)) // moves the journal into a table
	for name, b := range snapshot(t, path) {
		if !strings.HasSuffix(name, ".ldb") || len(b) < 100_000 {
			continue
		}
		refused := 0
		for bit := range footerSize * 8 {
			flipped := slices.Clone(b)
			flipped[len(b)-footerSize+bit/8] ^= 1 << (bit % 8)
			fd := storage.FileDesc{Type: storage.TypeTable, Num: 1}
			if err := checkFooter(fd, tableFile{bytes.NewReader(flipped)}); err != nil {
				if !isDamage(err) {
					t.Fatal(err)
				}
				refused++
			}
		}
		if err := checkFooter(storage.FileDesc{}, tableFile{bytes.NewReader(b)}); err != nil || refused < 20 {
			t.Errorf("%d refused, %v", refused, err)
		}
		return
	}
	t.Error("no table")
}

func second(_ int, err error) error { return err }

type tableFile struct{ *bytes.Reader }

func (tableFile) Close() error { return nil }
