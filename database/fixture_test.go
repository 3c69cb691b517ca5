package database

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

var testChain = chainhash.HashH([]byte("test"))

// testShare returns the n-th of a list of different shares, at height n. The
// store does not ask whether they are valid.
func testShare(n int) *share.Share { return shareAt(n, uint32(n)) }

// shareAt returns the n-th of a list of different shares at a height.
func shareAt(n int, height uint32) *share.Share {
	payee := append([]byte{0x51, 0x20}, make([]byte, 32)...)
	binary.LittleEndian.PutUint64(payee[2:], uint64(n))
	s := &share.Share{
		Header: wire.BlockHeader{Version: 4, Timestamp: time.Unix(int64(n), 0), Nonce: uint32(n)},
		Data:   share.Data{Version: share.Version, Height: height, Payee: payee},
		Link:   share.NewLink(make([]byte, 64+n%64)),
	}
	for i := range n % 5 {
		s.Branch = append(s.Branch, chainhash.HashH([]byte{byte(n), byte(i)}))
	}
	s.SetMerkleRoot(&testChain)
	return s
}

// accepted returns the shares from one number to below another. Every seventh is
// a root.
func accepted(from, to int) (list []blockchain.Accepted) {
	for n := from; n < to; n++ {
		list = append(list, accept(testShare(n), isRoot(n)))
	}
	return list
}

func accept(s *share.Share, root bool) blockchain.Accepted {
	return blockchain.Accepted{Share: s, ID: s.ID(), Root: root}
}

func isRoot(n int) bool { return n%7 == 3 }

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, testChain)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// appendShares appends shares one by one, each as the tip.
func appendShares(t testing.TB, s *Store, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := s.Append(accepted(n, n+1), testShare(n).ID(), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// loadAll returns the numbers of the stored shares, whose numbers are their heights.
func loadAll(s *Store) ([]int, error) {
	var numbers []int
	err := s.Load(func(sh *share.Share, root bool) error {
		n := int(sh.Data.Height)
		if !bytes.Equal(sh.Encode(), testShare(n).Encode()) || root != isRoot(n) {
			return errors.New("a share has changed")
		}
		numbers = append(numbers, n)
		return nil
	})
	return numbers, err
}

// intact checks that the store holds the shares 0 to n−1 in order, the last of
// them the tip.
func intact(s *Store, n int) error { return intactFrom(s, 0, n) }

// intactFrom is intact for a store that was pruned.
func intactFrom(s *Store, base, n int) error {
	numbers, err := loadAll(s)
	if err != nil {
		return err
	}
	if len(numbers) != n-base || s.Len() != uint64(n-base) {
		return fmt.Errorf("%d shares, want %d to %d", len(numbers), base, n)
	}
	for i := range numbers {
		if numbers[i] != base+i {
			return errors.New("shares are out of order")
		}
	}
	if n > 0 && s.Tip() != testShare(n-1).ID() {
		return errors.New("the tip is another")
	}
	return nil
}

// files is the content of a folder's files by name.
type files map[string][]byte

// snapshot reads a folder, or a single file. LOCK holds nothing.
func snapshot(t testing.TB, path string) files {
	t.Helper()
	f := make(files)
	entries, err := os.ReadDir(path)
	if err != nil {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return files{path: b}
	}
	for _, e := range entries {
		if e.Name() == "LOCK" {
			continue
		}
		if f[e.Name()], err = os.ReadFile(filepath.Join(path, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// write makes path a folder of this content.
func (f files) write(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, b := range f {
		if err := os.WriteFile(filepath.Join(path, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// diff says how other differs, "" if it does not.
func (f files) diff(other files) string {
	for name := range f {
		if b, ok := other[name]; !ok {
			return name + " is gone"
		} else if !bytes.Equal(b, f[name]) {
			return name + " has changed"
		}
	}
	for name := range other {
		if _, ok := f[name]; !ok {
			return name + " is new"
		}
	}
	return ""
}

// names returns the files that hold data, in order.
func (f files) names() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(f)), func(name string) bool {
		return strings.HasPrefix(name, "LOG")
	})
}
