package database

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/p2poold/p2poold/blockchain"
)

// TestPrune: what is below the base is gone and stays away, and nothing else is.
func TestPrune(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	appendShares(t, s, 0, 20)
	check := func(base, n int) {
		t.Helper()
		for range 2 {
			if err := intactFrom(s, base, n); err != nil {
				t.Fatal(err)
			}
			if s.Base() != uint32(base) {
				t.Fatalf("base %d, want %d", s.Base(), base)
			}
			closeStore(t, s)
			s = open(t, path)
		}
	}
	prune := func(base uint32, list []blockchain.Accepted) {
		t.Helper()
		if err := s.Append(list, testShare(19).ID(), base); err != nil {
			t.Fatal(err)
		}
	}
	prune(7, nil)
	check(7, 20)
	prune(3, nil) // it never falls
	check(7, 20)
	prune(9, accepted(6, 20)) // all known, or too low
	check(9, 20)
	if _, err := s.Share(8, testShare(8).ID()); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if s.state.appended != 20 {
		t.Errorf("%d shares were ever appended", s.state.appended)
	}
	prune(1_000, nil)
	if s.Len() != 0 || s.Base() != 1_000 || s.Tip() != testShare(19).ID() {
		t.Errorf("%d shares, base %d, tip %v", s.Len(), s.Base(), s.Tip())
	}
	closeStore(t, s)
	s = open(t, path)
	if err := s.Append(accepted(990, 1_010), testShare(1_009).ID(), 0); err != nil {
		t.Fatal(err)
	}
	check(1_000, 1_010)
	closeStore(t, s)
}

// TestPruneInSteps: one call deletes whole heights, and no more than it must.
func TestPruneInSteps(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "shares"))
	defer closeStore(t, s)
	var list []blockchain.Accepted
	const heights, each = 3_000, 3
	for n := range heights * each {
		list = append(list, accept(shareAt(n, uint32(n/each)), false))
	}
	if err := s.Append(list, list[len(list)-1].ID, 0); err != nil {
		t.Fatal(err)
	}
	const first = (maxPrune + each - 1) / each // heights
	for _, want := range []uint32{first, 2 * first, 2_999, 2_999} {
		if err := s.Append(nil, s.Tip(), 2_999); err != nil {
			t.Fatal(err)
		}
		if s.Base() != want || s.Len() != uint64(heights-want)*each {
			t.Errorf("base %d, %d shares, want base %d", s.Base(), s.Len(), want)
		}
	}
}

// TestPruneAgain: records below the base that are there all the same, as after a
// Recover, don't count and are deleted.
func TestPruneAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	appendShares(t, s, 0, 10)
	if err := s.Append(nil, testShare(9).ID(), 5); err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		record := appendRecord(nil, testShare(n), false)
		s.key.apply(record)
		if err := s.handle.Put(shareKey(uint32(n), testShare(n).ID()), record, nil); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	s = open(t, path)
	if err := intactFrom(s, 5, 10); err != nil {
		t.Error(err)
	}
	if it := s.below(0, 5); it.Next() {
		t.Errorf("record %x is there", it.Key())
	}
	closeStore(t, s)
}
