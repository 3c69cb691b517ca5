package bitcoind

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcjson"
	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// fastTiming returns durations that let tests see many rounds within a second.
func fastTiming() timing {
	t := defaultTiming()
	t.poll, t.refresh, t.gap = 20*time.Millisecond, 10*time.Second, 10*time.Millisecond
	t.backoffMin, t.backoffMax = 10*time.Millisecond, 50*time.Millisecond
	t.grace, t.probe, t.dial, t.call = 100*time.Millisecond, 50*time.Millisecond, time.Second, 5*time.Second
	return t
}

// newClient returns a client with fast timing for the configuration.
func newClient(t *testing.T, cfg Config) *Client {
	t.Helper()
	if cfg.Params == nil {
		cfg.Params = &chaincfg.RegressionNetParams
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.timing = fastTiming()
	return c
}

// wantError checks an error's kind and that its message says what it should.
func wantError(t *testing.T, err error, kind ErrorKind, says ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q doesn't say %q", err, s)
		}
	}
	if strings.Contains(err.Error(), bitcoindtest.FakePass) {
		t.Errorf("%q shows the password", err)
	}
}

// TestNewErrors checks the configuration's errors.
func TestNewErrors(t *testing.T) {
	tests := []struct{ url, cookie, want string }{
		{"http://u:p@localhost:8332", "", ""},
		{"http://u:p@[::1]:8332/", "", ""},
		{"http://localhost:8332", "/x/.cookie", ""},
		{"http://localhost:8332", "", "no password"},
		{"http://u@localhost:8332", "", "no password"},
		{"http://u:p@localhost:8332", "/x/.cookie", "one of them"},
		{"http://u:p@localhost", "", "incomplete"},
		{"localhost:8332", "", "incomplete"},
		{"", "", "incomplete"},
		{"https://u:p@localhost:8332", "", "--notls"},
		{"http://u:p@localhost:8332/wallet/x", "", "nothing may follow"},
		{"http://u:secret@local host:8332", "", "not a URL"},
	}
	for _, test := range tests {
		_, err := New(Config{URL: test.url, CookieFile: test.cookie, Params: &chaincfg.RegressionNetParams})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%q: %v", test.url, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%q: got %v, want %q", test.url, err, test.want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%q: the message shows the password: %v", test.url, err)
		}
	}
	if _, err := New(Config{URL: "http://u:p@localhost:8332"}); err == nil {
		t.Error("accepted without a network")
	}
}

// TestCheckUnreachable checks the message where nothing listens, and that it comes at
// once.
func TestCheckUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c := newClient(t, Config{URL: "http://u:p@" + addr})
	start := time.Now()
	wantError(t, c.Check(t.Context()), ErrUnreachable,
		"cannot reach the Bitcoin node at "+addr+": connection refused", "start bitcoind", "--bitcoind")
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}

	c = newClient(t, Config{URL: "http://u:p@nosuchhost.invalid:8332"})
	wantError(t, c.Check(t.Context()), ErrUnreachable, "nosuchhost.invalid:8332")
}

