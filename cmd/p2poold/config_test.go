package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/p2poold/p2poold/blockchain/chainparams"
)

// Addresses for the tests: BIP 173 and BIP 350 examples, and well-known ones.
const (
	mainP2PKH  = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
	mainP2SH   = "3P14159f73E4gFr7JterCCQh9QjiTjiZrG"
	mainP2WPKH = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
	mainP2WSH  = "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3"
	mainP2TR   = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"
	testP2PKH  = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
	testP2WPKH = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
	regP2WPKH  = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
)

// withHome gives the test an empty home directory of its own and returns it.
func withHome(t testing.TB) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	return home
}

// writeConf writes a conf file and returns its path.
func writeConf(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.conf")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustLoad loads a configuration that is right.
func mustLoad(t testing.TB, args ...string) *config {
	t.Helper()
	cfg, err := loadConfig(args)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return cfg
}

// wantError loads a configuration and checks that the error has the text.
func wantError(t *testing.T, text string, args ...string) {
	t.Helper()
	_, err := loadConfig(args)
	if err == nil {
		t.Errorf("%q was accepted, want an error with %q", args, text)
	} else if !strings.Contains(err.Error(), text) {
		t.Errorf("%q:\ngot  %v\nwant …%s…", args, err, text)
	}
}

func TestDefaults(t *testing.T) {
	home := withHome(t)
	for _, tc := range []struct {
		network, listen, stratum, rpc, bitcoind string
	}{
		{"mainnet", ":9333", ":3333", "127.0.0.1:9332", "http://127.0.0.1:8332"},
		{"testnet4", ":19333", ":13333", "127.0.0.1:19332", "http://127.0.0.1:48332"},
		{"signet", ":39333", ":33333", "127.0.0.1:39332", "http://127.0.0.1:38332"},
		{"regtest", ":29333", ":23333", "127.0.0.1:29332", "http://127.0.0.1:18443"},
	} {
		cfg := mustLoad(t, "--network="+tc.network)
		got := []string{cfg.P2P.Listen[0], cfg.Stratum.Listen[0], cfg.RPC.Listen[0], cfg.Bitcoin.URL[0]}
		if want := []string{tc.listen, tc.stratum, tc.rpc, tc.bitcoind}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", tc.network, got, want)
		}
		dir := filepath.Join(home, ".p2poold", tc.network+"-main")
		if cfg.netDir != dir || cfg.RPC.CookieFile != filepath.Join(dir, ".cookie") ||
			cfg.Log.Dir != filepath.Join(dir, "logs") || cfg.databaseDir() != filepath.Join(dir, "sharechain") {
			t.Errorf("%s: wrong paths: %q, %q, %q, %q", tc.network, cfg.netDir, cfg.RPC.CookieFile, cfg.Log.Dir, cfg.databaseDir())
		}
		if cfg.own != nil || cfg.P2P.NoListen {
			t.Errorf("%s: payees %v, nolisten %v by default", tc.network, cfg.own, cfg.P2P.NoListen)
		}
	}
}

func TestPrecedence(t *testing.T) {
	withHome(t)
	conf := writeConf(t, "network=regtest\npool=file\nlisten=:1\nlisten=:2\nnolisten=0\nmaxpeers=7\nnofilelogging=1\n")
	cfg := mustLoad(t, "-C", conf, "--pool=flag", "--listen=:3", "--nofilelogging=0")
	if cfg.General.Network != "regtest" || cfg.General.Pool != "flag" || cfg.P2P.MaxPeers != 7 || cfg.Log.NoFile {
		t.Errorf("got %+v", cfg.General)
	}
	if want := []string{":3"}; !reflect.DeepEqual(cfg.P2P.Listen, want) {
		t.Errorf("listen %q, want %q", cfg.P2P.Listen, want)
	}

	// A switch that is on by default.
	off := writeConf(t, "v2transport=0\n")
	for _, tc := range []struct {
		args []string
		want bool
	}{
		{nil, true}, {[]string{"--v2transport"}, true}, {[]string{"--v2transport=0"}, false},
		{[]string{"-C", off}, false}, {[]string{"-C", off, "--v2transport=1"}, true},
	} {
		if cfg := mustLoad(t, tc.args...); cfg.P2P.V2 != tc.want {
			t.Errorf("%q: v2transport is %v", tc.args, cfg.P2P.V2)
		}
	}
}

