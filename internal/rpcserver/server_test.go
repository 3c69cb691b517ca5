package rpcserver

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/decred/slog"
)

// testServer is a running server with the credentials user:password.
type testServer struct {
	*Server
	addr string
	stop context.CancelFunc
	done chan error // Run's result
	logs *lockedBuffer
}

// startServer runs a server on a loopback port until the end of the test.
func startServer(t *testing.T, change func(*Config)) *testServer {
	t.Helper()
	logs := new(lockedBuffer)
	logger := slog.NewBackend(logs).Logger("RPCS")
	cfg := Config{
		Listen: []string{"127.0.0.1:0"}, User: "user", Password: "password",
		Backend: new(fakeBackend), Log: logger,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ts := &testServer{Server: s, stop: cancel, done: make(chan error, 1), logs: logs}
	go func() { ts.done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-ts.done:
		t.Fatalf("Run: %v", err)
	}
	ts.addr = s.Addrs()[0].String()
	t.Cleanup(func() { ts.end(t) })
	return ts
}

// end stops the server and waits until everything it started is gone.
func (ts *testServer) end(t *testing.T) {
	t.Helper()
	ts.stop()
	if err := <-ts.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	ts.done <- nil // for another end
}

// post sends a request body with the right password and returns status and body.
func (ts *testServer) post(t *testing.T, body string, change func(*http.Request)) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+ts.addr+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("user", "password")
	if change != nil {
		change(req)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// raw sends bytes over a new connection and returns everything that comes back
// until the server closes it.
func (ts *testServer) raw(t *testing.T, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", ts.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(c) // an error means that the server has reset it
	return string(answer)
}

// lockedBuffer collects log lines from several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const uptimeCall = `{"jsonrpc":"2.0","id":1,"method":"uptime"}`

func TestServe(t *testing.T) {
	ts := startServer(t, nil)
	status, body := ts.post(t, uptimeCall, nil)
	if status != http.StatusOK || body != `{"jsonrpc":"2.0","result":90,"id":1}`+"\n" {
		t.Errorf("got %d, %s", status, body)
	}
	if status, body := ts.post(t, `{"jsonrpc":"2.0","method":"uptime"}`, nil); status != http.StatusNoContent || body != "" {
		t.Errorf("notification: got %d, %q", status, body)
	}
	if status, _ := ts.post(t, "not JSON", nil); status != http.StatusOK {
		t.Errorf("a body that is not JSON: HTTP status %d", status)
	}
}

func TestRefusals(t *testing.T) {
	ts := startServer(t, nil)
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		status int
		text   string
	}{
		{"no credentials", func(r *http.Request) { r.Header.Del("Authorization") }, 401, "credentials are missing"},
		{"other scheme", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401, "credentials are missing"},
		{"wrong password", func(r *http.Request) { r.SetBasicAuth("user", "passworx") }, 401, "wrong user or password"},
		{"wrong user", func(r *http.Request) { r.SetBasicAuth("usex", "password") }, 401, "wrong user or password"},
		{"empty", func(r *http.Request) { r.SetBasicAuth("", "") }, 401, "wrong user or password"},
		{"GET", func(r *http.Request) { r.Method = http.MethodGet; r.Body = nil; r.ContentLength = 0 }, 405, "use POST"},
		{"OPTIONS", func(r *http.Request) { r.Method = http.MethodOptions }, 405, "use POST"},
		{"path", func(r *http.Request) { r.URL.Path = "/wallet" }, 404, "use the path /"},
	} {
		status, body := ts.post(t, uptimeCall, tc.change)
		if status != tc.status || !strings.Contains(body, tc.text) {
			t.Errorf("%s: got %d, %s; want %d, %s", tc.name, status, body, tc.status, tc.text)
		}
	}
	if logs := ts.logs.String(); strings.Count(logs, "[WRN] RPCS: Wrong RPC user") != 1 {
		t.Errorf("three wrong passwords in a row must give one warning:\n%s", logs)
	}
}

// TestHandlerPanic checks that a bug in a command costs one connection, and shows
// in the log.
func TestHandlerPanic(t *testing.T) {
	ts := startServer(t, nil)
	body := `{"jsonrpc":"2.0","id":1,"method":"getshares","params":[13]}`
	request := fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if answer := ts.raw(t, request); answer != "" {
		t.Errorf("got %q", answer)
	}
	if status, _ := ts.post(t, uptimeCall, nil); status != 200 {
		t.Errorf("after a panic: status %d", status)
	}
	if logs := ts.logs.String(); !strings.Contains(logs, "[ERR] RPCS: Bug: a command handler panicked") || !strings.Contains(logs, "a bug in a handler") {
		t.Errorf("the panic is not in the log:\n%s", logs)
	}
}

func TestRunErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	base := Config{User: "u", Password: "p", Backend: new(fakeBackend)}
	for name, change := range map[string]func(*Config){
		"is already in use; another p2poold may be running; choose another with --rpclisten": func(c *Config) { c.Listen = []string{"127.0.0.1:0", taken.Addr().String()} },
		"cannot write the RPC cookie": func(c *Config) {
			c.Listen, c.User, c.Password, c.CookieFile = []string{"127.0.0.1:0"}, "", "", "/nonexistent/cookie"
		},
		"cannot listen for commands on 192.0.2.1:1": func(c *Config) { c.Listen = []string{"192.0.2.1:1"} },
	} {
		cfg := base
		change(&cfg)
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

func TestNewErrors(t *testing.T) {
	good := Config{Listen: []string{":0"}, User: "u", Password: "p", Backend: new(fakeBackend)}
	for want, change := range map[string]func(*Config){
		"no backend":                 func(c *Config) { c.Backend = nil },
		"no listening address":       func(c *Config) { c.Listen = nil },
		"set both the RPC user":      func(c *Config) { c.User = "" },
		"neither a password nor a c": func(c *Config) { c.User, c.Password = "", "" },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestStopIsAnswered ends the server while a command runs: it still gets its
// answer.
func TestStopIsAnswered(t *testing.T) {
	b := &fakeBackend{block: make(chan struct{})}
	ts := startServer(t, func(c *Config) { c.Backend = b })
	answered := make(chan string, 1)
	go func() {
		_, body := ts.post(t, `{"jsonrpc":"2.0","id":1,"method":"getinfo"}`, nil)
		answered <- body
	}()
	waitBusy(t, ts)
	ts.stop()
	close(b.block)
	if body := <-answered; !strings.Contains(body, `"version":"test"`) {
		t.Errorf("got %s", body)
	}
}

// TestRequestDeadline lets the backend hang.
func TestRequestDeadline(t *testing.T) {
	b := &fakeBackend{block: make(chan struct{})}
	ts := startServer(t, func(c *Config) { c.Backend, c.Timeouts.Request = b, time.Millisecond })
	if _, body := ts.post(t, `{"jsonrpc":"2.0","id":1,"method":"getinfo"}`, nil); !strings.Contains(body, "deadline exceeded") {
		t.Errorf("got %s", body)
	}
}

// waitBusy waits until a command is being executed.
func waitBusy(t *testing.T, ts *testServer) {
	t.Helper()
	for {
		ts.conns.mu.Lock()
		busy := len(ts.conns.conns) > 0 && ts.conns.conns[0].busy
		ts.conns.mu.Unlock()
		if busy {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("no command began")
		}
	}
}

// TestKeepAlive sends two commands over one connection.
func TestKeepAlive(t *testing.T) {
	ts := startServer(t, nil)
	c, err := net.Dial("tcp", ts.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for range 2 {
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\nContent-Length: %d\r\n\r\n%s", len(uptimeCall), uptimeCall)
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			t.Fatalf("status %d, %v", resp.StatusCode, err)
		}
	}
}

// stoppingBackend ends the server in the middle of a command, as the node does.
type stoppingBackend struct {
	*fakeBackend
	stop func()
}

func (b *stoppingBackend) Stop(context.Context) error {
	b.stop()
	return nil
}

// TestStopItselfIsAnswered: the command that ends the server gets its answer
// however soon the server ends.
func TestStopItselfIsAnswered(t *testing.T) {
	for range 100 {
		b := &stoppingBackend{fakeBackend: new(fakeBackend)}
		ts := startServer(t, func(c *Config) { c.Backend = b })
		b.stop = ts.stop
		if status, body := ts.post(t, `{"jsonrpc":"2.0","id":1,"method":"stop"}`, nil); status != 200 || !strings.Contains(body, "is stopping") {
			t.Fatalf("got %d, %s", status, body)
		}
	}
}