// TestCheckFaults checks what is said about nodes that can't be mined on.
func TestCheckFaults(t *testing.T) {
	rule := func(rules ...string) bitcoindtest.Faults {
		return bitcoindtest.Faults{Template: func(m map[string]any) { m["rules"] = rules }}
	}
	rpcError := func(method string, code btcjson.RPCErrorCode, text string) bitcoindtest.Faults {
		return bitcoindtest.Faults{Errors: map[string]*btcjson.RPCError{method: btcjson.NewRPCError(code, text)}}
	}
	drop := func(key string) bitcoindtest.Faults {
		return bitcoindtest.Faults{Template: func(m map[string]any) { delete(m, key) }}
	}
	tests := []struct {
		name   string
		btcd   bool
		faults bitcoindtest.Faults
		kind   ErrorKind // "" if the node is fine
		says   string
	}{
		{name: "sound Core"},
		{name: "sound btcd", btcd: true},
		{name: "optional rule", faults: rule("!segwit", "newfork")},
		{name: "mandatory rule", faults: rule("csv", "!segwit", "!newfork"),
			kind: ErrUnknownRule, says: `mandatory rule "newfork"`},
		{name: "password", faults: bitcoindtest.Faults{Pass: "other"},
			kind: ErrAuth, says: "correct user and password in --bitcoind"},
		{name: "address", faults: bitcoindtest.Faults{Status: 403}, kind: ErrAuth, says: "rpcallowip"},
		{name: "busy", faults: bitcoindtest.Faults{Status: 503, Body: "Work queue depth exceeded"},
			kind: ErrTimeout, says: "too busy"},
		{name: "not a node", faults: bitcoindtest.Faults{Status: 200, Body: "<html>hello</html>"},
			kind: ErrBadReply, says: "doesn't answer like a Bitcoin node"},
		{name: "server error", faults: bitcoindtest.Faults{Status: 500, Body: "oops"},
			kind: ErrBadReply, says: "HTTP status 500"},
		{name: "empty object", faults: bitcoindtest.Faults{Status: 200, Body: "{}"}, kind: ErrBadReply, says: "getblockhash"},
		{name: "Core downloading", faults: bitcoindtest.Faults{InitialDownload: true},
			kind: ErrSyncing, says: "still downloading the block chain (block 0 of 1000)"},
		{name: "btcd downloading", btcd: true, faults: bitcoindtest.Faults{InitialDownload: true},
			kind: ErrSyncing, says: "still downloading the block chain"},
		{name: "no peers", faults: rpcError("getblocktemplate", btcjson.ErrRPCClientNotConnected, "not connected!"),
			kind: ErrNoPeers, says: "no connection to the Bitcoin network"},
		{name: "warming up", faults: rpcError("getblockhash", btcjson.ErrRPCInWarmup, "Loading block index…"),
			kind: ErrStarting, says: "still starting (Loading block index…)"},
		{name: "other error", faults: rpcError("getblockchaininfo", btcjson.ErrRPCMisc, "odd"), kind: ErrRPC, says: "odd"},
		{name: "no chain info", faults: rpcError("getblockchaininfo", btcjson.ErrRPCMethodNotFound.Code, "no")},
		{name: "too old", faults: drop("weightlimit"), kind: ErrTooOld, says: "no segwit"},
		{name: "no value", faults: drop("coinbasevalue"), kind: ErrBadReply, says: "coinbasevalue"},
		{name: "garbage template", faults: bitcoindtest.Faults{Raw: map[string]string{"getblocktemplate": `{"result":[[[`}},
			kind: ErrBadReply, says: "getblocktemplate"},
		{name: "null template", faults: bitcoindtest.Faults{Raw: map[string]string{"getblocktemplate": `{"result":null}`}},
			kind: ErrTooOld},
		{name: "garbage info", faults: bitcoindtest.Faults{Raw: map[string]string{"getblockchaininfo": `{"result":7}`}},
			kind: ErrBadReply, says: "getblockchaininfo"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, test.btcd)
			f.SetFaults(test.faults)
			err := newClient(t, Config{URL: f.URL()}).Check(t.Context())
			if test.kind == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantError(t, err, test.kind, test.says)
		})
	}
}

// TestCheckNetwork checks that a node of another network is refused by name.
func TestCheckNetwork(t *testing.T) {
	for _, params := range []*chaincfg.Params{
		&chaincfg.MainNetParams, &chaincfg.TestNet3Params, &chaincfg.TestNet4Params, &chaincfg.SigNetParams,
	} {
		f := bitcoindtest.NewFakeTest(t, params, params == &chaincfg.MainNetParams)
		wantError(t, newClient(t, Config{URL: f.URL()}).Check(t.Context()), ErrWrongNetwork,
			"is on "+params.Name, "mine on regtest", "--network")
		if err := newClient(t, Config{URL: f.URL(), Params: params}).Check(t.Context()); err != nil {
			t.Errorf("%s: %v", params.Name, err)
		}
	}
	odd := chaincfg.RegressionNetParams
	odd.GenesisBlock = chaincfg.MainNetParams.GenesisBlock.Copy()
	odd.GenesisBlock.Header.Nonce++
	hash := odd.GenesisBlock.BlockHash()
	odd.GenesisHash = &hash
	f := bitcoindtest.NewFakeTest(t, &odd, false)
	wantError(t, newClient(t, Config{URL: f.URL()}).Check(t.Context()), ErrWrongNetwork, hash.String())
}