func TestConfFilePlaces(t *testing.T) {
	home, dir := withHome(t), t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".p2poold"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, pool := range map[string]string{
		filepath.Join(home, ".p2poold", "p2pool.conf"): "home",
		filepath.Join(dir, "p2pool.conf"):              "datadir",
		filepath.Join(home, "own.conf"):                "own",
	} {
		if err := os.WriteFile(path, []byte("pool="+pool+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"home", nil},
		{"datadir", []string{"--datadir=" + dir}},
		{"own", []string{"--datadir=" + dir, "-C", "~/own.conf"}},
		{"own", []string{"--configfile=" + filepath.Join(home, "own.conf")}},
	} {
		if got := mustLoad(t, tc.args...).General.Pool; got != tc.want {
			t.Errorf("%q read the conf file of %q, want %q", tc.args, got, tc.want)
		}
	}
	wantError(t, "there is no conf file "+filepath.Join(home, "none"), "-C", "~/none")
}

func TestArgumentErrors(t *testing.T) {
	withHome(t)
	for want, args := range map[string][]string{
		`unknown option "--adress"; did you mean "address"?`: {"--adress=x"},
		`unexpected argument "mainnet": options begin`:       {"mainnet"},
		"--pool needs a value: --pool=NAME":                  {"--pool"},
		"--configfile needs a value: --configfile=FILE":      {"-C"},
		"--maxpeers: it must be a whole number":              {"--maxpeers=many"},
		"--nolisten: write --nolisten, or --nolisten=0":      {"--nolisten=perhaps"},
	} {
		wantError(t, want, args...)
	}
}

func TestConfFileErrors(t *testing.T) {
	withHome(t)
	for content, want := range map[string]string{
		"# comment\nadress=x\n":                `, line 2: unknown option "adress"; did you mean "address"?`,
		"version=1\n":                          ", line 1: version can only be given on the command line",
		"configfile=x\n":                       ", line 1: configfile can only be given on the command line",
		"\n\nnetwork=moon\n":                   `, line 3: network: unknown network "moon"`,
		"network=regtest\nlisten=:x":           ", line 2: listen: ",
		"network=regtest\naddress=" + mainP2TR: ", line 2: address: ",
		"maxpeers=x":                           `, line 1: maxpeers: "x" is not a whole number`,
		"[regtest]":                            ", line 1: sections are not used here",
	} {
		conf := writeConf(t, content)
		wantError(t, conf+want, "-C", conf)
	}
	wantError(t, "conf file: ", "-C", t.TempDir())
}

func TestNetworkErrors(t *testing.T) {
	withHome(t)
	wantError(t, `--network: unknown network "main": choose one of mainnet, testnet4, signet, regtest`, "--network=main")
	wantError(t, `--pool: pool name "My Pool"`, "--pool=My Pool")
	wantError(t, `--pool: pool name ".."`, "--pool=..")
	wantError(t, "--signetchallenge: this needs --network=signet", "--signetchallenge=51")
	wantError(t, "--signetchallenge: this must be a script in hex", "--network=signet", "--signetchallenge=5x")
	cfg := mustLoad(t, "--network=signet", "--signetchallenge=51")
	if !bytes.Equal(cfg.params.SignetChallenge, []byte{0x51}) {
		t.Errorf("challenge %x", cfg.params.SignetChallenge)
	}
	if other := mustLoad(t, "--network=signet"); other.netDir == cfg.netDir {
		t.Error("two signets share a data directory")
	}
}

func TestPayeeAddress(t *testing.T) {
	withHome(t)
	for _, tc := range []struct{ network, address, script string }{
		{"mainnet", mainP2PKH, "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"},
		{"mainnet", mainP2SH, ""},
		{"mainnet", mainP2WPKH, "0014751e76e8199196d454941c45d1b3a323f1433bd6"},
		{"mainnet", strings.ToUpper(mainP2WPKH), "0014751e76e8199196d454941c45d1b3a323f1433bd6"},
		{"mainnet", mainP2WSH, "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"},
		{"mainnet", mainP2TR, "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"},
		{"testnet4", testP2PKH, ""},
		{"signet", testP2WPKH, "0014751e76e8199196d454941c45d1b3a323f1433bd6"},
		{"regtest", regP2WPKH, "0014751e76e8199196d454941c45d1b3a323f1433bd6"},
		{"regtest", testP2PKH, ""},
	} {
		cfg := mustLoad(t, "--network="+tc.network, "--address="+tc.address)
		if got := hex.EncodeToString(cfg.own[0].Script); tc.script != "" && got != tc.script || got == "" {
			t.Errorf("%s %s: script %s, want %s", tc.network, tc.address, got, tc.script)
		}
	}
}

func TestPayeeAddressErrors(t *testing.T) {
	withHome(t)
	for _, tc := range []struct{ network, address, want string }{
		{"mainnet", testP2WPKH, "is an address of testnet4 or signet; this node works on mainnet"},
		{"mainnet", testP2PKH, "is an address of testnet4, signet or regtest; this node works on mainnet"},
		{"mainnet", regP2WPKH, "is an address of regtest; this node works on mainnet"},
		{"regtest", mainP2TR, "is an address of mainnet; this node works on regtest"},
		{"regtest", testP2WPKH, "is an address of testnet4 or signet; this node works on regtest"},
		{"testnet4", mainP2PKH, "is an address of mainnet; this node works on testnet4"},
		{"mainnet", "nonsense", `"nonsense" is not a Bitcoin address`},
		{"mainnet", mainP2PKH[:33] + "b", "is not a Bitcoin address"},
		{"mainnet", mainP2WPKH[:41] + "5", "is not a Bitcoin address"},
		{"mainnet", "bc1pfeessrawgf", "cannot be paid to"},                                                     // pay to anchor
		{"mainnet", "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", "cannot be paid to"}, // a public key
		{"mainnet", strings.Repeat("1", 10_000), "is not a Bitcoin address"},
	} {
		wantError(t, tc.want, "--network="+tc.network, "--address="+tc.address)
	}
}

func TestTag(t *testing.T) {
	withHome(t)
	mustLoad(t, "--tag=sixteen letters!")
	wantError(t, "--tag: it has 17 bytes, 16 are allowed", "--tag=seventeen letters")
	wantError(t, "--tag: only printable ASCII", "--tag=Grüße")
}

func TestBitcoind(t *testing.T) {
	home := withHome(t)
	cookie := filepath.Join(t.TempDir(), "cookie")
	for _, tc := range []struct {
		args        []string
		url, cookie string
	}{
		{[]string{"--bitcoind=http://u:p@node.example.org"}, "http://u:p@node.example.org:8332", ""},
		{[]string{"--bitcoind=http://u:p%40%3a@[::1]:1/"}, "http://u:p%40%3A@[::1]:1", ""},
		{[]string{"--bitcoind=http://10.0.0.1:1", "--bitcoindcookie=" + cookie}, "http://10.0.0.1:1", cookie},
		{[]string{"--bitcoindcookie=~/c"}, "http://127.0.0.1:8332", filepath.Join(home, "c")},
	} {
		cfg := mustLoad(t, tc.args...)
		if want := []bitcoinNode{{tc.url, tc.cookie}}; !slices.Equal(cfg.Bitcoin.nodes, want) {
			t.Errorf("%q: got %q, want %q", tc.args, cfg.Bitcoin.nodes, want)
		}
	}
	if cfg := mustLoad(t, "--network=regtest"); runtime.GOOS == "linux" && cfg.Bitcoin.nodes[0].cookie != filepath.Join(home, ".bitcoin/regtest/.cookie") {
		t.Errorf("default cookie %q", cfg.Bitcoin.nodes[0].cookie)
	}
}

// TestSeveralBitcoinds: cookie files belong, in order, to the URLs without a password.
func TestSeveralBitcoinds(t *testing.T) {
	withHome(t)
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	cfg := mustLoad(t, "--bitcoind=http://10.0.0.1", "--bitcoind=http://u:p@10.0.0.2:1", "--bitcoind=http://10.0.0.3",
		"--bitcoindcookie="+one, "--bitcoindcookie="+two)
	want := []bitcoinNode{{"http://10.0.0.1:8332", one}, {"http://u:p@10.0.0.2:1", ""}, {"http://10.0.0.3:8332", two}}
	if !slices.Equal(cfg.Bitcoin.nodes, want) {
		t.Errorf("got %q, want %q", cfg.Bitcoin.nodes, want)
	}
	cfg = mustLoad(t, "--bitcoind=http://u:p@10.0.0.2:1", "--bitcoind=http://u:q@10.0.0.3")
	if len(cfg.Bitcoin.nodes) != 2 || len(cfg.Bitcoin.Cookie) != 0 {
		t.Errorf("got %q with cookies %q", cfg.Bitcoin.nodes, cfg.Bitcoin.Cookie)
	}
	n := &node{cfg: cfg}
	if got := n.bitcoinPeers(); !slices.Equal(got, []string{"10.0.0.2:8333", "10.0.0.3:8333"}) {
		t.Errorf("peers %q", got)
	}
	wantError(t, "1 cookie files for 2 Bitcoin nodes", "--bitcoind=http://a", "--bitcoind=http://b", "--bitcoindcookie="+one)
	wantError(t, "0 cookie files for 2 Bitcoin nodes", "--bitcoind=http://a", "--bitcoind=http://b")
	wantError(t, "2 cookie files for 1 Bitcoin nodes", "--bitcoind=http://a", "--bitcoind=http://u:p@b", "--bitcoindcookie="+one, "--bitcoindcookie="+two)
	wantError(t, "give one cookie file", "--bitcoind=http://a", "--bitcoindcookie="+one, "--bitcoindcookie="+two)
	wantError(t, "a:8332 is named twice", "--bitcoind=http://a", "--bitcoind=http://u:p@a:8332")
	many := make([]string, 17)
	for i := range many {
		many[i] = fmt.Sprintf("--bitcoind=http://u:p@10.0.0.%d", i)
	}
	wantError(t, "at most 16 Bitcoin nodes", many...)
}

func TestBitcoindErrors(t *testing.T) {
	withHome(t)
	for want, url := range map[string]string{
		"write http://user:password@host:port": "http://user:se/cret@host:1",
		"--bitcoind: write http://":            "host:8332",
		"only http is supported, not https":    "https://u:p@host",
		"nothing may follow the port":          "http://u:p@host:1/wallet/x",
		"the port must be a number":            "http://u:p@host:99999",
		"there is no port 0":                   "http://u:p@host:0",
		"give both user and password":          "http://user@host",
		"give both user and password, or none": "http://:p@host",
	} {
		wantError(t, want, "--bitcoind="+url)
	}
	// The password of a URL that cannot be parsed must not be shown.
	for _, url := range []string{"http://u:secret#@host", "http://u:sec%ret@host", "http://u:secret@host:port", "u:secret@host"} {
		if _, err := loadConfig([]string{"--bitcoind=" + url}); err == nil || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: error %v", url, err)
		}
	}
}

