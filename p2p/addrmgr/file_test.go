package addrmgr

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// book returns a book with some of everything.
func book(t testing.TB, c *clock) *Manager {
	m := New(seeded(1, c))
	onion := parse(t, "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion")
	m.Add(told(c, ip(1, 1, 1), ip(2, 1, 1), parse(t, "2a00::1"), onion), ip(3, 1, 1))
	m.Add(told(c, ip(4, 1, 1)), netaddr.Named("seed.example.org"))
	m.Attempt(ip(1, 1, 1), true)
	m.Good(ip(2, 1, 1), 9)
	m.SetAnchors([]netaddr.Addr{ip(2, 1, 1), onion})
	return m
}

func TestSaveAndLoad(t *testing.T) {
	c := newClock()
	path := filepath.Join(t.TempDir(), "peers.dat")
	if m, err := Load(path, seeded(1, c)); err != nil || len(m.order) != 0 {
		t.Fatalf("without a file: %v", err)
	}
	m := book(t, c)
	for range 2 { // the second replaces the first
		if err := m.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Load(path, seeded(2, c))
	if err != nil {
		t.Fatal(err)
	}
	check(t, again)
	if !bytes.Equal(again.encode(), m.encode()) || !slices.Equal(again.Anchors(), m.Anchors()) || again.key != m.key {
		t.Error("the book is not the same")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if files, _ := filepath.Glob(path + "*"); len(files) != 1 {
		t.Errorf("files %v", files)
	}
}

// TestDamaged flips each bit and cuts at each byte: the node starts with an empty
// book, is told, and keeps the file for whoever wants to look.
func TestDamaged(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	path := filepath.Join(dir, "peers.dat")
	good := book(t, c).encode()
	try := func(what string, at int, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Load(path, seeded(2, c))
		if !errors.Is(err, ErrDamaged) || m == nil || len(m.order) != 0 || len(m.anchors) != 0 {
			t.Fatalf("%s at %d: %v", what, at, err)
		}
		if kept, err := os.ReadFile(path + ".damaged"); err != nil || !bytes.Equal(kept, content) {
			t.Fatalf("%s at %d: the file was not kept: %v", what, at, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s at %d: the file is still there", what, at)
		}
	}
	for i := range good {
		flipped := bytes.Clone(good)
		flipped[i] ^= 1 << (i % 8)
		try("flip", i, flipped)
	}
	for i := range len(good) {
		try("cut", i, good[:i])
	}
	try("longer", len(good), append(bytes.Clone(good), 0))
	try("much longer", maxFile, make([]byte, maxFile+1000))
}

// seal completes a file with its checksum.
func seal(parts ...[]byte) []byte {
	b := slices.Concat(parts...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// TestRefusedFiles: files with a right checksum and wrong content.
func TestRefusedFiles(t *testing.T) {
	c := newClock()
	head := append([]byte(fileMagic), make([]byte, 32)...)
	one := []byte{1, 0, 0, 0}
	v4 := []byte{1, 16, 0, 0, 1, 1, 0}
	numbers := make([]byte, 40)
	tests := map[string][]byte{
		"another version":     seal([]byte("p2paddr\x02"), make([]byte, 37)),
		"five anchors":        seal(head, []byte{5}),
		"no count":            seal(head, []byte{0}),
		"too many entries":    seal(head, []byte{0, 0, 0, 0, 1}),
		"entries missing":     seal(head, []byte{0}, []byte{0, 0, 1, 0}),
		"anchor of no kind":   seal(head, []byte{1, 99, 0, 0, 0, 0, 0, 0}),
		"address of no kind":  seal(head, []byte{0}, one, []byte{99, 1, 2}, v4, numbers, []byte{0, 0}),
		"in nine buckets":     seal(head, []byte{0}, one, v4, v4, numbers, []byte{0, 9}, make([]byte, 18)),
		"bucket out of range": seal(head, []byte{0}, one, v4, v4, numbers, []byte{0, 1, 0, 4}),
		"trailing bytes":      seal(head, []byte{0, 0, 0, 0, 0, 7}),
	}
	for name, b := range tests {
		if err := New(seeded(1, c)).decode(b); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Addresses that are of no use here are left out, doubles too.
	loopback := []byte{1, 127, 0, 0, 1, 1, 0}
	b := seal(head, []byte{1}, loopback, []byte{4, 0, 0, 0},
		loopback, v4, numbers, []byte{0, inTried}, v4, v4, numbers, []byte{3, inTried}, v4, v4, numbers, []byte{3, 1, 5, 0},
		[]byte{1, 16, 0, 0, 2, 1, 0}, v4, numbers, []byte{0, 0})
	m := New(seeded(1, c))
	if err := m.decode(b); err != nil || len(m.order) != 1 || len(m.anchors) != 0 || m.nTried != 1 {
		t.Errorf("%d addresses, %d anchors, %v", len(m.order), len(m.anchors), err)
	}
	check(t, m)
}

// TestClockWasAhead: times written by a clock that was wrong are not believed.
func TestClockWasAhead(t *testing.T) {
	c, ahead := newClock(), newClock()
	ahead.t = ahead.t.AddDate(5, 0, 0)
	m := New(seeded(1, c))
	if err := m.decode(book(t, ahead).encode()); err != nil {
		t.Fatal(err)
	}
	for _, i := range m.order {
		if e := m.entries[i]; max(e.seen, e.lastTry, e.lastGood, e.lastCounted) > c.t.Unix()+secs(maxAhead) {
			t.Errorf("%+v", e)
		}
	}
}

// TestCannotSave: an error leaves the old file, and nothing else.
func TestCannotSave(t *testing.T) {
	c := newClock()
	dir := filepath.Join(t.TempDir(), "gone")
	if err := book(t, c).Save(filepath.Join(dir, "peers.dat")); err == nil {
		t.Error("saved into a directory that does not exist")
	}
	dir = t.TempDir()
	path := filepath.Join(dir, "peers.dat")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := book(t, c).Save(path); err == nil {
		t.Error("a directory was replaced")
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
	if m, err := Load(path, seeded(1, c)); err == nil || m == nil {
		t.Error("a directory was read")
	}
}

// FuzzFile: no file makes the node panic, whatever its checksum; what is read
// contradicts itself in nothing.
func FuzzFile(f *testing.F) {
	c := newClock()
	good := book(f, c).encode()
	f.Add(good[:len(good)-sha256.Size])
	f.Add([]byte(fileMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := New(seeded(2, c))
		if err := m.decode(seal(b)); err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		check(t, m)
	})
}
