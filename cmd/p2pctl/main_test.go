package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

// fakeNode implements the few methods that the tests call.
type fakeNode struct {
	rpcserver.Backend
	added string
}

func (n *fakeNode) Info(context.Context) (*rpcserver.Info, error) {
	return &rpcserver.Info{Version: "1.2.3", Network: "regtest", Pool: "main", Healthy: true}, nil
}

func (n *fakeNode) Uptime(context.Context) (time.Duration, error) { return time.Minute, nil }

func (n *fakeNode) AddNode(_ context.Context, addr string) error {
	n.added = addr
	return nil
}

func (n *fakeNode) SetLogLevels(_ context.Context, spec string) (map[string]string, error) {
	if spec != "" {
		return nil, rpcserver.InvalidParameter("bad level \x1b[2J%s", spec)
	}
	return map[string]string{"CHAN": "info", "PEER": "debug"}, nil
}

func (n *fakeNode) Payouts(_ context.Context, q rpcserver.PayoutQuery) (*rpcserver.Payouts, error) {
	return &rpcserver.Payouts{Class: q.Outputs, Payees: 9, Skipped: q.Skip, Payouts: []rpcserver.Payout{{
		Address: "bc1q", Score: "1", Classes: []rpcserver.ClassChance{{Class: 12, Probability: 0.123456789, Amount: 5}},
	}}}, nil
}

// startNode runs an RPC server and returns its address. change may be nil.
func startNode(t *testing.T, change func(*rpcserver.Config)) (addr string, node *fakeNode) {
	t.Helper()
	node = new(fakeNode)
	cfg := rpcserver.Config{Listen: []string{"127.0.0.1:0"}, User: "user", Password: "password", Backend: node}
	if change != nil {
		change(&cfg)
	}
	s, err := rpcserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.Addrs()[0].String(), node
}

// withHome gives the test an empty home directory of its own and returns it.
func withHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	return home
}

// p2pctl runs the program and returns its exit code and outputs.
func p2pctl(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(args, &out, &errs)
	return code, out.String(), errs.String()
}

// payoutsJSON is the answer of fakeNode.Payouts with all its fields.
const payoutsJSON = `{
  "tip": "",
  "height": 0,
  "bitcoinheight": 0,
  "class": 0,
  "coinbasevalue": 0,
  "finderfee": 0,
  "totalscore": "",
  "payees": 9,
  "skipped": 4,
  "payouts": [
    {
      "script": "",
      "address": "bc1q",
      "score": "1",
      "owed": 0,
      "amount": 0,
      "classes": [
        {
          "class": 12,
          "exact": false,
          "probability": 0.123456789,
          "amount": 5
        }
      ]
    }
  ]
}
`

func TestCommands(t *testing.T) {
	withHome(t)
	addr, node := startNode(t, nil)
	login := []string{"--rpcserver=" + addr, "--rpcuser=user", "--rpcpass=password"}
	for _, tc := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"uptime"}, exitOK, "60\n", ""},
		{[]string{"getinfo"}, exitOK, "Version           1.2.3\n", ""},
		{[]string{"getinfo", "--json"}, exitOK, "{\n  \"version\": \"1.2.3\",", ""},
		{[]string{"getpayouts", "36"}, exitOK, "Bitcoin block 0, share 0: coinbase 0.00000000 BTC, finder fee 0.00000000 BTC, at most 36 outputs\n", ""},
		{[]string{"getpayouts", "0", "", "1", "4", "--json"}, exitOK, payoutsJSON, ""},
		{[]string{"getpayouts", "bc1q"}, exitUsage, "", "p2pctl: getpayouts: class must be a whole number from 0 to 1152; usage: getpayouts [CLASS] [ADDRESS] [COUNT] [SKIP]"},
		{[]string{"getpayouts", "13"}, exitCall, "", `p2pctl: getpayouts: unknown output class "13"`},
		{[]string{"debuglevel"}, exitOK, "CHAN: info\nPEER: debug\n", ""},
		{[]string{"addnode", "host:1"}, exitOK, "", ""},
		{[]string{"help"}, exitOK, "Node\n  getinfo", ""},
		{[]string{"help", "stop"}, exitOK, "stop\n\nStops", ""},
		{[]string{"help", "nope"}, exitCall, "", `p2pctl: there is no method "nope"; p2pctl help lists all`},
		{[]string{"getinf"}, exitCall, "", `p2pctl: there is no method "getinf"; did you mean "getinfo"?; p2pctl help lists all`},
		{[]string{"debuglevel", "x"}, exitCall, "", "p2pctl: bad level ?[2Jx (error -32602)"},
		{[]string{"getsharehash", "x"}, exitUsage, "", "p2pctl: getsharehash: height must be a whole number"},
		{[]string{"getshare"}, exitUsage, "", "p2pctl: getshare: the parameter hash is missing"},
		{[]string{"stop", "now"}, exitUsage, "", "p2pctl: stop: too many parameters"},
	} {
		code, stdout, stderr := p2pctl(append(login, tc.args...)...)
		if code != tc.code || !strings.HasPrefix(stdout, tc.stdout) || !strings.HasPrefix(stderr, tc.stderr) {
			t.Errorf("%q: exit code %d, printed %q and %q", tc.args, code, stdout, stderr)
		}
		if tc.code != exitOK && stdout != "" || tc.code == exitOK && stderr != "" {
			t.Errorf("%q: output in the wrong stream: %q, %q", tc.args, stdout, stderr)
		}
	}
	if node.added != "host:1" {
		t.Errorf("added %q", node.added)
	}
}

