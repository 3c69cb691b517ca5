package harness_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/database"
)

// params are those of all nodes of these tests.
func params(t *testing.T) *chainparams.Params {
	t.Helper()
	p, err := chainparams.New(chainparams.Regtest, "main")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fromEnvironment returns a positive number that the environment may override.
func fromEnvironment(t *testing.T, variable string, fallback int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is not a positive number", variable, text)
	}
	return n
}

// databaseOf is the database's folder below a data directory.
func databaseOf(dir string, p *chainparams.Params) string {
	return filepath.Join(dir, p.DataDirName(), "sharechain")
}

// startLate gives a node a chain of so many shares, the first of which is of 2011, when
// Bitcoin's regtest begins. A chain that is late forever never gets harder, so that
// miners find as many shares a second as they please.
func startLate(t *testing.T, dir string, shares int) {
	t.Helper()
	p := params(t)
	g := chaingen.New(t, p)
	list := []blockchain.Accepted{{Share: g.Next("first", "").Share, ID: g.Share("first").ID}}
	for _, name := range g.Line("share", "first", shares-1, 2) {
		list = append(list, blockchain.Accepted{Share: g.Share(name).Share, ID: g.Share(name).ID})
	}
	store, err := database.Open(databaseOf(dir, p), p.ChainID)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Append(list, list[len(list)-1].ID, 0); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