// TestCheckSignet checks that signets, which share a genesis block, are told apart by
// their challenge, and that a fresh custom signet isn't held for one that downloads.
func TestCheckSignet(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.SigNetParams, false)
	challenge := []byte{0x51}
	report := func(text string) bitcoindtest.Faults {
		return bitcoindtest.Faults{Template: func(m map[string]any) { m["signet_challenge"] = text }}
	}
	standard := newClient(t, Config{URL: f.URL(), Params: &chaincfg.SigNetParams})
	custom := newClient(t, Config{URL: f.URL(), Params: &chaincfg.SigNetParams, SignetChallenge: challenge})

	f.SetFaults(report("51"))
	wantError(t, standard.Check(t.Context()), ErrWrongNetwork, "another signet", "challenge 51")
	if err := custom.Check(t.Context()); err != nil {
		t.Errorf("custom challenge: %v", err)
	}
	f.SetFaults(report("52"))
	wantError(t, custom.Check(t.Context()), ErrWrongNetwork, "not 51")

	f.SetFaults(bitcoindtest.Faults{Raw: map[string]string{
		"getblockchaininfo": `{"result":{"blocks":0,"headers":0,"initialblockdownload":true}}`}})
	if err := custom.Check(t.Context()); err != nil {
		t.Errorf("fresh custom signet: %v", err)
	}
	wantError(t, standard.Check(t.Context()), ErrSyncing)
}

// TestCookie checks the messages about cookie files, and that a new cookie is used
// without a new client.
func TestCookie(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	file := filepath.Join(t.TempDir(), ".cookie")
	c := newClient(t, Config{URL: "http://" + f.Addr(), CookieFile: file})
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	wantError(t, c.Check(t.Context()), ErrCookie, "there is no cookie file "+file, "start bitcoind")
	write("nonsense")
	wantError(t, c.Check(t.Context()), ErrCookie, "no user:password")
	write(strings.Repeat("x", maxCookie+1))
	wantError(t, c.Check(t.Context()), ErrCookie, "not a cookie file")
	write("__cookie__:old")
	wantError(t, c.Check(t.Context()), ErrAuth, "--bitcoindcookie")
	write("__cookie__:" + bitcoindtest.FakePass + "\n")
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.SetFaults(bitcoindtest.Faults{Pass: "second"})
	write("__cookie__:second")
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}

	dir := newClient(t, Config{URL: "http://" + f.Addr(), CookieFile: t.TempDir()})
	wantError(t, dir.Check(t.Context()), ErrCookie, "not a cookie file")

	// Bitcoin Core removes the file when it ends: what is wrong then is the node.
	f.Down()
	wantError(t, dir.Check(t.Context()), ErrUnreachable, "cannot reach")
}

// TestCallEnds checks that calls return when their context ends or their time is up,
// even if the node never answers, and that a slow call blocks no call of another lane.
func TestCallEnds(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	f.SetFaults(bitcoindtest.Faults{Delay: map[string]time.Duration{
		"getbestblockhash": time.Hour, "submitblock": time.Hour,
	}})
	c := newClient(t, Config{URL: f.URL()})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := c.TipHash(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := c.SubmitBlock(ctx, mining.RawBlock{[]byte{1}}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}

	c.timing.call = 50 * time.Millisecond
	_, err := c.TipHash(t.Context())
	wantError(t, err, ErrTimeout, "didn't answer getbestblockhash within 50ms")
}
