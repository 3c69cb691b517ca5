package rpcserver

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// TestHostAndOrigin goes through the headers that honest clients send and that
// web pages can make a browser send, DNS rebinding included.
func TestHostAndOrigin(t *testing.T) {
	g := newGuard([]string{"127.0.0.1:9332", "192.168.1.5:9332", "pool.lan:9332", "[2001:db8::5]:9332", "0.0.0.0:1"}, nil)
	const connected = "10.9.8.7:9332" // the server's end of the connection
	origin := func(values ...string) []string { return values }
	for _, tc := range []struct {
		host   string
		origin []string
		want   bool
	}{
		// Loopback names and addresses.
		{"localhost", nil, true},
		{"localhost:9332", nil, true},
		{"LOCALHOST:9332", nil, true},
		{"localhost.", nil, true},
		{"127.0.0.1", nil, true},
		{"127.0.0.1:9332", nil, true},
		{"127.1.2.3:80", nil, true},
		{"[::1]", nil, true},
		{"[::1]:9332", nil, true},
		{"[::ffff:127.0.0.1]:9332", nil, true},
		{"[0:0:0:0:0:0:0:1]:9332", nil, true},
		// Addresses and names it listens on, and the one connected to.
		{"192.168.1.5", nil, true},
		{"192.168.1.5:9332", nil, true},
		{"pool.lan:9332", nil, true},
		{"Pool.LAN.:9332", nil, true},
		{"[2001:db8::5]:9332", nil, true},
		{"[2001:DB8:0::5]", nil, true},
		{"10.9.8.7:9332", nil, true},
		{"10.9.8.7", nil, true},
		// Other names, as in DNS rebinding, and other addresses.
		{"", nil, false},
		{"evil.example", nil, false},
		{"evil.example:9332", nil, false},
		{"localhost.evil.example", nil, false},
		{"evil.localhost", nil, false},
		{"127.0.0.1.evil.example:9332", nil, false},
		{"evil.example#localhost", nil, false},
		{"localhost@evil.example", nil, false},
		{"192.168.1.6", nil, false},
		{"0.0.0.0:9332", nil, false},
		{"[::]:9332", nil, false},
		{"[2001:db8::6]", nil, false},
		{"[::1%eth0]:9332", nil, false},
		{"[localhost]:9332", nil, false},
		{"[::1", nil, false},
		{"[::1]9332", nil, false},
		{"::1", nil, false},
		{"2130706433", nil, false}, // 127.0.0.1 as one number
		{"0x7f.1", nil, false},
		{"localhost:", nil, false},
		{"localhost:0", nil, false},
		{"localhost:http", nil, false},
		{"localhost:99999", nil, false},
		{"localhost:9332:9332", nil, false},
		{"local host", nil, false},
		// Any origin, however harmless it looks.
		{"localhost:9332", origin("http://evil.example"), false},
		{"localhost:9332", origin("http://localhost:9332"), false},
		{"localhost:9332", origin("null"), false},
		{"localhost:9332", origin(""), false},
		{"localhost:9332", origin("http://localhost", "http://evil.example"), false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		local := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(connected))
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
		r.RemoteAddr = "127.0.0.1:50000"
		r.Host = tc.host
		if tc.origin != nil {
			r.Header["Origin"] = tc.origin
		}
		if got := g.check(r); (got == nil) != tc.want {
			t.Errorf("Host %q, Origin %q: refused with %v, want allowed %v", tc.host, tc.origin, got, tc.want)
		}
	}
}

// TestHeadersOverTheWire repeats the main cases with a real connection, where
// net/http has its say too.
func TestHeadersOverTheWire(t *testing.T) {
	ts := startServer(t, nil)
	for headers, want := range map[string]string{
		"Host: localhost\r\n": "HTTP/1.1 401", // past the guard
		"":                    "HTTP/1.1 400",
		"Host: localhost\r\nHost: evil.example\r\n":     "HTTP/1.1 400",
		"Host: evil.example\r\n":                        "HTTP/1.1 403",
		"Host: localhost\r\nOrigin: http://evil\r\n":    "HTTP/1.1 403",
		"Host: localhost\r\norigin: null\r\n":           "HTTP/1.1 403",
		"Host: localhost\r\nX-Forwarded-Host: evil\r\n": "HTTP/1.1 401",
	} {
		got := ts.raw(t, "POST / HTTP/1.1\r\n"+headers+"Connection: close\r\nContent-Length: 0\r\n\r\n")
		if len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("%q: got %.60q, want %s", headers, got, want)
		}
	}
	// A request line with a whole URL overrides the Host header.
	for target, want := range map[string]string{"http://evil.example/": "HTTP/1.1 403", "http://localhost/": "HTTP/1.1 401"} {
		got := ts.raw(t, "POST "+target+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		if len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("%s: got %.60q, want %s", target, got, want)
		}
	}
	if got := ts.raw(t, "POST / HTTP/1.0\r\n\r\n"); len(got) < 12 || got[9:12] != "403" {
		t.Errorf("HTTP/1.0 without Host: got %.60q, want status 403", got)
	}
}

func TestClientAllowed(t *testing.T) {
	g := newGuard([]string{":1"}, []netip.Prefix{netip.MustParsePrefix("10.1.2.3/8"), netip.MustParsePrefix("2001:db8::/32")})
	for remote, want := range map[string]bool{
		"127.0.0.1:1":           true,
		"127.200.0.1:1":         true,
		"[::1]:1":               true,
		"[::ffff:127.0.0.1]:1":  true,
		"10.200.0.1:1":          true,
		"[::ffff:10.0.0.1]:1":   true,
		"[2001:db8::1]:1":       true,
		"[2001:db8::1%eth0]:1":  true,
		"11.0.0.1:1":            false,
		"192.168.1.1:1":         false,
		"[2001:db9::1]:1":       false,
		"[fe80::1%eth0]:1":      false,
		"":                      false,
		"localhost:1":           false,
		"10.0.0.1":              false,
		"[::ffff:11.0.0.1]:1":   false,
		"[2001:db8::1%eth0]:xx": false,
	} {
		if got := g.clientAllowed(remote); got != want {
			t.Errorf("%s: %v, want %v", remote, got, want)
		}
	}
}

func FuzzSplitHost(f *testing.F) {
	for _, seed := range []string{"localhost", "[::1]:1", "a:b", "[", "]:1", ":80"} {
		f.Add(seed)
	}
	g := newGuard([]string{"127.0.0.1:1"}, nil)
	f.Fuzz(func(t *testing.T, host string) {
		if h, ok := splitHost(host); ok && h == "" {
			t.Fatalf("%q has an empty host", host)
		}
		r := &http.Request{Host: host}
		g.hostAllowed(r)
	})
}
