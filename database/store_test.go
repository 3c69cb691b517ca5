package database

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "shares")
	s := open(t, path)
	if s.Len() != 0 || s.Tip() != (chainhash.Hash{}) || s.Base() != 0 {
		t.Errorf("a new store has %d shares, tip %v, base %d", s.Len(), s.Tip(), s.Base())
	}
	appendShares(t, s, 0, 10)
	if err := s.Append(accepted(10, 25), testShare(24).ID(), 0); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := intact(s, 25); err != nil {
			t.Fatal(err)
		}
		for n := range 25 {
			raw, err := s.Share(uint32(n), testShare(n).ID())
			if err != nil || !bytes.Equal(raw, testShare(n).Encode()) {
				t.Fatalf("share %d: %v", n, err)
			}
		}
		closeStore(t, s)
		s = open(t, path)
	}
	for _, height := range []uint32{99, 24, 0} {
		if _, err := s.Share(height, testShare(99).ID()); !errors.Is(err, ErrNotFound) {
			t.Errorf("an unknown share: %v", err)
		}
	}
	closeStore(t, s)
	if err := s.Append(accepted(30, 31), testShare(30).ID(), 0); err == nil {
		t.Error("a closed store took a share")
	}
}

// TestDuplicates: a share is stored once, whether it comes again alone, within
// one call or after a restart; the tip moves all the same.
func TestDuplicates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	appendShares(t, s, 0, 3)
	again := slices.Concat(accepted(1, 2), accepted(3, 4), accepted(3, 4), accepted(0, 1))
	if err := s.Append(again, testShare(1).ID(), 0); err != nil {
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
	if err := s.Append(nil, testShare(3).ID(), 0); err != nil {
		t.Fatal(err)
	}
	if err := intact(s, 4); err != nil {
		t.Error(err)
	}
	closeStore(t, s)
}

// TestOrder: whatever the order of appending, shares come back by height.
func TestOrder(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "shares"))
	defer closeStore(t, s)
	for n, height := range []uint32{70_000, 3, 300, 0, 65_536, 3, 255, 1 << 31} {
		if err := s.Append([]blockchain.Accepted{accept(shareAt(n, height), false)}, chainhash.Hash{}, 0); err != nil {
			t.Fatal(err)
		}
	}
	var got []uint32
	if err := s.Load(func(sh *share.Share, _ bool) error { got = append(got, sh.Data.Height); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := []uint32{0, 3, 3, 255, 300, 65_536, 70_000, 1 << 31}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLoadStopsAtAnError(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "shares"))
	defer closeStore(t, s)
	appendShares(t, s, 0, 5)
	calls := 0
	err := s.Load(func(sh *share.Share, _ bool) error {
		if calls++; sh.Data.Height == 2 {
			return errors.New("does not connect")
		}
		return nil
	})
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "does not connect") || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// TestConcurrentUse: readers beside the one who appends and prunes, and a Close.
func TestConcurrentUse(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "shares"))
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range 200 {
			if err := s.Append(accepted(n, n+1), testShare(n).ID(), uint32(max(0, n-49))); err != nil {
				t.Error(err)
			}
		}
	})
	for range 3 {
		wg.Go(func() {
			for n := range 200 {
				if raw, err := s.Share(uint32(n), testShare(n).ID()); err == nil && !bytes.Equal(raw, testShare(n).Encode()) {
					t.Errorf("share %d has changed", n)
				} else if err != nil && !errors.Is(err, ErrNotFound) {
					t.Error(err)
				}
				_, _, _ = s.Len(), s.Tip(), s.Base()
				if n%20 == 0 {
					if _, err := loadAll(s); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := intactFrom(s, 150, 200); err != nil {
		t.Error(err)
	}
	closeStore(t, s)
}

// brokenMark fails to write.
type brokenMark struct{ markFile }

func (brokenMark) WriteAt([]byte, int64) (int, error) { return 0, errors.New("input/output error") }

// TestFailedWrite: after a write that failed there is no other, even if the disk
// would take it, until the database is opened again.
func TestFailedWrite(t *testing.T) {
	breaks := map[string]func(s *Store) (repair func()){
		"LevelDB": func(s *Store) func() {
			good := s.handle.DB
			if err := s.handle.SetReadOnly(); err != nil {
				t.Fatal(err)
			}
			return func() { s.handle.DB = good }
		},
		"mark": func(s *Store) func() {
			good := s.mark.file
			s.mark.file = brokenMark{good}
			return func() { s.mark.file = good }
		},
	}
	for name, damage := range breaks {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "shares")
			s := open(t, path)
			appendShares(t, s, 0, 5)
			repair := damage(s)
			if err := s.Append(accepted(5, 6), testShare(5).ID(), 0); err == nil || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v", err)
			}
			repair()
			for range 3 {
				if err := s.Append(accepted(6, 7), testShare(6).ID(), 0); !errors.Is(err, ErrStopped) {
					t.Fatalf("got %v", err)
				}
			}
			closeStore(t, s)
			s = open(t, path)
			if n := s.Len(); n != 5 && n != 6 {
				t.Errorf("%d shares", n)
			} else if err := intact(s, int(n)); err != nil {
				t.Error(err)
			}
			closeStore(t, s)
		})
	}
}

// TestLargeBatches: a batch may be larger than the write buffer.
func TestLargeBatches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	const size = 6_000 // more than two write buffers
	for i := range 3 {
		if err := s.Append(accepted(i*size, (i+1)*size), testShare((i+1)*size-1).ID(), 0); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	s = open(t, path)
	if err := intact(s, 3*size); err != nil {
		t.Error(err)
	}
	closeStore(t, s)
}

func TestObfuscation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	if s.key == (obfuscation{}) {
		t.Error("the key is zero")
	}
	sh := testShare(1)
	sh.Data.Tag = []byte("X5O!P%@AP[4\\PZX5")
	sh.SetMerkleRoot(&testChain)
	if err := s.Append([]blockchain.Accepted{accept(sh, false)}, sh.ID(), 0); err != nil {
		t.Fatal(err)
	}
	other := open(t, filepath.Join(t.TempDir(), "other"))
	if other.key == s.key {
		t.Error("two databases have the same key")
	}
	closeStore(t, other)
	closeStore(t, s)
	s = open(t, path) // moves the journal into a table
	if raw, err := s.Share(1, sh.ID()); err != nil || !bytes.Equal(raw, sh.Encode()) {
		t.Error(err)
	}
	closeStore(t, s)
	for name, b := range snapshot(t, path) {
		if bytes.Contains(b, sh.Data.Tag) {
			t.Errorf("%s has the tag in plain", name)
		}
	}
	for n := range 30 {
		plain := bytes.Repeat([]byte{byte(n)}, n)
		b := slices.Clone(plain)
		s.key.apply(b)
		for i := range b {
			if b[i] != plain[i]^s.key[i%obfuscationSize] {
				t.Fatalf("byte %d of %d", i, n)
			}
		}
	}
}
