package database

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	none := func(*share.Share, bool) error { return nil }
	if _, err := Check(path, testChain, none); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("no database: %v", err)
	}
	s := open(t, path)
	appendShares(t, s, 0, 20)
	if err := s.Append(nil, testShare(19).ID(), 4); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(path, testChain, none); !errors.Is(err, ErrLocked) {
		t.Errorf("in use: %v", err)
	}
	closeStore(t, s)
	if _, err := Check(path, chainhash.Hash{1}, none); !errors.Is(err, ErrOtherChain) {
		t.Errorf("other chain: %v", err)
	}
	before := snapshot(t, path)
	next := 4
	r, err := Check(path, testChain, func(s *share.Share, root bool) error {
		if s.ID() != testShare(next).ID() || root != isRoot(next) {
			t.Errorf("got share %d, want %d", s.Data.Height, next)
		}
		next++
		return nil
	})
	size, _ := folderSize(path)
	if err != nil || !r.Healthy() || r.Version != schemaVersion || r.Shares != 16 || r.Base != 4 || r.Tip != testShare(19).ID() || r.Bytes != size {
		t.Errorf("%+v, %v", r, err)
	}
	if diff := before.diff(snapshot(t, path)); diff != "" {
		t.Error(diff)
	}
	r, err = Check(path, testChain, func(s *share.Share, _ bool) error {
		if s.Data.Height%5 == 0 {
			return errors.New("does not connect")
		}
		return nil
	})
	if err != nil || len(r.Problems) != 3 || !strings.Contains(r.Problems[2], "at height 15: does not connect") || r.Shares != 16 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestCheckGoesOn: the report tells of all damage, within its bounds.
func TestCheckGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	if err := s.Append(accepted(0, 300), testShare(299).ID(), 0); err != nil {
		t.Fatal(err)
	}
	for n := range 150 {
		if err := s.handle.Put(shareKey(uint32(n), testShare(n).ID()), []byte("rotten"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.handle.Delete(shareKey(299, testShare(299).ID()), nil); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	r, err := Check(path, testChain, func(*share.Share, bool) error { return nil })
	if err != nil || len(r.Problems) != maxProblems || r.Omitted != 52 || r.Shares != 149 {
		t.Errorf("%d problems, %d omitted, %d shares, %v", len(r.Problems), r.Omitted, r.Shares, err)
	}
	if !strings.Contains(r.Problems[0], "299 of 300 shares") {
		t.Error(r.Problems[0])
	}
}
