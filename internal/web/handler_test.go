package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// paths are all that there is.
var paths = []string{
	"/", "/miner?address=" + knownAddress, "/miner/" + knownAddress, "/api/status", "/status.json", "/api/blocks",
	"/api/miner/" + knownAddress, "/health",
}

// TestReadOnly: nothing but reading is possible, and every answer has the headers that
// keep browsers from making more of it.
func TestReadOnly(t *testing.T) {
	type request struct {
		method, path string
		want         int
	}
	list := []request{
		{"GET", "/none", 404}, {"POST", "/none", 404}, {"GET", "/../etc/passwd", 307}, {"GET", "/api/", 404}, {"GET", "/api/none", 404},
		{"GET", "/miner/", 404}, {"GET", "/miner/a/b", 404}, {"GET", "/api/miner/", 404}, {"GET", "/api/status/", 404},
	}
	for _, path := range paths {
		ok := 200
		if strings.HasPrefix(path, "/miner?") {
			ok = 303
		}
		list = append(list, request{"GET", path, ok}, request{"HEAD", path, ok})
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
			list = append(list, request{method, path, 405})
		}
	}
	h := New(working())
	for _, test := range list {
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

// TestAPI: what programs get is what the node tells.
func TestAPI(t *testing.T) {
	b := working()
	h := New(b)
	miner := b.miner
	miner.Address = knownAddress
	for path, want := range map[string]any{
		"/api/status": b.status, "/status.json": b.status, "/api/blocks": b.blocks, "/api/miner/" + knownAddress: miner,
	} {
		w := ask(h, "GET", path, "x")
		got := reflect.New(reflect.TypeOf(want))
		if err := json.Unmarshal(w.Body.Bytes(), got.Interface()); err != nil || !reflect.DeepEqual(got.Elem().Interface(), want) {
			t.Errorf("%s: %v\n%s", path, err, w.Body)
		}
		if w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v", path, w.Header())
		}
	}
	for path, want := range map[string]string{
		"/api/status": `"reasons": []`, "/api/miner/" + validAddress: `"workers": []`,
	} {
		if w := ask(h, "GET", path, "x"); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s lacks %s:\n%s", path, want, w.Body)
		}
	}
	b.blocks = []Block{}
	if w := ask(New(b), "GET", "/api/blocks", "x"); w.Body.String() != "[]\n" {
		t.Errorf("no blocks: %s", w.Body)
	}
}

// TestNoAddress: what is no address is told so, and costs the node nothing if it cannot
// be one.
func TestNoAddress(t *testing.T) {
	b := working()
	h := New(b)
	for _, asked := range []string{"nonsense", "%00%FF%22%3E", "..%2F..%2Fetc", strings.Repeat("x", maxAddress+1), "bc1known" + strings.Repeat("x", 200)} {
		for _, path := range []string{"/miner/", "/miner?address=", "/api/miner/"} {
			w := ask(h, "GET", path+asked, "x")
			if w.Code != 400 {
				t.Errorf("%s%s: %d", path, asked, w.Code)
			}
			isJSON := strings.HasPrefix(path, "/api/")
			if isJSON && w.Body.String() != "{\n  \"error\": \"not an address that this pool can pay\"\n}\n" || !isJSON && !strings.Contains(w.Body.String(), "That is no address") {
				t.Errorf("%s%s:\n%s", path, asked, w.Body)
			}
		}
	}
	if w := ask(h, "GET", "/miner", "x"); w.Code != 400 {
		t.Errorf("nothing asked for: %d", w.Code)
	}
	if page := ask(h, "GET", "/miner/"+validAddress, "x"); page.Code != 200 || !strings.Contains(page.Body.String(), "Nothing is owed") ||
		!strings.Contains(page.Body.String(), "No miner has logged in") {
		t.Errorf("nobody's address: %d %s", page.Code, page.Body)
	}
}