func TestUsageErrors(t *testing.T) {
	withHome(t)
	for want, args := range map[string][]string{
		"p2pctl [options] METHOD [PARAMETER...]\n\nMethods:":  nil,
		"  getshare HASH [VERBOSITY]    Returns a share.\n":   {"--network=regtest"},
		`unknown option "--rpcsever"; did you mean "rpcserve`: {"--rpcsever=x", "getinfo"},
		`--network: unknown network "x"`:                      {"--network=x", "getinfo"},
		`--pool: pool name "X"`:                               {"--pool=X", "getinfo"},
		`--rpcserver: "host:x": the port must be`:             {"--rpcserver=host:x", "getinfo"},
		"--rpcuser and --rpcpass go together":                 {"--rpcuser=x", "getinfo"},
		"--timeout: it must be positive":                      {"--timeout=0s", "getinfo"},
		"--signetchallenge: this must be hex":                 {"--signetchallenge=x", "getinfo"},
		"there is no conf file":                               {"-C", "none", "getinfo"},
		"--rpccookiefile and --rpcuser exclude each other":    {"--rpccookiefile=x", "--rpcuser=x", "--rpcpass=y", "getinfo"},
	} {
		if code, _, stderr := p2pctl(args...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%q: exit code %d, %s; want %s", args, code, stderr, want)
		}
	}
	for arg, want := range map[string]string{"--help": "Methods:", "-V": "p2pctl 0."} {
		if code, stdout, _ := p2pctl(arg); code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit code %d, %s", arg, code, stdout)
		}
	}
}

