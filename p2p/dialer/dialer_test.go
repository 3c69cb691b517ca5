package dialer

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/internal/fakesocks"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

const (
	onion = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"
	i2p   = "ukeu3k5oycgaauneqgtnvselmt4yemvoilkln7jpvamvfx7dnkdq.b32.i2p"
)

func mustNew(t testing.TB, cfg Config) *Dialer {
	t.Helper()
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// startProxy runs a proxy that leads everything to an echo server.
func startProxy(t *testing.T, change func(*fakesocks.Proxy)) *fakesocks.Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	p := &fakesocks.Proxy{Route: func(fakesocks.Request) string { return l.Addr().String() }}
	if change != nil {
		change(p)
	}
	p.Start(t)
	return p
}

// TestWays: which proxy gets which addresses, and in which form; no dial goes
// anywhere else.
func TestWays(t *testing.T) {
	const direct = "direct"
	setups := map[string]Config{
		"nothing":       {},
		"proxy":         {Proxy: "proxy:1"},
		"onion":         {Onion: "tor:1"},
		"proxy, onion":  {Proxy: "proxy:1", Onion: "tor:1"},
		"proxy, not to": {Proxy: "proxy:1", Onion: "tor:1", NoOnion: true},
		"all":           {Proxy: "proxy:1", Onion: "tor:1", I2P: "i2p:1", I2PPort: 9333},
	}
	tests := []struct {
		addr, target string
		network      netaddr.Network
		ways         map[string]string // by setup; "": direct for all but those with Proxy
	}{
		{"8.1.2.3:5", "8.1.2.3:5", netaddr.IPv4, nil},
		{"[2a00::1]:5", "[2a00::1]:5", netaddr.IPv6, nil},
		{"[2002:102:304::1]:5", "[2002:102:304::1]:5", 0, nil}, // 6to4 leaves the machine
		{"example.org:5", "example.org:5", 0, nil},
		{"onion:5", "onion:5", 0, nil},
		{onion + ":5", onion + ":5", netaddr.TorV3, map[string]string{"nothing": "", "proxy": "proxy:1", "onion": "tor:1", "proxy, onion": "tor:1", "proxy, not to": "", "all": "tor:1"}},
		{strings.ToUpper(onion) + ":5", onion + ":5", netaddr.TorV3, map[string]string{"nothing": "", "proxy": "proxy:1", "onion": "tor:1", "proxy, onion": "tor:1", "proxy, not to": "", "all": "tor:1"}},
		{i2p + ":0", i2p + ":9333", netaddr.I2P, map[string]string{"nothing": "", "proxy": "", "onion": "", "proxy, onion": "", "proxy, not to": "", "all": "i2p:1"}},
		{"pool.i2p:77", "pool.i2p:9333", netaddr.I2P, map[string]string{"nothing": "", "proxy": "", "onion": "", "proxy, onion": "", "proxy, not to": "", "all": "i2p:1"}},
	}
	for _, near := range []string{"127.0.0.1:5", "[::1]:5", "10.1.2.3:5", "192.168.1.1:5", "169.254.1.1:5", "[fe80::1%eth0]:5", "[fd00::1]:5", "[::ffff:10.1.2.3]:5"} {
		ways := make(map[string]string)
		for name := range setups {
			ways[name] = direct
		}
		tests = append(tests, struct {
			addr, target string
			network      netaddr.Network
			ways         map[string]string
		}{near, near, 0, ways})
	}
	for name, cfg := range setups {
		d := mustNew(t, cfg)
		for _, test := range tests {
			want := test.ways[name]
			if test.ways == nil {
				if want = cfg.Proxy; want == "" {
					want = direct
				}
			}
			w, err := d.way(test.addr)
			got := w.proxy
			if err == nil && got == "" {
				got = direct
			}
			if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, ErrUnreachable) {
				t.Errorf("%s: %s goes by %q, %v; want %q", name, test.addr, got, err, want)
			}
			if err == nil && (w.target != test.target || w.network != test.network || w.addr != test.addr) {
				t.Errorf("%s: %s is asked for as %q of network %v", name, test.addr, w.target, w.network)
			}
			if err == nil && w.proxy != "" && w.isolate != (w.proxy != cfg.I2P) {
				t.Errorf("%s: %s isolated: %v", name, test.addr, w.isolate)
			}
		}
	}
}

