package database

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/syndtr/goleveldb/leveldb"

	"github.com/p2poold/p2poold/blockchain/share"
)

// version1 returns what version 1 had for the shares 0 to n−1, appended by height
// but for two neighbours each.
func version1(n int) *leveldb.Batch {
	le := binary.LittleEndian
	batch := new(leveldb.Batch)
	batch.Put([]byte("m"), append(le.AppendUint32(nil, 1), testChain[:]...))
	var tip chainhash.Hash
	for sequence := range n {
		number := min(sequence^1, n-1)
		if n%2 == 1 && sequence == n-1 {
			number = n - 1
		}
		sh := testShare(number)
		id := sh.ID()
		batch.Put(append([]byte("s"), id[:]...), sh.AppendEncode(le.AppendUint64(nil, uint64(sequence))))
		batch.Put(binary.BigEndian.AppendUint64([]byte("q"), uint64(sequence)), id[:])
		tip = testShare(n - 1).ID()
	}
	batch.Put([]byte("t"), append(le.AppendUint64(nil, uint64(n)), tip[:]...))
	return batch
}

// writeVersion1 makes a database of version 1.
func writeVersion1(t testing.TB, path string, n int) {
	t.Helper()
	db, err := leveldb.OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Write(version1(n), nil), db.Close()); err != nil {
		t.Fatal(err)
	}
	m := encodeMark(uint64(n))
	if err := os.WriteFile(filepath.Join(path, markName), m[:], 0o600); err != nil {
		t.Fatal(err)
	}
}

// upgraded checks a database of n shares, none of which is a root, as version 1
// knew none.
func upgraded(s *Store, n int) error {
	next := 0
	err := s.Load(func(sh *share.Share, root bool) error {
		if root || int(sh.Header.Nonce) != next { // Load checks the ID
			return fmt.Errorf("got share %d, want %d", sh.Data.Height, next)
		}
		next++
		return nil
	})
	if err != nil {
		return err
	}
	if next != n || s.Len() != uint64(n) || s.state.appended != uint64(n) || s.Base() != 0 {
		return fmt.Errorf("%d of %d shares, state %+v", next, n, s.state)
	}
	if n > 0 && s.Tip() != testShare(n-1).ID() {
		return fmt.Errorf("tip %v", s.Tip())
	}
	return nil
}

func TestUpgrade(t *testing.T) {
	for _, n := range []int{0, 1, 2, maxUpgrade - 1, maxUpgrade, 2*maxUpgrade + 7} {
		path := filepath.Join(t.TempDir(), "shares")
		writeVersion1(t, path, n)
		before := snapshot(t, path)
		var heights []int
		r, err := Check(path, testChain, func(s *share.Share, _ bool) error {
			heights = append(heights, int(s.Data.Height))
			return nil
		})
		if err != nil || !r.Healthy() || r.Version != 1 || r.Shares != uint64(n) || !slices.IsSorted(heights) || len(heights) != n {
			t.Errorf("%d shares: %+v, %v, %d in order %v", n, r, err, len(heights), slices.IsSorted(heights))
		}
		if diff := before.diff(snapshot(t, path)); diff != "" {
			t.Error(diff)
		}
		for range 2 {
			s := open(t, path)
			if err := upgraded(s, n); err != nil {
				t.Errorf("%d shares: %v", n, err)
			}
			it := s.handle.NewIterator(nil, nil)
			for it.Next() {
				if k := it.Key(); !isShareKey(k) && string(k) != "m" && string(k) != "t" {
					t.Errorf("record %x was left behind", k)
				}
			}
			it.Release()
			closeStore(t, s)
		}
	}
}

// TestUpgradeOfDamage: nothing is written to a damaged database of version 1, and
// what is intact of it can be salvaged.
func TestUpgradeOfDamage(t *testing.T) {
	id := testShare(3).ID()
	sequence := func(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'q'}, n) }
	tests := []struct {
		name string
		key  []byte
		put  []byte
		kept int
	}{
		{"no meta", metaKey, nil, 9},
		{"long meta", metaKey, make([]byte, 44), 9},
		{"no tip", stateKey, nil, 9},
		{"counts fewer", stateKey, append(binary.LittleEndian.AppendUint64(nil, 8), id[:]...), 9},
		{"counts more", stateKey, append(binary.LittleEndian.AppendUint64(nil, 10), id[:]...), 9},
		{"hole in the sequence", sequence(2), nil, 9},
		{"no first", sequence(0), nil, 9},
		{"sequence too long", sequence(9), id[:], 9},
		{"odd sequence", []byte("qq"), id[:], 9},
		{"odd place", sequence(2), []byte("x"), 9},
		{"twice", sequence(1), id[:], 9},
		{"no share", shareKey1(id[:]), nil, 9}, // what was deleted is found
		{"short share", shareKey1(id[:]), []byte{1, 2}, 8},
		{"garbled share", shareKey1(id[:]), make([]byte, 300), 8},
		{"other share", shareKey1(id[:]), testShare(4).AppendEncode(make([]byte, 8)), 8},
		{"share too many", shareKey(9, testShare(9).ID()), appendRecord(nil, testShare(9), false), 10},
		{"odd record", []byte("x"), []byte("x"), 9},
		{"short key", upgradeKey, []byte("x"), 9},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "shares")
			writeVersion1(t, path, 9)
			db, err := leveldb.OpenFile(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err = db.Delete(test.key, nil); test.put != nil {
				err = db.Put(test.key, test.put, nil)
			}
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			refused(t, path, ErrCorrupt, "--reindex")
			kept, err := Rebuild(path, testChain, salvageAll)
			if err != nil || kept == "" {
				t.Fatal(err)
			}
			s := open(t, path)
			if n := int(s.Len()); n != test.kept {
				t.Errorf("%d shares kept, want %d", n, test.kept)
			}
			closeStore(t, s)
		})
	}
}

// TestUpgradeGivesBackSpace: nothing is left of the old records after a restart.
func TestUpgradeGivesBackSpace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	const n = 5_000
	writeVersion1(t, path, n)
	closeStore(t, open(t, path))
	closeStore(t, open(t, path))
	size, err := folderSize(path)
	if perShare := size / n; err != nil || perShare > 450 {
		t.Errorf("%d bytes for each share, %v", perShare, err)
	}
}