// TestHelpNeedsNoNode explains methods without a node.
func TestHelpNeedsNoNode(t *testing.T) {
	withHome(t)
	for args, want := range map[string]string{"help": "Node\n  getinfo", "help addnode": "addnode ADDR\n", "--json help stop": `"stop\n\nStops`} {
		if code, stdout, stderr := p2pctl(strings.Fields(args)...); code != exitOK || !strings.HasPrefix(stdout, want) {
			t.Errorf("%s: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
	if code, _, stderr := p2pctl("help", "getinof"); code != exitCall || !strings.Contains(stderr, `did you mean "getinfo"?`) {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// TestCookieLogin finds the node by the conf file and the data directory alone.
func TestCookieLogin(t *testing.T) {
	dir := filepath.Join(withHome(t), ".p2poold")
	netDir := filepath.Join(dir, "regtest-mypool")
	if err := os.MkdirAll(netDir, 0o700); err != nil {
		t.Fatal(err)
	}
	addr, _ := startNode(t, func(c *rpcserver.Config) {
		c.User, c.Password, c.CookieFile = "", "", filepath.Join(netDir, ".cookie")
	})
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("network=regtest\npool=mypool\nrpclisten=0.0.0.0:%s\nrpcallowip=10.0.0.0/8\nmaxpeers=5\n", port)
	if err := os.WriteFile(filepath.Join(dir, "p2pool.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := p2pctl("uptime"); code != exitOK || stdout != "60\n" {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	if code, _, stderr := p2pctl("--pool=other", "uptime"); code != exitCall ||
		!strings.Contains(stderr, "either no p2poold is running for network regtest and pool other") {
		t.Errorf("another pool: exit code %d, %s", code, stderr)
	}
	other := filepath.Join(dir, "cookie")
	if err := os.WriteFile(other, []byte("__cookie__:wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := p2pctl("--rpccookiefile="+other, "uptime"); code != exitCall ||
		!strings.Contains(stderr, "refuses the cookie of "+other) {
		t.Errorf("wrong cookie: exit code %d, %s", code, stderr)
	}
	if err := os.WriteFile(other, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := p2pctl("--rpccookiefile="+other, "uptime"); code != exitCall || !strings.Contains(stderr, "is not a cookie file") {
		t.Errorf("broken cookie: exit code %d, %s", code, stderr)
	}
}

// TestFlagsReplaceLoginOfConfFile logs in with flags where the conf file has the
// other kind of login.
func TestFlagsReplaceLoginOfConfFile(t *testing.T) {
	home := withHome(t)
	for _, tc := range []struct{ conf, flag, cookie string }{
		{"rpcuser=a\nrpcpass=b\n", "--rpccookiefile=" + filepath.Join(home, "c"), filepath.Join(home, "c")},
		{"rpccookiefile=x\n", "--rpcuser=u", ""},
	} {
		conf := filepath.Join(t.TempDir(), "conf")
		if err := os.WriteFile(conf, []byte(tc.conf), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"-C", conf, tc.flag, "uptime"}
		if tc.cookie == "" {
			args = append(args, "--rpcpass=p")
		}
		if cfg, err := loadConfig(args); err != nil || cfg.CookieFile != tc.cookie {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestConnectionErrors(t *testing.T) {
	withHome(t)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := gone.Addr().String()
	gone.Close()

	hang := make(chan struct{})
	fake := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	slow := fake(func(_ http.ResponseWriter, r *http.Request) { <-hang })
	t.Cleanup(func() { close(hang) })
	node, _ := startNode(t, nil)
	for _, tc := range []struct {
		name, addr, password, want string
	}{
		{"not running", closed, "p", "no p2poold accepts commands on " + closed + ": is it running, and for network mainnet?"},
		{"wrong password", node, "p", `refuses user "user" with this password; compare --rpcuser and --rpcpass`},
		{"slow", slow, "p", "no answer from " + slow + " within 50ms (see --timeout)"},
		{"web server", fake(http.NotFound), "p", "refuses: 404 page not found (HTTP 404)"},
		{"not JSON", fake(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }), "p", "does not answer like a p2poold"},
		{"other JSON", fake(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }), "p", "does not answer like a p2poold"},
		{"redirect", fake(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+node, http.StatusTemporaryRedirect)
		}), "password", "(HTTP 307)"},
		{"terminal tricks", fake(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "\x1b[2J", 500) }), "p", "refuses: ?[2J (HTTP 500)"},
		{"hangs up", fake(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), "p", "closed the connection without an answer"},
	} {
		code, _, stderr := p2pctl("--rpcserver="+tc.addr, "--rpcuser=user", "--rpcpass="+tc.password, "--timeout="+timeoutFor(tc.name), "uptime")
		if code != exitCall || !strings.Contains(stderr, tc.want) {
			t.Errorf("%s: exit code %d, %s; want %s", tc.name, code, stderr, tc.want)
		}
	}
}

// timeoutFor is short only where it is what the test waits for.
func timeoutFor(name string) string {
	if name == "slow" {
		return "50ms"
	}
	return "30s"
}

func TestReachable(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0":        "127.0.0.1:9332",
		":5":             "127.0.0.1:5",
		"[::]:5":         "[::1]:5",
		"192.168.1.5":    "192.168.1.5:9332",
		"localhost:7":    "localhost:7",
		"127.0.0.1:1234": "127.0.0.1:1234",
		"bad:port":       "bad:port",
	} {
		if got := reachable(listen, 9332); got != want {
			t.Errorf("reachable(%q) = %q, want %q", listen, got, want)
		}
	}
}
