package solutions

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestKeepTwice: a file that is durable isn't touched by another submission of its block,
// in the same run or in the next, as when a device sends a nonce on two connections.
func TestKeepTwice(t *testing.T) {
	f := newFixture(t)
	b := f.solve(true)
	f.Keep(b)
	f.writers.Wait()
	first, err := os.Stat(f.blockPath(b))
	if err != nil {
		t.Fatal(err)
	}
	f.Keep(b)
	f.writers.Wait()
	f.open()
	f.Keep(b)
	f.writers.Wait()
	again, err := os.Stat(f.blockPath(b))
	if err != nil || !os.SameFile(first, again) || !first.ModTime().Equal(again.ModTime()) {
		t.Errorf("%v, %v; was %v", again, err, first)
	}
}

// TestReplace: what is under a block's name stays until the new file is durable.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	const name = "1-a.block"
	old, fresh := []byte("old"), []byte("new and longer")
	path := dir + "/" + name
	if err := os.WriteFile(path, old, fileMode); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path+newSuffix, dirMode); err != nil { // can't be written
		t.Fatal(err)
	}
	if err := writeBlock(dir, name, [][]byte{fresh}, func() { t.Error("written") }); err == nil {
		t.Error("no error")
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, old) {
		t.Errorf("%q, %v", b, err)
	}
	if err := os.Remove(path + newSuffix); err != nil {
		t.Fatal(err)
	}
	calls := 0
	for range 2 {
		err := writeBlock(dir, name, [][]byte{fresh}, func() {
			calls++
			if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, fresh) {
				t.Errorf("%q, %v", b, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 || calls != 2 {
		t.Errorf("%v, %v, %d calls", entries, err, calls)
	}
}

// TestPieces: a block in pieces of all sizes is read back as it was.
func TestPieces(t *testing.T) {
	f := newFixture(t)
	b := f.solve(true)
	whole := append(b.Raw.Bytes(), bytes.Repeat([]byte{1, 2, 3}, 4*writeBuffer/3)...)
	b.Raw = nil
	for i, rest := 0, whole; len(rest) > 0; i++ {
		n := min(len(rest), []int{81, 0, 1, writeBuffer, writeBuffer + 1, 5}[i%6])
		b.Raw, rest = append(b.Raw, rest[:n]), rest[n:]
	}
	f.Keep(b)
	f.writers.Wait()
	_, block, err := readFile(filepath.Join(f.dir, fileName(&f.List(1)[0])))
	if err != nil || !bytes.Equal(block, whole) {
		t.Errorf("%d bytes of %d, %v", len(block), len(whole), err)
	}
}

// TestUnfinished: the program ends before a file has its name. The next start uses what is
// whole and puts aside what isn't.
func TestUnfinished(t *testing.T) {
	f := newFixture(t)
	whole, torn := f.solve(true), f.solve(true)
	f.Keep(whole)
	f.Keep(torn)
	f.writers.Wait()
	for _, b := range []string{f.blockPath(whole), f.blockPath(torn)} {
		if err := os.Rename(b, b+newSuffix); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(f.blockPath(torn)+newSuffix, 1000); err != nil {
		t.Fatal(err)
	}
	f.open()
	if list := f.List(5); len(list) != 1 || list[0].Hash != whole.Share.ID() {
		t.Errorf("%+v", list)
	}
	f.wantFiles(1)
	if _, err := os.Stat(f.blockPath(torn) + badSuffix); err != nil {
		t.Error(err)
	}
	f.pass(time.Hour)
	f.check(Pending, 0, false)
	f.check(Accepted, 1, false)

	// What the disk can't read now it may read later.
	failed := &os.PathError{Op: "read", Path: "x", Err: errors.New("input/output error")}
	if err := setAside(f.blockPath(whole), failed); err != error(failed) {
		t.Errorf("got %v", err)
	}
	f.wantFiles(1)
}
