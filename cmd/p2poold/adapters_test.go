package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/database"
)

// TestAdoptSays: the operator is told which chain was left, and what was deleted for it.
func TestAdoptSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sharechain")
	older := []string{path + ".left-20200101-000000", path + ".left-20200101-000001"}
	for _, dir := range older {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	chain := chainhash.Hash{1}
	old, err := database.Open(path, chain)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := stores{database.NewPair(path, chain), slog.NewBackend(&out).Logger("CHAN")}
	candidate, err := s.Candidate()
	if err != nil {
		t.Fatal(err)
	}
	store, err := s.Adopt(old, candidate)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(path + ".left-*")
	if err != nil || len(left) != 2 || left[0] != older[1] {
		t.Fatalf("left %q, %v", left, err)
	}
	for _, part := range []string{"kept as " + left[1] + "\n", "Deleted " + older[0] + ","} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in %s", part, out.String())
		}
	}
}
