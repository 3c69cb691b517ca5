package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fakeBackend counts how often it is asked.
type fakeBackend struct {
	status Status
	err    error
	asked  int
}

func (b *fakeBackend) Status(context.Context) (*Status, error) {
	b.asked++
	status := b.status
	return &status, b.err
}

func working() *fakeBackend {
	return &fakeBackend{status: Status{
		Name: "p2poold", Version: "1.2.3", Network: "regtest", Pool: "main", Height: 12345, Bitcoin: 678,
		PoolHashRate: 1.5e15, HashRate: 2e12, Connections: 42, Peers: 7, Working: true, Reasons: []string{},
		NeedsAddress: true, TLS: true, Fingerprint: strings.Repeat("ab", 32),
	}}
}

func ask(h http.Handler, method, path, host string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPage(t *testing.T) {
	b := working()
	page := ask(New(b), "GET", "/", "pool.example:3333").Body.String()
	for _, want := range []string{
		"Pool main on regtest", "height 12345", "block 678", "1.5 PH/s", "2 TH/s", "connections of miners: 42", "p2poold 1.2.3",
		"stratum+tcp://pool.example:3333", "stratum+ssl://pool.example:3333", b.status.Fingerprint, "<style>body{",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "no work") || strings.Contains(page, "any name") {
		t.Errorf("the page says too much:\n%s", page)
	}
	b = working()
	b.status.Working, b.status.Reasons = false, []string{`no peers: <script>alert("x")</script>`}
	b.status.TLS, b.status.NeedsAddress = false, false
	page = ask(New(b), "GET", "/", "x").Body.String()
	if !strings.Contains(page, "Miners get no work") || !strings.Contains(page, "no peers: &lt;script&gt;") ||
		strings.Contains(page, "stratum+ssl") || !strings.Contains(page, "any name") {
		t.Errorf("without work:\n%s", page)
	}
}

// TestHost: what the client says of the host is shown only if it can be one.
func TestHost(t *testing.T) {
	h := New(working())
	for host, want := range map[string]string{
		"192.0.2.1:3333": "192.0.2.1:3333", "[2001:db8::1]:3333": "[2001:db8::1]:3333", "pool.example": "pool.example",
		`x"><script>`: "NODE:PORT", "a b": "NODE:PORT", "": "NODE:PORT", strings.Repeat("a", 300): "NODE:PORT", "x:123456": "NODE:PORT",
	} {
		if page := ask(h, "GET", "/", host).Body.String(); !strings.Contains(page, "stratum+tcp://"+want+"<") {
			t.Errorf("host %q: not %q", host, want)
		}
	}
}

func TestJSON(t *testing.T) {
	b := working()
	w := ask(New(b), "GET", "/status.json", "x")
	var got Status
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Height != 12345 || got.Fingerprint != b.status.Fingerprint {
		t.Errorf("%+v, %v", got, err)
	}
	if !strings.Contains(w.Body.String(), `"reasons": []`) || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%s\n%v", w.Body, w.Header())
	}
}

func TestHealth(t *testing.T) {
	b := working()
	if w := ask(New(b), "HEAD", "/health", "x"); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	b.status.Working, b.status.Reasons = false, []string{"the disk is full"}
	if w := ask(New(b), "GET", "/health", "x"); w.Code != 503 || !strings.Contains(w.Body.String(), "the disk is full") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	b.err = errors.New("secret details")
	for _, path := range []string{"/", "/status.json", "/health"} {
		if w := ask(New(b), "GET", path, "x"); w.Code != 503 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestReadOnly: nothing but reading is possible, and every answer has the headers that
// keep browsers from making more of it.
func TestReadOnly(t *testing.T) {
	h := New(working())
	for _, test := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/", 200}, {"HEAD", "/", 200}, {"POST", "/", 405}, {"PUT", "/status.json", 405}, {"DELETE", "/health", 405},
		{"OPTIONS", "/", 405}, {"GET", "/none", 404}, {"GET", "/../etc/passwd", 307}, {"POST", "/none", 404},
	} {
		w := ask(h, test.method, test.path, "x")
		if w.Code != test.want {
			t.Errorf("%s %s: %d, want %d", test.method, test.path, w.Code, test.want)
		}
		for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cache-Control"} {
			if w.Header().Get(name) == "" {
				t.Errorf("%s %s: no %s", test.method, test.path, name)
			}
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Error("other sites may read it")
		}
	}
}

// TestAskedOnce: a crowd of requests costs the node one question a second.
func TestAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := working()
		h := New(b)
		for range 10 {
			for range 100 {
				ask(h, "GET", "/health", "x")
			}
			time.Sleep(freshFor)
		}
		if b.asked != 10 {
			t.Errorf("asked %d times", b.asked)
		}
	})
}

func TestHashRate(t *testing.T) {
	for rate, want := range map[float64]string{0: "0 H/s", 999: "999 H/s", 1234: "1.23 kH/s", 5e20: "500 EH/s", 5e22: "5e+04 EH/s"} {
		if got := hashRate(rate); got != want {
			t.Errorf("%v: %s", rate, got)
		}
	}
}
