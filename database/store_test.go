package database

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

var testChain = chainhash.HashH([]byte("test"))

// testShare returns the n-th of a list of different shares. The store does not
// ask whether they are valid.
func testShare(n int) *share.Share {
	payee := append([]byte{0x51, 0x20}, make([]byte, 32)...)
	binary.LittleEndian.PutUint64(payee[2:], uint64(n))
	s := &share.Share{
		Header: wire.BlockHeader{Version: 4, Timestamp: time.Unix(int64(n), 0), Nonce: uint32(n)},
		Data:   share.Data{Version: share.Version, Height: uint32(n), Payee: payee},
	}
	for i := range n % 5 {
		s.Branch = append(s.Branch, chainhash.HashH([]byte{byte(n), byte(i)}))
	}
	return s
}

func testShares(from, to int) []*share.Share {
	var list []*share.Share
	for n := from; n < to; n++ {
		list = append(list, testShare(n))
	}
	return list
}

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
		if err := s.Append([]*share.Share{testShare(n)}, testShare(n).ID()); err != nil {
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

// loadAll returns the numbers of the stored shares.
func loadAll(s *Store) ([]int, error) {
	var numbers []int
	err := s.Load(func(sh *share.Share) error {
		n := int(sh.Data.Height)
		if !bytes.Equal(sh.Encode(), testShare(n).Encode()) {
			return errors.New("a share has changed")
		}
		numbers = append(numbers, n)
		return nil
	})
	return numbers, err
}

// intact checks that the store holds the shares 0 to n−1 in order, the last of
// them the tip.
func intact(s *Store, n int) error {
	numbers, err := loadAll(s)
	if err != nil {
		return err
	}
	if len(numbers) != n || s.Len() != uint64(n) {
		return errors.New("shares are missing")
	}
	for i := range numbers {
		if numbers[i] != i {
			return errors.New("shares are out of order")
		}
	}
	if n > 0 && s.Tip() != testShare(n-1).ID() {
		return errors.New("the tip is another")
	}
	return nil
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "shares")
	s := open(t, path)
	if s.Len() != 0 || s.Tip() != (chainhash.Hash{}) {
		t.Errorf("a new store has %d shares, tip %v", s.Len(), s.Tip())
	}
	appendShares(t, s, 0, 10)
	if err := s.Append(testShares(10, 25), testShare(24).ID()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := intact(s, 25); err != nil {
			t.Fatal(err)
		}
		for n := range 25 {
			raw, err := s.Share(testShare(n).ID())
			if err != nil || !bytes.Equal(raw, testShare(n).Encode()) {
				t.Fatalf("share %d: %v", n, err)
			}
		}
		closeStore(t, s)
		s = open(t, path)
	}
	if _, err := s.Share(testShare(99).ID()); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown share: %v", err)
	}
	closeStore(t, s)
	if err := s.Append(testShares(30, 31), testShare(30).ID()); err == nil {
		t.Error("a closed store took a share")
	}
}

// TestDuplicates: a share is stored once, whether it comes again alone, within
// one call or after a restart; the tip moves all the same.
func TestDuplicates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	appendShares(t, s, 0, 3)
	again := []*share.Share{testShare(1), testShare(3), testShare(3), testShare(0)}
	if err := s.Append(again, testShare(1).ID()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		numbers, err := loadAll(s)
		if err != nil || !slices.Equal(numbers, []int{0, 1, 2, 3}) || s.Tip() != testShare(1).ID() {
			t.Fatalf("shares %v, tip %v, %v", numbers, s.Tip(), err)
		}
		closeStore(t, s)
		s = open(t, path)
	}
	if err := s.Append(nil, testShare(3).ID()); err != nil {
		t.Fatal(err)
	}
	if err := intact(s, 4); err != nil {
		t.Error(err)
	}
	closeStore(t, s)
}

func TestLoadStopsAtAnError(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "shares"))
	defer closeStore(t, s)
	appendShares(t, s, 0, 5)
	calls := 0
	err := s.Load(func(sh *share.Share) error {
		if calls++; sh.Data.Height == 2 {
			return errors.New("does not connect")
		}
		return nil
	})
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "does not connect") || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// TestConcurrentUse: readers beside the one who appends, and a Close.
func TestConcurrentUse(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "shares"))
	var wg sync.WaitGroup
	wg.Go(func() { appendShares(t, s, 0, 50) })
	for range 3 {
		wg.Go(func() {
			for n := range 50 {
				if raw, err := s.Share(testShare(n).ID()); err == nil && !bytes.Equal(raw, testShare(n).Encode()) {
					t.Errorf("share %d has changed", n)
				} else if err != nil && !errors.Is(err, ErrNotFound) {
					t.Error(err)
				}
				_, _ = s.Len(), s.Tip()
			}
		})
	}
	wg.Wait()
	if err := intact(s, 50); err != nil {
		t.Error(err)
	}
	closeStore(t, s)
}

// BenchmarkAppend measures what a share costs on this disk.
func BenchmarkAppend(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "shares"))
	defer closeStore(b, s)
	for n := 0; b.Loop(); n++ {
		sh := []*share.Share{testShare(n)}
		if err := s.Append(sh, sh[0].ID()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSyncedWrite is the floor under BenchmarkAppend: as many bytes at the
// end of a file, and fsync.
func BenchmarkSyncedWrite(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	record := encodeRecord(0, testShare(4))
	for b.Loop() {
		if _, err := f.Write(record); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen measures the start with 10,000 shares, a day of them and more.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "shares")
	s := open(b, path)
	if err := s.Append(testShares(0, 10_000), testShare(9_999).ID()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		closeStore(b, s)
		s = open(b, path)
	}
	closeStore(b, s)
}
