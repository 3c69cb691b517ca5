package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// patience is how long tests wait for what takes milliseconds.
const patience = 20 * time.Second

// until waits for something to become true.
func until(t testing.TB, what string, timeout time.Duration, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(timeout); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", timeout, what)
		}
	}
}

// output collects what the program prints and lets tests wait for it.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{} // closed by the next Write

	stopped atomic.Pointer[stopped]
}

// stopped is an output that takes nothing for now, as a terminal after Ctrl-S.
type stopped struct{ reached, over chan struct{} }

// stop has the output take nothing until resume is called. reached is closed when a
// write waits.
func (o *output) stop() (reached <-chan struct{}, resume func()) {
	s := &stopped{make(chan struct{}), make(chan struct{})}
	o.stopped.Store(s)
	return s.reached, sync.OnceFunc(func() { o.stopped.Store(nil); close(s.over) })
}

func newOutput() *output { return &output{grown: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	if s := o.stopped.Load(); s != nil {
		close(s.reached) // the log writes line by line
		<-s.over
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.grown)
	o.grown = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// program is p2poold running inside the test, on regtest.
type program struct {
	cookie         string // RPC cookie file
	stdout, stderr *output
	code           int           // once done is closed
	done           chan struct{} // closed at the end
	client         http.Client
}

// arguments returns those that every program of the tests has: free ports, its
// own directory, a payout address, the Bitcoin node unless more names one; and more.
func arguments(dir string, fake *bitcoindtest.Fake, more ...string) []string {
	args := []string{
		"--network=regtest", "--datadir=" + dir, "--address=" + regP2WPKH,
		"--listen=127.0.0.1:0", "--stratumlisten=127.0.0.1:0", "--rpclisten=127.0.0.1:0",
	}
	if !slices.ContainsFunc(more, func(arg string) bool { return strings.HasPrefix(arg, "--bitcoind=") }) {
		args = append(args, "--bitcoind="+fake.URL())
	}
	return append(args, more...)
}

// newFake returns a sound Bitcoin node with a few blocks.
func newFake(t testing.TB) *bitcoindtest.Fake {
	fake := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	fake.Mine(3)
	return fake
}

// start runs the program; what the arguments are without is arguments.
func start(t testing.TB, dir string, fake *bitcoindtest.Fake, args ...string) *program {
	t.Helper()
	return launch(t, dir, func(stdout, stderr io.Writer) int {
		return run(arguments(dir, fake, args...), stdout, stderr)
	})
}

// launch runs a function that behaves like the program.
func launch(t testing.TB, dir string, run func(stdout, stderr io.Writer) int) *program {
	t.Helper()
	p := &program{cookie: filepath.Join(dir, "regtest-main", ".cookie"), stdout: newOutput(), stderr: newOutput(), done: make(chan struct{})}
	p.client.Transport = &http.Transport{DisableKeepAlives: true}
	go func() {
		p.code = run(p.stdout, p.stderr)
		close(p.done)
	}()
	t.Cleanup(func() {
		select {
		case <-p.done:
		default:
			if t.Failed() {
				t.Logf("it printed:\n%s%s", p.stdout, p.stderr)
			}
			p.stop(t)
		}
	})
	return p
}

// await waits until the program has printed a line that matches.
func (p *program) await(t testing.TB, pattern string) []string {
	t.Helper()
	re, deadline := regexp.MustCompile(pattern), time.After(patience)
	for {
		p.stdout.mu.Lock()
		found, grown := re.FindStringSubmatch(p.stdout.text.String()), p.stdout.grown
		p.stdout.mu.Unlock()
		if found != nil {
			return found
		}
		select {
		case <-grown:
		case <-p.done:
			if found := re.FindStringSubmatch(p.stdout.String()); found != nil {
				return found
			}
			t.Fatalf("ended without %q, printed:\n%s%s", pattern, p.stdout, p.stderr)
		case <-deadline:
			t.Fatalf("no %q after %v, printed:\n%s%s", pattern, patience, p.stdout, p.stderr)
		}
	}
}

// wait waits for the end and returns the exit code.
func (p *program) wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
		return p.code
	case <-time.After(patience):
		t.Fatalf("does not end, printed:\n%s%s", p.stdout, p.stderr)
		return 0
	}
}