// TestSearch: the form leads to the page of an address, also of a whole user name.
func TestSearch(t *testing.T) {
	h := New(working())
	for _, asked := range []string{knownAddress, "%20+" + knownAddress + "%20", knownAddress + ".attic", knownAddress + ".a.b", knownAddress + "_attic", knownAddress + "%2B1000", knownAddress + "/8"} {
		w := ask(h, "GET", "/miner?address="+asked, "x")
		if got := w.Header().Get("Location"); w.Code != 303 || got != "/miner/"+knownAddress {
			t.Errorf("%q: %d %q", asked, w.Code, got)
		}
	}
	// It never leads elsewhere.
	for _, asked := range []string{"//evil.example", "bc1/../../evil", "bc1%0d%0aSet-Cookie:%20a", "bc1?x#y"} {
		w := ask(h, "GET", "/miner?address="+asked, "x")
		if got := w.Header().Get("Location"); got != "" && !strings.HasPrefix(got, "/miner/bc1") || strings.ContainsAny(got, "\r\n") || len(w.Header()["Set-Cookie"]) > 0 {
			t.Errorf("%q: %v", asked, w.Header())
		}
	}
}

func TestHealth(t *testing.T) {
	b := working()
	h := New(b)
	if w := ask(h, "HEAD", "/health", "x"); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	b.reason = "the disk is full"
	if w := ask(h, "GET", "/health", "x"); w.Code != 503 || !strings.Contains(w.Body.String(), "the disk is full") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if b.askedStatus != 0 {
		t.Error("a health check costs more than it needs")
	}
}

// TestTrouble: why the node cannot tell is not for strangers.
func TestTrouble(t *testing.T) {
	b := working()
	b.err = errors.New("secret details")
	h := New(b)
	for _, path := range paths {
		if w := ask(h, "GET", path, "x"); path != "/health" && w.Code != 503 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	b.err = nil
	if w := ask(h, "GET", "/", "x"); w.Code != 200 {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
}

// TestHost: what the client says of the host is shown only if it can be one.
func TestHost(t *testing.T) {
	h := New(working())
	for host, want := range map[string]string{
		"192.0.2.1:3333": "192.0.2.1:3333", "[2001:db8::1]:3333": "[2001:db8::1]:3333", "pool.example": "pool.example:4444",
		"[2001:db8::1]": "[2001:db8::1]:4444", "x:": "NODE:PORT", `x"><script>`: "NODE:PORT", "a b": "NODE:PORT", "": "NODE:PORT",
		strings.Repeat("a", 300): "NODE:PORT", "x:123456": "NODE:PORT", "user@x": "NODE:PORT",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{Port: 4444}))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		for _, scheme := range []string{"stratum+tcp://", "stratum+ssl://"} {
			if !strings.Contains(w.Body.String(), ">"+scheme+want+"<") {
				t.Errorf("host %q: not %s%s", host, scheme, want)
			}
		}
	}
	if page := ask(h, "GET", "/", "pool.example").Body.String(); !strings.Contains(page, ">stratum+tcp://pool.example<") {
		t.Error("without a port")
	}
	b := working()
	b.onlyTLS = true
	r := httptest.NewRequest("GET", "/", nil)
	w := httptest.NewRecorder()
	New(b).ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{Port: 4444})))
	if page := w.Body.String(); strings.Contains(page, "stratum+tcp:") || !strings.Contains(page, "stratum+ssl:") {
		t.Error("a port for TLS only offers more")
	}
}

// FuzzRequest: whatever a client sends is answered, with nothing of it as markup, and
// leads nowhere else.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: x:3333\r\n\r\n", "GET /miner/bc1known HTTP/1.1\r\nHost: [::1]:1\r\n\r\n",
		"GET /miner?address=%3Cscript%3E HTTP/1.1\r\nHost: \"><script>\r\n\r\n", "HEAD /api/miner/%00%ff HTTP/1.0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://evil.example//miner/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /miner?address=bc1a%2fb;x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "GET //evil.example/%2e%2e HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	b := working()
	h := New(b)
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK, http.StatusSeeOther, http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed,
			http.StatusMovedPermanently, http.StatusTemporaryRedirect:
		default:
			t.Errorf("%d for %q", w.Code, raw)
		}
		if to := w.Header().Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\r\n\\")) {
			t.Errorf("%q leads to %q", raw, to)
		}
		if w.Code == http.StatusOK && w.Header().Get("Content-Type") == typeHTML {
			if n := strings.Count(w.Body.String(), "<script"); n != 1 {
				t.Errorf("%d scripts for %q", n, raw)
			}
		}
		if len(h.lookups.kept) > maxKept {
			t.Errorf("%d addresses are kept", len(h.lookups.kept))
		}
	})
}
