package main

import (
	"bytes"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

// TestStartStopRestart is the life of a node: it starts, answers, has shares,
// stops when asked to, leaves nothing behind, and has its tip when it returns.
func TestStartStopRestart(t *testing.T) {
	withHome(t)
	noLeaks(t)
	dir, fake := t.TempDir(), newFake(t)
	p := start(t, dir, fake)
	info := awaitInfo(t, p, "the node works", healthy)
	if info.Network != "regtest" || info.Pool != "main" || info.Address != regP2WPKH || info.Tip != "" || info.Starting || info.Syncing {
		t.Errorf("%+v", info)
	}
	p.stop(t)
	log := p.stdout.String()
	for _, line := range []string{"no conf file", "The sharechain is empty", "Work for miners", "Stopping, as asked over RPC", "P2PD: Stopped\n"} {
		if !strings.Contains(log, line) {
			t.Errorf("the log lacks %q:\n%s", line, log)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "regtest-main", ".cookie")); err == nil {
		t.Error("the cookie was left behind")
	}

	p, n := startNode(t, dir, fake)
	awaitInfo(t, p, "the node works", healthy)
	mine(t, n, regP2WPKH, 5)
	before := call[rpcserver.ChainInfo](t, p, "getsharechaininfo")
	p.stop(t)
	p = start(t, dir, fake)
	awaitInfo(t, p, "the node works", healthy)
	after := call[rpcserver.ChainInfo](t, p, "getsharechaininfo")
	if before.Tip == "" || after.Tip != before.Tip || after.Height != before.Height || after.Work != before.Work || after.Height != 4 {
		t.Errorf("before the restart %+v\nafter %+v", before, after)
	}
	p.stop(t)
}

// TestPortsTaken names each option whose port another program has.
func TestPortsTaken(t *testing.T) {
	withHome(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr, fake := taken.Addr().String(), newFake(t)
	for option, words := range map[string][]string{
		"--listen":        {"p2p port " + addr + " is already in use"},
		"--stratumlisten": {addr + " is in use by another program"},
		"--rpclisten":     {"RPC port " + addr + " is already in use"},
	} {
		args := arguments(t.TempDir(), fake)
		i := slices.Index(args, option+"=127.0.0.1:0")
		args[i] = option + "=" + addr
		message := runFails(t, exitRun, args, append(words, option)...)
		for _, other := range []string{"--listen", "--stratumlisten", "--rpclisten"} {
			if other != option && strings.Contains(message, other) {
				t.Errorf("%s is taken, the message speaks of %s: %s", option, other, message)
			}
		}
	}
}

// TestRunningTwice starts a second node on the data directory of a running one,
// whose database survives that.
func TestRunningTwice(t *testing.T) {
	withHome(t)
	dir, fake := t.TempDir(), newFake(t)
	p := start(t, dir, fake)
	awaitInfo(t, p, "the node works", healthy)
	runFails(t, exitRun, arguments(dir, fake), "another p2poold (process ", "is using "+filepath.Join(dir, "regtest-main"),
		"stop it or choose another --datadir")
	// Another pool has another directory.
	other := start(t, dir, fake, "--pool=other", "--address=")
	other.await(t, "No --address is set: miners must log in with an address of their own")
	other.cookie = filepath.Join(dir, "regtest-other", ".cookie")
	awaitInfo(t, other, "the node of another pool works", healthy)
	other.stop(t)
	if info := call[rpcserver.Info](t, p, "getinfo"); !info.Healthy {
		t.Errorf("%+v", info)
	}
	p.stop(t)
}

// TestWrongOptions has one line for each mistake in arguments and conf file that
// the program must name. config_test.go has more of them.
func TestWrongOptions(t *testing.T) {
	withHome(t)
	conf := writeConf(t, "network=regtest\n\n# a comment\nstratumlistn=:1\n")
	for _, tc := range []struct {
		args  []string
		words []string
	}{
		{[]string{"--stratumlistn=:1"}, []string{`unknown option "--stratumlistn"`, `did you mean "stratumlisten"?`}},
		{[]string{"-C", conf}, []string{conf + ", line 4", `unknown option "stratumlistn"`, `did you mean "stratumlisten"?`}},
		{[]string{"--network=regtest", "--address=" + mainP2TR}, []string{"--address: " + mainP2TR, "is an address of mainnet", "works on regtest"}},
		{[]string{"--address=" + regP2WPKH}, []string{"is an address of regtest", "works on mainnet"}},
		{[]string{"--address=myaddress"}, []string{`--address: "myaddress" is not a Bitcoin address`, "check it for missing and wrong characters"}},
	} {
		if message := runFails(t, exitUsage, tc.args, tc.words...); strings.Count(message, "\n") != 1 {
			t.Errorf("more than one line: %s", message)
		}
	}
}

// TestCorruptDatabase garbles a file of a real database. The node must not start
// on what is left of it, must say how to repair it, and must not touch it; done
// as it says, the node starts with the shares it had.
func TestCorruptDatabase(t *testing.T) {
	withHome(t)
	dir, fake := t.TempDir(), newFake(t)
	p, n := startNode(t, dir, fake)
	awaitInfo(t, p, "the node works", healthy)
	mine(t, n, regP2WPKH, 3)
	tip := n.chain.Tip().ID.String()
	p.stop(t)

	database := filepath.Join(dir, "regtest-main", "sharechain")
	for _, pattern := range []string{"*.log", "MANIFEST-*"} { // journal, list of tables
		names, err := filepath.Glob(filepath.Join(database, pattern))
		if err != nil || len(names) != 1 {
			t.Fatalf("%s: %q, %v", pattern, names, err)
		}
		whole := readFile(t, names[0])
		damaged := bytes.Clone(whole)
		for i := len(damaged) / 3; i < len(damaged); i++ {
			damaged[i] ^= 0x55
		}
		writeFile(t, names[0], damaged)
		before := contents(t, database)
		runFails(t, exitRun, arguments(dir, fake), "database is corrupted: "+database, "Nothing was deleted",
			"To repair it, stop p2poold and start it once with --reindex", "fetched from your peers")
		if after := contents(t, database); !reflect.DeepEqual(after, before) {
			t.Errorf("%s garbled: files before %v, after %v", pattern, slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
		}
		writeFile(t, names[0], whole)
	}

	writeFile(t, filepath.Join(database, "CURRENT"), []byte("nonsense"))
	runFails(t, exitRun, arguments(dir, fake), "database is corrupted", "Nothing was deleted")
	p = start(t, dir, fake, "--reindex")
	if info := awaitInfo(t, p, "the node works", healthy); info.Tip != tip {
		t.Errorf("tip %s, want %s", info.Tip, tip)
	}
	p.stop(t)
	if kept, err := filepath.Glob(database + ".bad-*"); err != nil || len(kept) != 1 {
		t.Errorf("the old database was kept as %q, %v", kept, err)
	}
}

// contents returns all files of a directory but for LevelDB's own log.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, e := range entries {
		if e.Name() != "LOG" && e.Name() != "LOG.old" {
			files[e.Name()] = string(readFile(t, filepath.Join(dir, e.Name())))
		}
	}
	return files
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
