package database

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const damagedShares = 64

// healthy returns databases with damagedShares shares: one with everything still
// in the journal, one with tables and a journal, one with tables and next to
// nothing in the journal.
func healthy(t testing.TB) map[string]files {
	t.Helper()
	states := make(map[string]files)
	for name, steps := range map[string][]int{
		"journal":            {damagedShares},
		"tables and journal": {16, 32, 48, damagedShares},
		"tables":             {16, 48, damagedShares, damagedShares},
	} {
		path := filepath.Join(t.TempDir(), "shares")
		s := open(t, path)
		from := 0
		for i, to := range steps {
			if i > 0 {
				closeStore(t, s)
				s = open(t, path) // moves the journal into a table
			}
			appendShares(t, s, from, to)
			from = to
		}
		closeStore(t, s)
		states[name] = snapshot(t, path)
	}
	return states
}

// survey opens a damaged database and tells whether it was refused. It fails if
// the data is neither refused nor intact, or a refusal has changed the folder.
func survey(t *testing.T, path string, f files) (refused bool) {
	t.Helper()
	f.write(t, path)
	s, err := Open(path, testChain)
	if err == nil {
		err = intact(s, damagedShares)
		closeStore(t, s)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("shares were lost in silence: %v", err)
		}
		return err != nil
	}
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "--reindex") {
		t.Errorf("refused without saying how to go on: %v", err)
	}
	if diff := f.diff(snapshot(t, path)); diff != "" {
		t.Errorf("%s after %v", diff, err)
	}
	return true
}

// TestFlippedBits flips one bit in a copy of a healthy database, a thousand times.
// The database is refused and untouched, or all shares are there.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	flips := 1000
	if raceDetector {
		flips = 300 // each takes three times as long
	}
	path := filepath.Join(t.TempDir(), "shares")
	rng := rand.New(rand.NewPCG(1, 2))
	states := healthy(t)
	var places []string // state and file, each as likely as any other
	for _, state := range slices.Sorted(maps.Keys(states)) {
		for _, name := range states[state].names() {
			if len(states[state][name]) > 0 {
				places = append(places, state+"\x00"+name)
			}
		}
	}
	count := make(map[bool]int)
	for i := range flips {
		state, name, _ := strings.Cut(places[i%len(places)], "\x00")
		f := maps.Clone(states[state])
		b := slices.Clone(f[name])
		bit := rng.IntN(len(b) * 8)
		if rng.IntN(3) == 0 { // the ends are where the formats are delicate
			bit = max(0, len(b)*8-1-rng.IntN(64*8))
		}
		b[bit/8] ^= 1 << (bit % 8)
		f[name] = b
		count[survey(t, path, f)]++
		if t.Failed() {
			t.Fatalf("state %q, %s of %d bytes, bit %d", state, name, len(b), bit)
		}
	}
	t.Logf("%d flips: %d refused, %d harmless, 0 silent", flips, count[true], count[false])
}

// TestDamagedFiles truncates, garbles, lengthens and removes each file.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shares")
	rng := rand.New(rand.NewPCG(3, 4))
	garble := func(b []byte, from, to int) []byte {
		for i := from; i < to; i++ {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	damages := map[string]func(b []byte) []byte{
		"removed":          func([]byte) []byte { return nil },
		"emptied":          func([]byte) []byte { return []byte{} },
		"cut in half":      func(b []byte) []byte { return b[:len(b)/2] },
		"one byte":         func(b []byte) []byte { return b[:1] },
		"last byte gone":   func(b []byte) []byte { return b[:len(b)-1] },
		"last 50 gone":     func(b []byte) []byte { return b[:max(0, len(b)-50)] },
		"cut somewhere":    func(b []byte) []byte { return b[:rng.IntN(len(b))] },
		"garbled":          func(b []byte) []byte { return garble(b, 0, len(b)) },
		"first half":       func(b []byte) []byte { return garble(b, 0, len(b)/2) },
		"last half":        func(b []byte) []byte { return garble(b, len(b)/2, len(b)) },
		"last 48":          func(b []byte) []byte { return garble(b, max(0, len(b)-48), len(b)) },
		"zeroed":           func(b []byte) []byte { clear(b); return b },
		"end zeroed":       func(b []byte) []byte { clear(b[len(b)/2:]); return b },
		"garbage appended": func(b []byte) []byte { return garble(append(b, make([]byte, 100)...), len(b), len(b)+100) },
		"zeros appended":   func(b []byte) []byte { return append(b, make([]byte, 5000)...) },
	}
	for state, healthy := range healthy(t) {
		for _, name := range healthy.names() {
			for _, damage := range slices.Sorted(maps.Keys(damages)) {
				if len(healthy[name]) == 0 && damage != "removed" {
					continue
				}
				f := maps.Clone(healthy)
				if f[name] = damages[damage](slices.Clone(f[name])); f[name] == nil {
					delete(f, name)
				}
				survey(t, path, f)
				if t.Failed() {
					t.Fatalf("state %q, %s %s", state, name, damage)
				}
			}
		}
	}
}

// TestMark: the mark may lag behind or be unreadable, and must not be ahead.
func TestMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	appendShares(t, s, 0, 9)
	closeStore(t, s)
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(path, markName), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range [][]byte{nil, {1}, make([]byte, markSize), bytes.Repeat([]byte{0xff}, markSize), append(mustMark(99), 0), mustMark(0), mustMark(8)} {
		write(b)
		s := open(t, path)
		if err := intact(s, 9); err != nil {
			t.Error(err)
		}
		closeStore(t, s)
		after, err := os.ReadFile(filepath.Join(path, markName))
		if err != nil {
			t.Fatal(err)
		}
		if got, key := decodeMark(after); got != 9 || key != s.key {
			t.Errorf("after mark %x it is %d, want 9, and key %x, want %x", b, got, key, s.key)
		}
	}
	write(mustMark(10))
	refused(t, path, ErrCorrupt, "9 of 10 acknowledged shares", "--reindex")
}

func mustMark(n uint64) []byte { b := encodeMark(n); return b[:] }

// TestTornBatch: a batch that a crash cut short, which nobody was told of, is no
// damage.
func TestTornBatch(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	appendShares(t, s, 0, 20)
	before := snapshot(t, path)
	appendShares(t, s, 20, 21)
	closeStore(t, s)
	after := snapshot(t, path)
	journal := ""
	for name := range after {
		if strings.HasSuffix(name, ".log") {
			journal = name
		}
	}
	whole, torn := after[journal], len(before[journal])
	for size := torn; size <= len(whole); size += 7 {
		for _, tail := range [][]byte{nil, make([]byte, len(whole)-size)} { // short, or not all written
			f := maps.Clone(after)
			f[markName] = mustMark(20)
			f[journal] = slices.Concat(whole[:size], tail)
			f.write(t, path)
			s, err := Open(path, testChain)
			if err != nil {
				t.Fatalf("%d of %d bytes of a batch: %v", size-torn, len(whole)-torn, err)
			}
			if err := errors.Join(intact(s, 20), s.Close()); err != nil && size < len(whole) {
				t.Fatalf("%d of %d bytes of a batch: %v", size-torn, len(whole)-torn, err)
			}
		}
	}
}
