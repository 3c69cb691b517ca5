package database

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestDeleteOlder: of what was kept of either kind the newest two stay, the one just made
// always, and no other folder is touched.
func TestDeleteOlder(t *testing.T) {
	const bad, left = ".bad-20260304-050607", ".left-20260304-050607"
	tests := []struct {
		kept        string
		there, gone []string // besides kept
	}{
		{"", []string{bad, bad + "-2", bad + "-3"}, nil},
		{bad, []string{"", left, left + "-2", left + "-3"}, nil},
		{bad, []string{".bad-20260303-235959"}, nil},
		{bad, []string{".bad-20260303-235959", ".bad-20250505-050505"}, []string{".bad-20250505-050505"}},
		{bad + "-11", []string{bad, bad + "-2", bad + "-9", bad + "-10"}, []string{bad, bad + "-2", bad + "-9"}},
		// The clock was wrong before.
		{bad, []string{".bad-20300101-000000", ".bad-20300101-000001"}, []string{".bad-20300101-000000"}},
		// What the user has named, and what only looks alike.
		{left, []string{left + ".keep", ".left-old", ".left-2026-050607", left + "-", left + "-x", "2" + left, ".candidate", ".new"}, nil},
		{left, []string{".left-20250101-000000", ".left-20250101-000001", bad}, []string{".left-20250101-000000"}},
		{".elsewhere", []string{bad, bad + "-2", bad + "-3"}, nil},
	}
	for i, test := range tests {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "shares")
			kept := ""
			if test.kept != "" {
				kept = path + test.kept
			}
			var want, stay []string
			for _, suffix := range append(slices.Clone(test.there), test.kept) {
				if err := os.MkdirAll(filepath.Join(path+suffix, "inside"), 0o700); err != nil {
					t.Fatal(err)
				}
				if slices.Contains(test.gone, suffix) {
					want = append(want, path+suffix)
				} else {
					stay = append(stay, suffix)
				}
			}
			deleted, err := DeleteOlder(kept)
			slices.Sort(deleted)
			slices.Sort(want)
			if err != nil || !slices.Equal(deleted, want) {
				t.Errorf("deleted %v, %v; want %v", deleted, err, want)
			}
			slices.Sort(stay)
			if left := beside(t, path); !slices.Equal(left, stay) {
				t.Errorf("left %q, want %q", left, stay)
			}
		})
	}
}

// TestAdoptKeepsTwo: however often another chain is taken, two of those that were left are
// kept, the last ones, and they can be read.
func TestAdoptKeepsTwo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	p := NewPair(path, testChain)
	for n := range 6 {
		appendShares(t, s, 0, n+1)
		candidate, err := p.Candidate()
		if err != nil {
			t.Fatal(err)
		}
		var kept string
		if s, kept, err = p.Adopt(s, candidate); err != nil {
			t.Fatal(err)
		}
		deleted, err := DeleteOlder(kept)
		if err != nil || len(deleted) != min(1, max(0, n-1)) {
			t.Errorf("after %d: deleted %q, %v", n+1, deleted, err)
		}
		old := open(t, kept)
		if err := intact(old, n+1); err != nil {
			t.Errorf("what was left: %v", err)
		}
		closeStore(t, old)
	}
	closeStore(t, s)
	if names := beside(t, path); len(names) != 1+keptOfKind {
		t.Errorf("left %q", names)
	}
}