// TestNoNames: names of hidden services never go to the DNS, not even misspelt, and
// with a proxy no name does.
func TestNoNames(t *testing.T) {
	var asked []string
	direct := func(_ context.Context, _, addr string) (net.Conn, error) {
		asked = append(asked, addr)
		return nil, errors.New("no connection")
	}
	names := []string{"q" + onion[1:] + ":5", "short.onion:5", "short.ONION.:5", ".onion:5", "pool.i2p:5", i2p + ":0", "POOL.I2P.:5"}
	for _, cfg := range []Config{{}, {Proxy: "proxy:1", NoOnion: true}} {
		cfg.Direct = direct
		d := mustNew(t, cfg)
		for _, name := range names {
			if conn, err := d.Dial(t.Context(), name); err == nil {
				conn.Close()
				t.Errorf("%s is dialed", name)
			}
		}
	}
	if len(asked) != 0 {
		t.Errorf("dialed directly: %q", asked)
	}
	d := mustNew(t, Config{Proxy: "127.0.0.1:1", Direct: direct})
	_, err := d.Dial(t.Context(), "example.org:5")
	if e, ok := errors.AsType[*ProxyError](err); !ok || e.Proxy != "127.0.0.1:1" || len(asked) != 1 || asked[0] != "127.0.0.1:1" {
		t.Errorf("dialed %q: %v", asked, err)
	}
	if d.LocalDNS() || !mustNew(t, Config{}).LocalDNS() {
		t.Error("names are looked up behind the proxy's back")
	}
}

// TestThroughProxy: a name arrives at the proxy as a name, an address as an
// address, with other words each time; what follows passes unchanged.
func TestThroughProxy(t *testing.T) {
	p := startProxy(t, nil)
	d := mustNew(t, Config{Proxy: p.Addr(), I2P: p.Addr(), I2PPort: 9333})
	targets := []string{onion + ":5", "example.org:5", "8.1.2.3:5", "[2a00::1]:5", i2p + ":0", onion + ":5"}
	for _, addr := range targets {
		conn, err := d.Dial(t.Context(), addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
			t.Errorf("%s: %q, %v", addr, got, err)
		}
		if r := RemoteOf(conn.RemoteAddr()); r.Text != addr || conn.RemoteAddr().String() != addr || !r.Proxied {
			t.Errorf("%s became %+v", addr, r)
		}
		conn.Close()
	}
	seen := make(map[string]bool)
	for i, r := range p.Requests() {
		want := targets[i]
		if i == 4 { // I2P: no login, and a port that SOCKS5 can carry
			want = i2p + ":9333"
		} else if len(r.User) < 20 || len(r.Password) < 20 || seen[r.User] || seen[r.Password] {
			t.Errorf("user %q, password %q", r.User, r.Password)
		}
		seen[r.User], seen[r.Password] = true, true
		if r.Target != want || r.Name != (i != 2 && i != 3) {
			t.Errorf("asked for %+v, want %s", r, want)
		}
	}
	if len(seen) != 11 || !seen[""] {
		t.Errorf("%d words", len(seen))
	}
}

// TestPlainProxy: one that knows no logins, as those of ssh, will do.
func TestPlainProxy(t *testing.T) {
	p := startProxy(t, func(p *fakesocks.Proxy) { p.NoLogin = true })
	conn, err := mustNew(t, Config{Proxy: p.Addr()}).Dial(t.Context(), "8.1.2.3:5")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if r := p.Requests()[0]; r.User != "" || r.Target != "8.1.2.3:5" {
		t.Errorf("%+v", r)
	}
}

func TestRefusals(t *testing.T) {
	p := startProxy(t, func(p *fakesocks.Proxy) { p.Route = nil })
	d := mustNew(t, Config{Proxy: p.Addr()})
	_, err := d.Dial(t.Context(), onion+":5")
	if _, ok := errors.AsType[*ProxyError](err); err == nil || ok || !strings.Contains(err.Error(), "host unreachable") {
		t.Errorf("unreachable: %v", err)
	}
	p.Stop()
	_, err = d.Dial(t.Context(), onion+":5")
	if e, ok := errors.AsType[*ProxyError](err); !ok || e.Unwrap() == nil || !strings.Contains(err.Error(), "the proxy "+p.Addr()+" cannot be reached") {
		t.Errorf("no proxy: %v", err)
	}
	for _, addr := range []string{"", "host", "[::1]", strings.Repeat("x", 300) + ":5"} {
		if conn, err := d.Dial(t.Context(), addr); err == nil {
			conn.Close()
			t.Errorf("%q is dialed", addr)
		}
	}
}

