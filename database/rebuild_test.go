package database

import (
	"bytes"
	"errors"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

// salvageAll appends all shares in batches of 7, the last one as the tip.
func salvageAll(shares iter.Seq2[*share.Share, bool], dst *Store) error {
	var batch []blockchain.Accepted
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		defer func() { batch = batch[:0] }()
		return dst.Append(batch, batch[len(batch)-1].ID, 0)
	}
	last := uint32(0)
	for s, root := range shares {
		if s.Data.Height < last {
			return errors.New("not in order of height")
		}
		last = s.Data.Height
		if batch = append(batch, accept(s, root)); len(batch) == 7 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// beside returns the names in the folder of path, but for the longest part they
// have in common.
func beside(t *testing.T, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, strings.TrimPrefix(e.Name(), filepath.Base(path)))
	}
	return names
}

func TestRebuildHealthy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	appendShares(t, s, 0, 30)
	if err := s.Append(nil, testShare(29).ID(), 5); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	before := snapshot(t, path)
	kept, err := Rebuild(path, testChain, salvageAll)
	if err != nil || !regexp.MustCompile(`\.bad-\d{8}-\d{6}$`).MatchString(kept) || !strings.HasPrefix(kept, path) {
		t.Fatalf("kept %q, %v", kept, err)
	}
	if diff := before.diff(snapshot(t, kept)); diff != "" {
		t.Error(diff)
	}
	if names := beside(t, path); len(names) != 2 {
		t.Errorf("left %v", names)
	}
	s = open(t, path)
	if err := intactFrom(s, 5, 30); err != nil {
		t.Error(err)
	}
	closeStore(t, s)
}

// TestRebuildTwice: what was kept once is not overwritten within the same second.
func TestRebuildTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	closeStore(t, open(t, path))
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, want := range []string{".bad-20260304-050607", ".bad-20260304-050607-2", ".bad-20260304-050607-3"} {
		if kept, err := newEngine().rebuild(path, testChain, salvageAll, now); err != nil || kept != path+want {
			t.Errorf("kept %q, %v", kept, err)
		}
	}
}

func TestRebuildNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	kept, err := Rebuild(path, testChain, func(iter.Seq2[*share.Share, bool], *Store) error {
		return errors.New("nothing to salvage")
	})
	if kept != "" || err != nil {
		t.Fatalf("kept %q, %v", kept, err)
	}
	closeStore(t, open(t, path))
}

// TestRebuildRefused: when there is something wrong but the database, it stays as
// it is and nothing is left beside it.
func TestRebuildRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	appendShares(t, s, 0, 9)
	refused := func(chain chainhash.Hash, salvage Salvage, kind error, part string) {
		t.Helper()
		before := snapshot(t, path)
		kept, err := Rebuild(path, chain, salvage)
		if kept != "" || err == nil || kind != nil && !errors.Is(err, kind) || !strings.Contains(err.Error(), part) {
			t.Errorf("kept %q, %v", kept, err)
		}
		if diff := before.diff(snapshot(t, path)); diff != "" {
			t.Error(diff)
		}
		if names := beside(t, path); !slices.Equal(names, []string{""}) {
			t.Errorf("left %v", names)
		}
	}
	refused(testChain, salvageAll, ErrLocked, "stop the other p2poold")
	closeStore(t, s)
	refused(chainhash.Hash{1}, salvageAll, ErrOtherChain, "data directory of its own")
	full := errors.New("no space left on device")
	refused(testChain, func(shares iter.Seq2[*share.Share, bool], dst *Store) error {
		return errors.Join(salvageAll(shares, dst), full)
	}, full, "rebuilding the database "+path)
	s = open(t, path)
	if err := intact(s, 9); err != nil {
		t.Error(err)
	}
	if err := s.handle.Put(metaKey, append(encodeMeta(schemaVersion+1, testChain, s.key), 1), nil); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	refused(testChain, salvageAll, ErrVersion, "version 3")
}

// TestSettle: what an interrupted Rebuild can leave, and what becomes of it.
func TestSettle(t *testing.T) {
	database := func(n int) func(path string) {
		return func(path string) {
			s := open(t, path)
			appendShares(t, s, 0, n)
			closeStore(t, s)
		}
	}
	tests := []struct {
		name   string
		before map[string]func(path string)
		want   int
	}{
		{"copying", map[string]func(string){"": database(3), salvageSuffix: database(2)}, 3},
		{"filling", map[string]func(string){"": database(3), salvageSuffix: database(3), newSuffix: database(2)}, 3},
		{"complete", map[string]func(string){"": database(3), readySuffix: database(4)}, 3},
		{"between the renames", map[string]func(string){".bad-1": database(3), readySuffix: database(4)}, 4},
	}
	for _, test := range tests {
		for name, use := range map[string]func(path string) error{
			"open":    func(string) error { return nil },
			"rebuild": func(path string) error { _, err := Rebuild(path, testChain, salvageAll); return err },
		} {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "shares")
				for suffix, make := range test.before {
					make(path + ".tmp")
					if err := os.Rename(path+".tmp", path+suffix); err != nil {
						t.Fatal(err)
					}
				}
				if err := use(path); err != nil {
					t.Fatal(err)
				}
				s := open(t, path)
				if err := intact(s, test.want); err != nil {
					t.Error(err)
				}
				closeStore(t, s)
				for _, name := range beside(t, path) {
					if name != "" && !strings.HasPrefix(name, ".bad-") {
						t.Errorf("left %q", name)
					}
				}
			})
		}
	}
}

// TestRebuildWithout: whatever single file is missing or garbage, Rebuild makes a
// database again, and keeps all that the missing file did not hold.
func TestRebuildWithout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	for state, healthy := range healthy(t) {
		for _, name := range healthy.names() {
			for _, garbage := range [][]byte{nil, {}, bytes.Repeat([]byte{0xa5}, 5_000)} {
				f := maps.Clone(healthy)
				if f[name] = garbage; garbage == nil {
					delete(f, name)
				}
				f.write(t, path)
				kept, err := Rebuild(path, testChain, salvageAll)
				if err != nil {
					t.Fatalf("state %q, %s: %v", state, name, err)
				}
				s := open(t, path)
				n := int(s.Len())
				closeStore(t, s)
				if holdsShares := strings.HasSuffix(name, ".ldb") || strings.HasSuffix(name, ".log"); !holdsShares && n != damagedShares {
					t.Errorf("state %q, %s: %d shares kept", state, name, n)
				}
				if diff := f.diff(snapshot(t, kept)); diff != "" {
					t.Error(diff)
				}
				if err := os.RemoveAll(kept); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
