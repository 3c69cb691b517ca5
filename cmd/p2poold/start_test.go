package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcjson"
	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// starting checks what the node says while it waits, and that commands that need
// the sharechain are told to come back.
func starting(t *testing.T, p *program, words ...string) {
	t.Helper()
	info := awaitInfo(t, p, "the node says what it waits for", func(i *rpcserver.Info) bool {
		return len(i.Health) == 1 && !slices.ContainsFunc(words, func(word string) bool {
			return !strings.Contains(i.Health[0], word)
		})
	})
	if info.Healthy || !info.Starting || info.Bitcoind.Connected || info.Bitcoind.Error == "" || info.Version != version() || info.Tip != "" {
		t.Errorf("getinfo: %+v", info)
	}
	for method, params := range map[string][]any{
		"getsharechaininfo": nil, "gettip": nil, "getbestsharehash": nil, "getsharehash": {0},
		"getshare": {strings.Repeat("0", 64)}, "getshares": nil, "getpayouts": nil, "getblocksfound": nil, "gettemplate": nil,
	} {
		callError(t, p, rpcserver.CodeNotReady, "not ready yet: "+info.Health[0], method, params...)
	}
	if miners := call[[]rpcserver.MinerInfo](t, p, "getminers"); len(miners) != 0 {
		t.Errorf("miners %+v", miners)
	}
	if levels := call[map[string]string](t, p, "debuglevel", "STRM=debug"); levels["STRM"] != "debug" {
		t.Errorf("levels %v", levels)
	}
	callError(t, p, rpcserver.CodeInvalidParams, `"loud" is not a level`, "debuglevel", "loud")
}

// TestBitcoindNotRunning: the node waits and says so, and works when the Bitcoin
// node comes up.
func TestBitcoindNotRunning(t *testing.T) {
	withHome(t)
	noLeaks(t)
	fake := newFake(t)
	fake.Down()
	p := start(t, t.TempDir(), fake)
	p.await(t, `\[WRN\] BTCN: Waiting for the Bitcoin node: cannot reach the Bitcoin node at `+fake.Addr()+`: connection refused; start bitcoind or correct --bitcoind`)
	starting(t, p, "waiting for the Bitcoin node", "start bitcoind or correct --bitcoind")
	if err := fake.Up(); err != nil {
		t.Fatal(err)
	}
	info := awaitInfo(t, p, "the node works", healthy)
	if b := info.Bitcoind; info.Starting || !b.Connected || b.Error != "" || b.BitcoinHeight != 3 || b.LastTemplate == 0 {
		t.Errorf("%+v", info)
	}
	p.stop(t)
	if n := strings.Count(p.stdout.String(), "Waiting for the Bitcoin node"); n != 1 {
		t.Errorf("%d log lines about the wait", n)
	}
}

// TestBitcoindSyncing: the node waits for a Bitcoin node of either kind that is
// still starting, and then in its initial download.
func TestBitcoindSyncing(t *testing.T) {
	withHome(t)
	for _, likeBtcd := range []bool{false, true} {
		fake := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, likeBtcd)
		fake.SetFaults(bitcoindtest.Faults{Errors: map[string]*btcjson.RPCError{
			"getblockhash": btcjson.NewRPCError(btcjson.ErrRPCInWarmup, "Loading block index…")}})
		p := start(t, t.TempDir(), fake)
		p.await(t, `Waiting for the Bitcoin node: the Bitcoin node at \S+ is still starting \(Loading block index…\)`)
		starting(t, p, "is still starting", "wait until it is ready")
		fake.SetFaults(bitcoindtest.Faults{InitialDownload: true})
		p.await(t, `Waiting for the Bitcoin node: the Bitcoin node at \S+ is still downloading the block chain`)
		starting(t, p, "waiting for the Bitcoin node", "is still downloading the block chain", "wait until it has caught up")
		if b := call[rpcserver.Info](t, p, "getinfo").Bitcoind; !b.InitialDownload {
			t.Errorf("%+v", b)
		}
		fake.SetFaults(bitcoindtest.Faults{})
		if info := awaitInfo(t, p, "the node works", healthy); info.Bitcoind.InitialDownload {
			t.Errorf("%+v", info.Bitcoind)
		}
		p.stop(t)
	}
}