func TestBitcoindCookieErrors(t *testing.T) {
	withHome(t)
	dir := t.TempDir()
	wantError(t, "--bitcoind has a user and password already", "--bitcoind=http://u:p@h", "--bitcoindcookie="+dir+"/x")
	wantError(t, "is a directory; the cookie is a file named .cookie in it", "--bitcoindcookie="+dir)
	wantError(t, "there is no directory "+dir+"/none", "--bitcoindcookie="+dir+"/none/.cookie")
	wantError(t, "is not a file", "--bitcoindcookie="+os.DevNull)
	mustLoad(t, "--bitcoindcookie="+dir+"/.cookie") // bitcoind may start later

	unreadable := filepath.Join(dir, "unreadable")
	if err := os.WriteFile(unreadable, []byte("x:y"), 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(unreadable); err == nil { // running as root
		f.Close()
		t.Skip("this user can read everything")
	}
	wantError(t, "cannot be read by this user", "--bitcoindcookie="+unreadable)
}

// TestDiscovery checks how --maxpeers is divided, and what follows from the other
// options for finding nodes.
func TestDiscovery(t *testing.T) {
	withHome(t)
	for _, tc := range []struct {
		args                     []string
		full, shareOnly, inbound int
	}{
		{nil, 8, 2, 114},
		{[]string{"--addnode=a", "--addnode=b"}, 8, 2, 112},
		{[]string{"--connect=a", "--listen=:1"}, 0, 0, 124},
		{[]string{"--maxpeers=1"}, 0, 0, 1},
		{[]string{"--maxpeers=2", "--addnode=a", "--addnode=b"}, 0, 0, 0},
		{[]string{"--maxpeers=6"}, 3, 0, 3},
		{[]string{"--maxpeers=18"}, 8, 1, 9},
		{[]string{"--maxpeers=20"}, 8, 2, 10},
		{[]string{"--maxpeers=1000"}, 8, 2, 989},
	} {
		if full, shareOnly, inbound := mustLoad(t, tc.args...).slots(); full != tc.full || shareOnly != tc.shareOnly || inbound != tc.inbound {
			t.Errorf("%q: %d full, %d share-only, %d inbound", tc.args, full, shareOnly, inbound)
		}
	}
	for _, option := range []string{"--addnode=a", "--connect=a"} {
		if cfg := mustLoad(t, "--maxpeers=1", option); len(cfg.P2P.listens()) != 0 || !cfg.P2P.NoListen {
			t.Errorf("%s --maxpeers=1: one more can connect at %v", option, cfg.P2P.listens())
		}
		wantError(t, "leave none for --listen", "--maxpeers=1", option, "--listen=:1")
	}
	if cfg := mustLoad(t, "--maxpeers=2", "--addnode=a"); cfg.P2P.NoListen {
		t.Error("nobody can connect, though there is room")
	}
	cfg := mustLoad(t, "--nodnsseed", "--listen=:77", "--listen=127.0.0.1:78=onion", "--externalip=1.2.3.4", "--externalip=[2a00::1]:5",
		"--externalip=pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion")
	d := cfg.discovery()
	if d.Outbound != 8 || d.ShareOnly != 2 || d.DNSSeeds != nil || d.File != filepath.Join(cfg.netDir, "peers.dat") || len(d.External) != 3 ||
		d.External[0].String() != "1.2.3.4:77" || d.External[1].String() != "[2a00::1]:5" || d.External[2].Port() != 9333 {
		t.Errorf("%+v", d)
	}
	if e := mustLoad(t, "--network=regtest", "--listen=127.0.0.1:0", "--externalip=127.0.0.1").P2P.external; len(e) != 1 || e[0].Port() != 29333 {
		t.Errorf("external %v", e)
	}
}

func TestP2P(t *testing.T) {
	withHome(t)
	for _, tc := range []struct {
		args            []string
		listen, connect []string
		noListen        bool
	}{
		{nil, []string{":9333"}, nil, false},
		{[]string{"--nolisten"}, nil, nil, true},
		{[]string{"--connect=a", "--connect=b:1"}, nil, []string{"a:9333", "b:1"}, true},
		{[]string{"--connect=a", "--listen=127.0.0.1"}, []string{"127.0.0.1:9333"}, []string{"a:9333"}, false},
		{[]string{"--listen=127.0.0.1:0", "--listen=127.0.0.1:0"}, []string{"127.0.0.1:0", "127.0.0.1:0"}, nil, false},
	} {
		p := mustLoad(t, tc.args...).P2P
		if !reflect.DeepEqual(p.Listen, tc.listen) || !reflect.DeepEqual(p.Connect, tc.connect) || p.NoListen != tc.noListen {
			t.Errorf("%q: got listen %q, connect %q, nolisten %v", tc.args, p.Listen, p.Connect, p.NoListen)
		}
	}
	for want, args := range map[string][]string{
		"--nolisten: --listen asks for the contrary":              {"--nolisten", "--listen=:1"},
		"--addnode: --connect allows connections to the nodes":    {"--connect=a", "--addnode=b"},
		"--maxpeers: it must be from 1 to 1000":                   {"--maxpeers=0"},
		"--externalip: \"example.org\" is neither an IP":          {"--externalip=example.org"},
		"--externalip: 192.168.1.1 cannot be reached":             {"--externalip=192.168.1.1"},
		"--externalip: \"1.2.3.4:0\": there is no port 0":         {"--externalip=1.2.3.4:0"},
		"--externalip: 1.2.3.4:9333 is named twice":               {"--externalip=1.2.3.4", "--externalip=1.2.3.4:9333"},
		"--externalip: nobody could connect":                      {"--externalip=1.2.3.4", "--nolisten"},
		"--externalip: it may be given 10 times at most":          slices.Repeat([]string{"--externalip=1.2.3.4"}, 11),
		"--maxpeers: it is 1, but 2 nodes are named":              {"--maxpeers=1", "--addnode=a", "--addnode=b"},
		"--listen: \":99999\": the port must be a number":         {"--listen=:99999"},
		"--listen: :1 is named twice":                             {"--listen=:1", "--listen=:1"},
		"--connect: \":1\" has no host":                           {"--connect=:1"},
		"--addnode: \"host:0\": there is no port 0":               {"--addnode=host:0"},
		"--addnode: the address is empty":                         {"--addnode="},
		"--stratumlisten: \"x y\": a host name cannot contain":    {"--stratumlisten=x y"},
		"--stratumlisten: :9333 is the address of --listen alrea": {"--stratumlisten=:9333"},
		"--rpclisten: 127.0.0.1:5 is the address of --stratumlis": {"--rpclisten=127.0.0.1:5", "--stratumlisten=127.0.0.1:5"},
	} {
		wantError(t, want, args...)
	}
	many := make([]string, maxAddresses+1)
	for i := range many {
		many[i] = "--stratumlisten=:0"
	}
	wantError(t, "--stratumlisten: it may be given 100 times at most", many...)
}

func TestRPC(t *testing.T) {
	home := withHome(t)
	r := mustLoad(t, "--rpclisten=0.0.0.0", "--rpcallowip=10.1.2.3/8", "--rpcallowip=::1", "--rpccookiefile=~/c").RPC
	if r.Listen[0] != "0.0.0.0:9332" || r.CookieFile != filepath.Join(home, "c") {
		t.Errorf("got %+v", r)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}; !reflect.DeepEqual(r.allow, want) {
		t.Errorf("allow %v, want %v", r.allow, want)
	}
	if r := mustLoad(t, "--rpcuser=u", `--rpcpass="quoted"`).RPC; r.Pass != `"quoted"` || r.CookieFile != "" {
		t.Errorf("password %q, cookie %q", r.Pass, r.CookieFile)
	}
	for want, args := range map[string][]string{
		"--norpc: --rpclisten asks for the contrary":            {"--norpc", "--rpclisten=:1"},
		"--rpcpass: this needs --rpcuser too":                   {"--rpcpass=x"},
		"--rpcuser: this needs --rpcpass too":                   {"--rpcuser=x"},
		"--rpcuser: a user name cannot contain a colon":         {"--rpcuser=x:y", "--rpcpass=z"},
		"--rpccookiefile: there is no cookie when":              {"--rpcuser=x", "--rpcpass=z", "--rpccookiefile=c"},
		"--rpcallowip: \"10.0.0.0/40\" is neither an IP addres": {"--rpcallowip=10.0.0.0/40"},
		"--rpcallowip: \"host\" is neither an IP address":       {"--rpcallowip=host"},
		"--rpclisten: 10.0.0.1:9332 lets other machines":        {"--rpclisten=10.0.0.1"},
		"--rpclisten: :9332 lets other machines connect":        {"--rpclisten=:9332"},
	} {
		wantError(t, want, args...)
	}
	mustLoad(t, "--rpclisten=localhost", "--rpclisten=[::1]:1")
	mustLoad(t, "--norpc", "--rpcuser=ignored")
}

func TestLogOptions(t *testing.T) {
	home := withHome(t)
	if l := mustLoad(t, "--logdir=~/logs").Log; l.Dir != filepath.Join(home, "logs") {
		t.Errorf("logdir %q", l.Dir)
	}
	for want, args := range map[string][]string{
		`--debuglevel: "loud" is not a level`:         {"--debuglevel=loud"},
		"--nofilelogging: --logdir asks for the cont": {"--nofilelogging", "--logdir=x"},
		"--maxlogsize: it must be from 1 to 1024 MiB": {"--maxlogsize=0"},
		"--maxlogfiles: it must be from 0 to 10000":   {"--maxlogfiles=-1"},
	} {
		wantError(t, want, args...)
	}
}

func TestDataDirErrors(t *testing.T) {
	withHome(t)
	file := writeConf(t, "")
	wantError(t, "--datadir: "+file+" is not a directory", "--datadir="+file)
	wantError(t, "the path is empty", "--datadir=")
	t.Setenv("HOME", "")
	t.Setenv("USERPROFILE", "")
	wantError(t, "the home directory is not known")
}

func TestHelpAndVersion(t *testing.T) {
	withHome(t)
	_, err := loadConfig([]string{"--help"})
	shown, ok := errors.AsType[*errShown](err)
	if !ok {
		t.Fatalf("--help: %v", err)
	}
	for _, text := range []string{"General:", "Bitcoin node:", "Pool network:", "Miners:", "Control (RPC):", "Logging:",
		"(default: mainnet)", "(default: 125)", "(default: ~/.p2poold)"} {
		if !strings.Contains(shown.text, text) {
			t.Errorf("help lacks %q", text)
		}
	}
	_, err = loadConfig([]string{"--version", "-C", "does not matter"})
	if shown, ok = errors.AsType[*errShown](err); !ok || shown.text != "p2poold "+version()+"\n" {
		t.Errorf("--version: %v", err)
	}
}

func TestNetworksOfIsBounded(t *testing.T) {
	if got := networksOf(mainP2PKH); got != chainparams.Mainnet.String() {
		t.Errorf("got %q", got)
	}
	if got := networksOf("x"); got != "" {
		t.Errorf("got %q", got)
	}
}