// stop asks for the end over RPC and waits for it.
func (p *program) stop(t testing.TB) {
	t.Helper()
	if answer := call[string](t, p, "stop"); answer != "p2poold is stopping" {
		t.Errorf("stop answered %q", answer)
	}
	if code := p.wait(t); code != exitOK || p.stderr.String() != "" {
		t.Errorf("exit code %d after stop, standard error %q", code, p.stderr)
	}
}

// rpc sends a command to the node, with the cookie, and returns the raw answer.
func (p *program) rpc(t testing.TB, method string, params ...any) (json.RawMessage, *rpcserver.Error) {
	t.Helper()
	addr := p.await(t, `RPC server listening on (\S+)`)[1]
	user, password, err := rpcserver.ReadCookie(p.cookie)
	if err != nil {
		t.Fatal(err)
	}
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(user, password)
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  *rpcserver.Error
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %s: %v", method, resp.Status, err)
	}
	return answer.Result, answer.Error
}

// call sends a command that must succeed.
func call[T any](t testing.TB, p *program, method string, params ...any) T {
	t.Helper()
	raw, rpcErr := p.rpc(t, method, params...)
	if rpcErr != nil {
		t.Fatalf("%s: %v", method, rpcErr)
	}
	var v T
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v in %s", method, err, raw)
	}
	return v
}

// callError sends a command that must fail with a code and words.
func callError(t *testing.T, p *program, code int, words, method string, params ...any) {
	t.Helper()
	raw, rpcErr := p.rpc(t, method, params...)
	if rpcErr == nil || rpcErr.Code != code || !strings.Contains(rpcErr.Message, words) {
		t.Errorf("%s: %s, %v; want error %d, %s", method, raw, rpcErr, code, words)
	}
}

// awaitInfo asks getinfo until it is as wanted.
func awaitInfo(t testing.TB, p *program, what string, ok func(*rpcserver.Info) bool) *rpcserver.Info {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		info := call[rpcserver.Info](t, p, "getinfo")
		if ok(&info) {
			return &info
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s; getinfo: %+v; log:\n%s", patience, what, info, p.stdout)
		}
		time.Sleep(time.Millisecond)
	}
}

func healthy(info *rpcserver.Info) bool { return info.Healthy }

// runFails runs the program to its end, which must be an error with all of the
// words on standard error and, if it got as far as to have a log, in there.
func runFails(t *testing.T, code int, args []string, words ...string) string {
	t.Helper()
	stdout, stderr := newOutput(), newOutput()
	ended := make(chan int, 1)
	go func() { ended <- run(args, stdout, stderr) }()
	select {
	case got := <-ended:
		if got != code {
			t.Errorf("exit code %d, want %d", got, code)
		}
	case <-time.After(patience):
		t.Fatalf("does not end, printed:\n%s%s", stdout, stderr)
	}
	message, ok := strings.CutPrefix(stderr.String(), "p2poold: ")
	for _, word := range words {
		ok = ok && strings.Contains(message, word)
	}
	if !ok {
		t.Errorf("got  %s\nwant %q", stderr, words)
	}
	if log := stdout.String(); log != "" && !strings.Contains(log, "[CRT] P2PD: Stopped by an error: "+strings.TrimSpace(message)) {
		t.Errorf("the log lacks the error:\n%s", log)
	}
	return message
}

// noLeaks fails the test if goroutines are left behind at its end.
func noLeaks(t testing.TB) {
	// The first use of signals starts a goroutine that never ends.
	_, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	stop()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		deadline := time.Now().Add(patience)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Fatalf("%d goroutines more than before:\n%s", runtime.NumGoroutine()-before, buf[:runtime.Stack(buf, true)])
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// startNode runs the program and gives the test its parts too.
func startNode(t testing.TB, dir string, fake *bitcoindtest.Fake, args ...string) (*program, *node) {
	t.Helper()
	return startConfig(t, dir, mustLoad(t, arguments(dir, fake, args...)...))
}

// startConfig is startNode with a configuration.
func startConfig(t testing.TB, dir string, cfg *config) (*program, *node) {
	t.Helper()
	nodes := make(chan *node, 1)
	p := launch(t, dir, func(stdout, stderr io.Writer) int {
		err := runLocked(cfg, stdout, func(ctx context.Context, cfg *config, logs *logBackend) error {
			n, err := newNode(cfg, logs)
			if err != nil {
				return err
			}
			nodes <- n
			return errors.Join(n.run(ctx), n.chain.Close())
		})
		if err != nil {
			fmt.Fprintln(stderr, err)
			return exitRun
		}
		return exitOK
	})
	p.await(t, "RPC server listening")
	return p, <-nodes
}
