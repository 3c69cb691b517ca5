package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/cmd/internal/appdir"
	"github.com/p2poold/p2poold/database"
	"github.com/p2poold/p2poold/internal/rpcserver"
)

// repairShares is how many shares the databases of these tests have.
const repairShares = 12

// storeShares gives a data directory a database with repairShares shares on the main
// chain and one beside it, and returns its folder and the tip.
func storeShares(t *testing.T, dir string) (path string, tip chainhash.Hash) {
	t.Helper()
	params, err := chainparams.New(chainparams.Regtest, "main")
	if err != nil {
		t.Fatal(err)
	}
	g := chaingen.New(t, params)
	g.Next("first", "")
	names := append([]string{"first"}, g.Line("a", "first", repairShares-1, 3)...)
	g.Next("side", "a2", chaingen.Payee(7))
	var list []blockchain.Accepted
	for _, name := range append(slices.Clone(names), "side") {
		list = append(list, blockchain.Accepted{Share: g.Share(name).Share, ID: g.Share(name).ID})
	}
	path, tip = filepath.Join(dir, params.DataDirName(), appdir.Database), g.Share(names[len(names)-1]).ID
	store, err := database.Open(path, params.ChainID)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list { // the tip that is missing at first is never looked for
		if err := store.Append(list[i:i+1], tip, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return path, tip
}

// rot flips a bit in the middle of the database's journal.
func rot(t *testing.T, path string) {
	t.Helper()
	journals, err := filepath.Glob(filepath.Join(path, "*.log"))
	if err != nil || len(journals) != 1 {
		t.Fatalf("%q, %v", journals, err)
	}
	b := readFile(t, journals[0])
	b[len(b)/2] ^= 0x10
	writeFile(t, journals[0], b)
}

// check runs --checkdb, which needs no Bitcoin node.
func check(t *testing.T, dir string, more ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(append([]string{"--network=regtest", "--datadir=" + dir, "--checkdb"}, more...), &out, &err)
	return code, out.String(), err.String()
}

func TestCheckDB(t *testing.T) {
	withHome(t)
	dir := t.TempDir()
	path, tip := storeShares(t, dir)
	before := contents(t, path)
	code, stdout, stderr := check(t, dir)
	want := []string{"Checking " + path, "13 shares in ", "kept from height 0 on, tip " + tip.String(),
		"13 shares hold, of 13 of them the payouts were recomputed too", "No problems were found"}
	for _, words := range want {
		if !strings.Contains(stdout, words) {
			t.Errorf("%q is missing in:\n%s", words, stdout)
		}
	}
	if code != exitOK || stderr != "" || !maps.Equal(before, contents(t, path)) {
		t.Errorf("exit code %d, standard error %q, folder as before: %v", code, stderr, maps.Equal(before, contents(t, path)))
	}

	rot(t, path)
	before = contents(t, path)
	code, stdout, stderr = check(t, dir)
	if code != exitRun || !strings.Contains(stdout, "problem: ") || strings.Contains(stdout, "No problems") ||
		!strings.Contains(stderr, "p2poold: the database has problems") || !strings.Contains(stderr, "--reindex") {
		t.Errorf("exit code %d, printed:\n%s%s", code, stdout, stderr)
	}
	if !maps.Equal(before, contents(t, path)) {
		t.Error("--checkdb has changed the database")
	}
}

// TestCheckDBRefuses: what keeps --checkdb from looking is said, and nothing made.
func TestCheckDBRefuses(t *testing.T) {
	withHome(t)
	dir := t.TempDir()
	code, stdout, stderr := check(t, dir)
	path := filepath.Join(dir, "regtest-main", appdir.Database)
	if code != exitRun || strings.Contains(stdout, "problem") || !strings.Contains(stderr, path+": there is none") {
		t.Errorf("no database: exit code %d, printed:\n%s%s", code, stdout, stderr)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("--checkdb has made a database")
	}
	wantError(t, "--checkdb", "--network=regtest", "--datadir="+dir, "--checkdb", "--reindex")

	p := start(t, dir, newFake(t))
	awaitInfo(t, p, "the node works", healthy)
	for _, option := range []string{"--checkdb", "--reindex"} {
		var out, err bytes.Buffer
		code := run([]string{"--network=regtest", "--datadir=" + dir, option}, &out, &err)
		if code != exitRun || !strings.Contains(err.String(), "another p2poold") || !strings.Contains(err.String(), "stop it") {
			t.Errorf("%s while the node runs: exit code %d, printed:\n%s%s", option, code, &out, &err)
		}
	}
	p.stop(t)
}

// reindexed runs a node that was started with --reindex and returns what it has.
func reindexed(t *testing.T, dir string) (rpcserver.ChainInfo, *program) {
	t.Helper()
	p := start(t, dir, newFake(t), "--reindex")
	awaitInfo(t, p, "the sharechain is loaded", func(i *rpcserver.Info) bool { return !i.Starting })
	return call[rpcserver.ChainInfo](t, p, "getsharechaininfo"), p
}

// aside returns the folders that --reindex has kept.
func aside(t *testing.T, path string) []string {
	t.Helper()
	list, err := filepath.Glob(path + ".*")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestReindex: everything that can be read is there afterwards, and the old database
// under another name.
func TestReindex(t *testing.T) {
	withHome(t)
	noLeaks(t)
	dir := t.TempDir()
	path, tip := storeShares(t, dir)
	healthy := contents(t, path)
	info, p := reindexed(t, dir)
	if info.Tip != tip.String() || info.Shares != repairShares || info.SideShares != 1 {
		t.Errorf("after --reindex of a healthy database: %+v", info)
	}
	p.await(t, `rebuilt with 13 shares; 0 did not hold`)
	p.stop(t)
	kept := aside(t, path)
	if len(kept) != 1 || !strings.HasPrefix(kept[0], path+".bad-") || !maps.Equal(healthy, contents(t, kept[0])) {
		t.Errorf("kept %q", kept)
	}

	// Without --reindex the damaged database is refused.
	rot(t, kept[0])
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(kept[0], path); err != nil {
		t.Fatal(err)
	}
	damaged := contents(t, path)
	runFails(t, exitRun, arguments(dir, newFake(t)), "database is corrupted", "Nothing was deleted", "--reindex")
	if !maps.Equal(damaged, contents(t, path)) {
		t.Error("a refused database has been changed")
	}
	info, p = reindexed(t, dir)
	if info.Shares >= repairShares {
		t.Errorf("%d shares were salvaged of a journal with a hole", info.Shares)
	}
	p.stop(t)
	if kept = aside(t, path); len(kept) != 1 || !maps.Equal(damaged, contents(t, kept[0])) {
		t.Errorf("kept %q", kept)
	}
	if code, stdout, stderr := check(t, dir); code != exitOK {
		t.Errorf("--checkdb after --reindex: exit code %d, printed:\n%s%s", code, stdout, stderr)
	}
}

// TestReindexWithoutDatabase makes an empty one.
func TestReindexWithoutDatabase(t *testing.T) {
	withHome(t)
	dir := t.TempDir()
	info, p := reindexed(t, dir)
	if info.Tip != "" || info.Shares != 0 {
		t.Errorf("%+v", info)
	}
	p.stop(t)
	if kept := aside(t, filepath.Join(dir, "regtest-main", appdir.Database)); len(kept) != 0 {
		t.Errorf("kept %q", kept)
	}
}

// expiring is a context that is cancelled when it has been asked so many times.
type expiring struct {
	context.Context
	cancel context.CancelFunc
	left   int
}

func (e *expiring) Err() error {
	if e.left--; e.left < 0 {
		e.cancel()
	}
	return e.Context.Err()
}

// TestReindexInterrupted: Ctrl-C at any share leaves the old database as it was, and
// nothing beside it.
func TestReindexInterrupted(t *testing.T) {
	withHome(t)
	dir := t.TempDir()
	path, _ := storeShares(t, dir)
	before := contents(t, path)
	cfg := mustLoad(t, arguments(dir, newFake(t))...)
	for left := range repairShares {
		err := runLocked(cfg, newOutput(), func(_ context.Context, cfg *config, logs *logBackend) error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			return reindexNode(&expiring{ctx, cancel, left}, cfg, logs)
		})
		if err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
			t.Errorf("interrupted after %d shares: %v", left, err)
		}
		if !maps.Equal(before, contents(t, path)) {
			t.Errorf("interrupted after %d shares: the database has been changed", left)
		}
		if kept := aside(t, path); len(kept) != 0 {
			t.Errorf("interrupted after %d shares: %q were left behind", left, kept)
		}
	}
}
