package database

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/syndtr/goleveldb/leveldb"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

const (
	salvageShares = 3_000
	salvageBatch  = 10
	// salvageRecord is more than one of their records and its key take.
	salvageRecord = 400
)

// salvageStates returns databases with salvageShares shares: in the journal, and
// in tables.
func salvageStates(t *testing.T) map[string]files {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	for n := 0; n < salvageShares; n += salvageBatch {
		if err := s.Append(accepted(n, n+salvageBatch), testShare(n+salvageBatch-1).ID(), 0); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	states := map[string]files{"journal": snapshot(t, path)}
	closeStore(t, open(t, path))
	states["tables"] = snapshot(t, path)
	return states
}

// positions returns where in a file the keys of the shares are, −1 if not. One that a
// block of the journal cuts in two is given the place of the share before it.
func positions(b []byte) []int {
	at := make([]int, salvageShares)
	for n := range at {
		id := testShare(n).ID()
		at[n] = bytes.Index(b, id[:keyIDSize])
		if at[n] < 0 && n > 0 {
			at[n] = at[n-1]
		}
	}
	return at
}

// reach returns the part of a file that LevelDB may give up for a flipped bit.
// Of a journal it drops the rest of a 32 KiB block, and whole batches; of a table
// a block, or everything if the table's index is not to be trusted.
func reach(name string, at []int, flipped int) (from, to int) {
	switch {
	case strings.HasSuffix(name, ".log"):
		const block = 32 << 10
		return flipped/block*block - salvageBatch*salvageRecord, flipped/block*block + block + salvageBatch*salvageRecord
	case strings.HasSuffix(name, ".ldb"):
		if end := slices.Max(at) + salvageRecord; flipped > end-2*salvageRecord {
			return 0, 1 << 30
		}
		return flipped - 16<<10 - salvageRecord, flipped + 16<<10 + salvageRecord
	}
	return 0, 0 // no shares in there
}

// collect returns a Salvage that fills kept, and the database in large batches.
func collect(kept map[int]bool) Salvage {
	return func(shares iter.Seq2[*share.Share, bool], dst *Store) error {
		var batch []blockchain.Accepted
		for s, root := range shares {
			n := int(s.Data.Height)
			if !bytes.Equal(s.Encode(), testShare(n).Encode()) || root != isRoot(n) || kept[n] {
				return fmt.Errorf("share %d is wrong, or there twice", n)
			}
			kept[n] = true
			batch = append(batch, accept(s, root))
		}
		if len(batch) == 0 {
			return nil
		}
		return dst.Append(batch, batch[len(batch)-1].ID, 0)
	}
}

// TestSalvage flips one bit and, if the database is refused for it, rebuilds it: no
// share is lost but those that LevelDB keeps near the flipped bit.
func TestSalvage(t *testing.T) {
	t.Parallel()
	refusals := 100
	if raceDetector {
		refusals = 10
	}
	states := salvageStates(t)
	path := filepath.Join(t.TempDir(), "shares")
	rng := rand.New(rand.NewPCG(7, 8))
	where := make(map[string][]int)
	var places []string
	for _, state := range slices.Sorted(maps.Keys(states)) {
		for _, name := range states[state].names() {
			if b := states[state][name]; len(b) > 0 {
				where[state+name] = positions(b)
				places = append(places, state+"\x00"+name)
			}
		}
	}
	refused, lost := 0, 0
	for i := 0; refused < refusals; i++ {
		state, name, _ := strings.Cut(places[i%len(places)], "\x00")
		f := maps.Clone(states[state])
		b := slices.Clone(f[name])
		bit := rng.IntN(len(b) * 8)
		b[bit/8] ^= 1 << (bit % 8)
		f[name] = b
		f.write(t, path)
		s, err := Open(path, testChain)
		if err == nil {
			if err := s.Load(func(*share.Share, bool) error { return nil }); err == nil {
				closeStore(t, s)
				continue
			}
			closeStore(t, s)
		}
		refused++
		kept := make(map[int]bool)
		bad, err := Rebuild(path, testChain, collect(kept))
		if err != nil {
			t.Fatalf("state %q, %s of %d bytes, bit %d: %v", state, name, len(b), bit, err)
		}
		from, to := reach(name, where[state+name], bit/8)
		for n := range salvageShares {
			at := where[state+name][n]
			if !kept[n] && (at < from || at > to) {
				t.Fatalf("state %q, %s of %d bytes, bit %d: share %d at byte %d is lost", state, name, len(b), bit, n, at)
			}
		}
		lost += salvageShares - len(kept)
		s = open(t, path)
		if int(s.Len()) != len(kept) {
			t.Fatalf("%d shares, %d were kept", s.Len(), len(kept))
		}
		closeStore(t, s)
		if err := os.RemoveAll(bad); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d refused databases of %d shares rebuilt: on average %.1f shares lost, none that LevelDB could read",
		refused, salvageShares, float64(lost)/float64(refused))
}

// FuzzSalvage: whatever a table or journal holds, nothing panics, and salvaging
// goes on to the end.
func FuzzSalvage(f *testing.F) {
	d := newSimDisk()
	s, err := simEngine(d).open(simPath, testChain)
	if err != nil {
		f.Fatal(err)
	}
	appendShares(f, s, 0, 30)
	closeStore(f, s)
	for _, n := range d.root.entries[simPath].entries {
		f.Add(n.data, n.data)
	}
	f.Fuzz(func(t *testing.T, ldb, log []byte) {
		src := newFolder()
		src.entries["000001.ldb"] = &inode{data: ldb}
		src.entries["000002.log"] = &inode{data: log}
		records := 0
		write := func(b *leveldb.Batch) error {
			records += b.Len()
			return nil
		}
		if err := salvage(&simFolder{disk: newSimDisk(), inode: src}, write); err != nil {
			t.Error(err)
		}
		if records > len(ldb)+len(log) {
			t.Errorf("%d records in %d bytes", records, len(ldb)+len(log))
		}
	})
}