func TestNetworks(t *testing.T) {
	all := []netaddr.Network{netaddr.IPv4, netaddr.IPv6, netaddr.TorV3, netaddr.I2P, netaddr.CJDNS, 0, 3}
	tests := []struct {
		name                          string
		cfg                           Config
		reachable, automatic, limited string
	}{
		{"nothing", Config{}, "ipv4 ipv6", "ipv4 ipv6", ""},
		{"proxy", Config{Proxy: "p:1"}, "ipv4 ipv6 onion", "ipv4 ipv6 onion", ""},
		{"no onion", Config{Proxy: "p:1", NoOnion: true}, "ipv4 ipv6", "ipv4 ipv6", ""},
		{"all", Config{Onion: "p:1", I2P: "p:1", I2PPort: 1}, "ipv4 ipv6 onion i2p", "ipv4 ipv6 onion i2p", ""},
		{"only onion", Config{Onion: "p:1", I2P: "p:1", I2PPort: 1, Only: []netaddr.Network{netaddr.TorV3}},
			"ipv4 ipv6 onion i2p", "onion", "ipv4 ipv6 i2p cjdns unknown unknown"},
		{"only what is not there", Config{Only: []netaddr.Network{netaddr.I2P, netaddr.IPv6}}, "ipv4 ipv6", "ipv6", "ipv4 onion cjdns unknown unknown"},
	}
	for _, test := range tests {
		d := mustNew(t, test.cfg)
		for i, f := range []func(netaddr.Network) bool{d.Reachable, d.Automatic, d.Limited} {
			var got []string
			for _, n := range all {
				if f(n) {
					got = append(got, n.String())
				}
			}
			if want := []string{test.reachable, test.automatic, test.limited}[i]; strings.Join(got, " ") != want {
				t.Errorf("%s, %d: %q, want %q", test.name, i, got, want)
			}
		}
	}
	for _, cfg := range []Config{{Proxy: "p"}, {Proxy: ":1"}, {Onion: "p:0"}, {I2P: "p:99999", I2PPort: 1}, {I2P: "p:1"}, {Onion: "p:x"}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

// TestHidden: what comes from a hidden service's daemon is never taken for a peer
// on this machine.
func TestHidden(t *testing.T) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Hidden(plain, netaddr.TorV3)
	texts := make(map[string]bool)
	for range 2 {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		r := RemoteOf(conn.RemoteAddr())
		if _, err := netaddr.Parse(r.Text, 1); r.Net != netaddr.TorV3 || r.Proxied || err == nil || !strings.HasPrefix(r.Text, "onion:") || r.Network() != "tcp" {
			t.Errorf("%+v", r)
		}
		texts[r.Text] = true
		// The other end sees an ordinary connection.
		if r := RemoteOf(client.RemoteAddr()); r.Net != 0 || r.Proxied || r.Text != l.Addr().String() {
			t.Errorf("%+v", r)
		}
	}
	if len(texts) != 2 {
		t.Errorf("%v", texts)
	}
	l.Close()
	if _, err := l.Accept(); err == nil {
		t.Error("accepted after the end")
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if r := RemoteOf(a.RemoteAddr()); r.Net != 0 || r.Text != "pipe" || portOf(a.RemoteAddr()) != "0" {
		t.Errorf("%+v", r)
	}
	for text, want := range map[string]netaddr.Network{"8.1.2.3": netaddr.IPv4, "2a00::1": netaddr.IPv6, "::ffff:8.1.2.3": netaddr.IPv4, "10.0.0.1": 0, "fe80::1": 0, "fc00::1": 0} {
		if r := RemoteOf(&net.TCPAddr{IP: net.ParseIP(text), Port: 1}); r.Net != want {
			t.Errorf("%s is of network %v", text, r.Net)
		}
	}
}

// TestCancel: a dial ends with its context while a proxy keeps silent.
func TestCancel(t *testing.T) {
	p := startProxy(t, func(p *fakesocks.Proxy) { p.Serve = func(c net.Conn) { io.Copy(io.Discard, c) } })
	d := mustNew(t, Config{Proxy: p.Addr()})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := d.Dial(ctx, onion+":5"); err == nil || ctx.Err() == nil {
		t.Errorf("canceled: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := d.Dial(ctx, onion+":5"); err == nil {
		t.Error("a silent proxy has connected")
	}
}