// TestBitcoindMistakes: what waiting cannot cure ends the program.
func TestBitcoindMistakes(t *testing.T) {
	withHome(t)
	for _, tc := range []struct {
		name   string
		params *chaincfg.Params
		faults bitcoindtest.Faults
		words  []string
	}{
		{"wrong password", &chaincfg.RegressionNetParams, bitcoindtest.Faults{Pass: "other"},
			[]string{"refuses our password", "correct user and password in --bitcoind", "rpcuser and rpcpassword"}},
		{"wrong network", &chaincfg.MainNetParams, bitcoindtest.Faults{},
			[]string{"is on mainnet, but p2poold was told to mine on regtest", "correct --network or --bitcoind"}},
		{"unknown rule", &chaincfg.RegressionNetParams,
			bitcoindtest.Faults{Template: func(t map[string]any) { t["rules"] = []string{"!segwit", "!quantum"} }},
			[]string{`the mandatory rule "quantum"`, "doesn't know", "upgrade p2poold"}},
		{"no Bitcoin node", &chaincfg.RegressionNetParams, bitcoindtest.Faults{Status: 404, Body: "no such page"},
			[]string{"doesn't answer like a Bitcoin node", "correct --bitcoind"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fake := bitcoindtest.NewFakeTest(t, tc.params, false)
			fake.SetFaults(tc.faults)
			message := runFails(t, exitRun, arguments(t.TempDir(), fake), tc.words...)
			if strings.Contains(message, bitcoindtest.FakePass) {
				t.Errorf("it shows the password: %s", message)
			}
		})
	}
	t.Run("optional rule", func(t *testing.T) {
		fake := newFake(t)
		fake.SetFaults(bitcoindtest.Faults{Template: func(t map[string]any) { t["rules"] = []string{"!segwit", "quantum"} }})
		p := start(t, t.TempDir(), fake)
		awaitInfo(t, p, "the node works", healthy)
		p.stop(t)
	})
}

// TestBitcoindCookie: a cookie is waited for while nothing listens at the node's
// address, and missed when something does.
func TestBitcoindCookie(t *testing.T) {
	withHome(t)
	dir, cookie := t.TempDir(), filepath.Join(t.TempDir(), ".cookie")
	fake := newFake(t)
	fake.Down()
	args := []string{"--bitcoind=http://" + fake.Addr(), "--bitcoindcookie=" + cookie}
	p := start(t, dir, fake, args...)
	starting(t, p, "cannot reach the Bitcoin node")
	if err := os.WriteFile(cookie, []byte("__cookie__:"+bitcoindtest.FakePass), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fake.Up(); err != nil {
		t.Fatal(err)
	}
	awaitInfo(t, p, "the node works", healthy)
	p.stop(t)

	if err := os.Remove(cookie); err != nil {
		t.Fatal(err)
	}
	all := arguments(dir, fake, args...)
	message := runFails(t, exitRun, all, "there is no cookie file "+cookie, "start bitcoind or correct --bitcoindcookie",
		"if it has rpcuser and rpcpassword, give --bitcoind=http://user:password@host:port")
	if strings.Contains(strings.TrimSpace(message), "\n") {
		t.Errorf("more than one line: %s", message)
	}
	if err := os.WriteFile(cookie, []byte("__cookie__:old"), 0o600); err != nil {
		t.Fatal(err)
	}
	runFails(t, exitRun, all, "refuses our password", "check that --bitcoindcookie is the cookie file of this node")
}

// TestBitcoindLostAgain: the Bitcoin node goes away between the check and the
// loading of its headers.
func TestBitcoindLostAgain(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	warmup := btcjson.NewRPCError(btcjson.ErrRPCInWarmup, "Verifying blocks…")
	fake.SetFaults(bitcoindtest.Faults{Errors: map[string]*btcjson.RPCError{"getbestblockhash": warmup}})
	p := start(t, t.TempDir(), fake)
	starting(t, p, "is still starting (Verifying blocks…)")
	fake.SetFaults(bitcoindtest.Faults{Errors: map[string]*btcjson.RPCError{"getblockheader": warmup}})
	starting(t, p, "reading Bitcoin headers", "is still starting (Verifying blocks…)")
	fake.SetFaults(bitcoindtest.Faults{})
	awaitInfo(t, p, "the node works", healthy)
	// And again while it runs: it says so, and recovers by itself.
	fake.Down()
	info := awaitInfo(t, p, "the node misses the Bitcoin node", func(i *rpcserver.Info) bool { return !i.Healthy })
	if info.Starting || info.Bitcoind.Connected || !strings.Contains(info.Health[0], "Bitcoin node unreachable since") || info.Bitcoind.BitcoinHeight != 3 {
		t.Errorf("%+v", info)
	}
	if err := fake.Up(); err != nil {
		t.Fatal(err)
	}
	awaitInfo(t, p, "the node works again", healthy)
	p.stop(t)
}

func TestReminder(t *testing.T) {
	var r reminder
	now := time.Unix(1_700_000_000, 0)
	for i, step := range []struct {
		after time.Duration
		kind  bitcoind.ErrorKind
		want  bool
	}{
		{0, bitcoind.ErrUnreachable, true},
		{time.Second, bitcoind.ErrUnreachable, false},
		{58 * time.Second, bitcoind.ErrUnreachable, false},
		{time.Second, bitcoind.ErrUnreachable, true},
		{time.Second, bitcoind.ErrSyncing, true},
		{59 * time.Second, bitcoind.ErrSyncing, false},
		{time.Second, bitcoind.ErrSyncing, true},
	} {
		now = now.Add(step.after)
		if got := r.due(step.kind, now); got != step.want {
			t.Errorf("step %d: got %v", i, got)
		}
	}
}
