package bitcoind

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// rawNode starts an HTTP server in place of a node and returns a client for it.
func rawNode(t *testing.T, serve http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(serve)
	c := newClient(t, Config{URL: "http://u:" + bitcoindtest.FakePass + "@" + server.Listener.Addr().String()})
	t.Cleanup(func() { c.lanes.closeIdle(); server.Close() })
	return c
}

// TestReplyLimit: a reply that is too long is refused before it has been read, whether
// it says how long it is or not.
func TestReplyLimit(t *testing.T) {
	for _, announced := range []bool{true, false} {
		var sent atomic.Int64
		c := rawNode(t, func(w http.ResponseWriter, r *http.Request) {
			if announced {
				w.Header().Set("Content-Length", fmt.Sprint(1<<30))
			}
			piece := bytes.Repeat([]byte{' '}, 1<<16)
			for sent.Load() < 1<<30 {
				n, err := w.Write(piece)
				sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		_, err := c.TipHash(t.Context())
		wantError(t, err, ErrBadReply, fmt.Sprintf("more than %d bytes", smallReply))
		c.lanes.closeIdle()
		if n := sent.Load(); n > 64<<20 {
			t.Errorf("announced %v: %d bytes were sent", announced, n)
		}
	}
}

// TestReplyLimitsSuffice: the limits let pass what a node may really send.
func TestReplyLimitsSuffice(t *testing.T) {
	for method, want := range map[string]int64{"getblocktemplate": maxReply, "getblock": maxBlockReply, "getblockhash": smallReply} {
		c := rawNode(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"result":"%s"}`, bytes.Repeat([]byte{'0'}, int(want)-len(`{"result":""}`)))
		})
		c.timing.call = patience // 32 MB are not fast, but fast enough
		if raw, err := c.call(t.Context(), c.lanes.query, method); err != nil || int64(len(raw)) != want-int64(len(`{"result":}`)) {
			t.Errorf("%s: %d bytes, %v", method, len(raw), err)
		}
	}
}

// TestTransportIsPlain: a redirect is an answer that makes no sense, not a way to send
// the password elsewhere; no proxy is taken from the environment.
func TestTransportIsPlain(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	t.Setenv("HTTP_PROXY", other.URL)
	t.Setenv("http_proxy", other.URL)
	c := rawNode(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	_, err := c.TipHash(t.Context())
	wantError(t, err, ErrBadReply, "HTTP status 307")
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
	if c.lanes.query.transport.Proxy != nil {
		t.Error("a proxy is asked for")
	}
}

// TestKeepAlive: calls of a lane share a connection, and one that the node has closed
// meanwhile costs nothing but a new one.
func TestKeepAlive(t *testing.T) {
	var conns, calls atomic.Int32
	c, server := countedNode(t, &conns, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		fmt.Fprintf(w, `{"result":"%s","error":null,"id":1}`, chainhash.Hash{})
	})
	for i := range 30 {
		if i%10 == 9 {
			server.CloseClientConnections()
		}
		if _, err := c.TipHash(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n < 2 || n > 4 {
		t.Errorf("%d connections for %d calls", n, calls.Load())
	}
}

// countedNode is rawNode that counts its connections.
func countedNode(t *testing.T, conns *atomic.Int32, serve http.HandlerFunc) (*Client, *httptest.Server) {
	t.Helper()
	server := httptest.NewUnstartedServer(serve)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	c := newClient(t, Config{URL: "http://u:p@" + server.Listener.Addr().String()})
	c.timing.probe = time.Hour // its connections would count
	t.Cleanup(func() { c.lanes.closeIdle(); server.Close() })
	return c, server
}

// TestKeptWarm: a block found here takes a connection that is there already, also after the
// node has closed one; with a node that closes each, none is made beforehand.
func TestKeptWarm(t *testing.T) {
	for _, closes := range []bool{false, true} {
		var conns atomic.Int32
		c, server := countedNode(t, &conns, func(w http.ResponseWriter, r *http.Request) {
			if closes {
				w.Header().Set("Connection", "close")
			}
			io.WriteString(w, `{"result":null,"error":null,"id":1}`)
		})
		_, _ = c.hashCall(t.Context(), c.lanes.poll, "getbestblockhash")
		for range 3 {
			server.CloseClientConnections()
			c.warmUp(t.Context())
			c.warmUp(t.Context())
			before := conns.Load()
			if err := c.SubmitBlock(t.Context(), mining.RawBlock{[]byte{1}}, nil); err != nil {
				t.Fatal(err)
			}
			if made := conns.Load() > before; made != closes {
				t.Errorf("the node closes connections: %v; the block made one: %v", closes, made)
			}
		}
		if n := conns.Load(); closes && n != 1+3 {
			t.Errorf("%d connections", n)
		}
	}
}

// TestRunKeepsWarm: Run uses the connection for the next block again and again.
func TestRunKeepsWarm(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	r := startRun(t, Config{URL: f.URL()}, func(tm *timing) { tm.warm = 5 * time.Millisecond })
	r.waitHealth(t, true)
	waitCalls(t, f, "getblockhash", f.Calls("getblockhash")+3)
}

// TestBrokenAnswers: a connection that breaks is told from a node that is gone.
func TestBrokenAnswers(t *testing.T) {
	c := rawNode(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, `{"result":"00`)
		panic(http.ErrAbortHandler)
	})
	_, err := c.TipHash(t.Context())
	wantError(t, err, ErrBadReply, "broke off its answer to getbestblockhash")

	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	f.SetFaults(bitcoindtest.Faults{Delay: map[string]time.Duration{"getbestblockhash": time.Hour}})
	c = newClient(t, Config{URL: f.URL()})
	done := make(chan error, 1)
	go func() { _, err := c.TipHash(t.Context()); done <- err }()
	waitCalls(t, f, "getbestblockhash", 1)
	f.Down()
	wantError(t, wait(t, done, "answer"), ErrUnreachable)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "SSH-2.0-nothing of the kind\r\n")
			conn.Close()
		}
	}()
	c = newClient(t, Config{URL: "http://u:p@" + l.Addr().String()})
	_, err = c.TipHash(t.Context())
	wantError(t, err, ErrBadReply)
}

// TestWatch: a call to a node that has stopped listening, but whose connection stays, is
// given up after the next look.
func TestWatch(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, Config{URL: "http://u:p@" + l.Addr().String()})
	c.timing.call = time.Hour
	done := make(chan error, 1)
	go func() { _, err := c.TipHash(t.Context()); done <- err }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	l.Close()
	wantError(t, wait(t, done, "answer"), ErrUnreachable)
}

// TestCookieAfter401: a cookie that changes between the reading of it and the call is
// read again.
func TestCookieAfter401(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".cookie")
	write := func(pass string) {
		if err := os.WriteFile(file, []byte("__cookie__:"+pass), 0o600); err != nil {
			t.Error(err)
		}
	}
	write("old")
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if _, pass, _ := r.BasicAuth(); pass != "new" {
			write("new")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"result":"%s"}`, chainhash.Hash{})
	}))
	c := newClient(t, Config{URL: "http://" + server.Listener.Addr().String(), CookieFile: file})
	t.Cleanup(func() { c.lanes.closeIdle(); server.Close() })
	if _, err := c.TipHash(t.Context()); err != nil || calls.Load() != 2 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

// TestHexReader: whatever pieces are asked for, the digits are those of the bytes.
func TestHexReader(t *testing.T) {
	block := make([]byte, 1001)
	for i := range block {
		block[i] = byte(i * 7)
	}
	want := hex.EncodeToString(block)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "single": iotest.OneByteReader, "half": iotest.HalfReader,
	} {
		if got, err := io.ReadAll(wrap(&hexReader{rest: mining.RawBlock{block[:300], nil, block[300:301], block[301:]}})); err != nil || string(got) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for size := 1; size < 9; size++ {
		var got []byte
		r, p := &hexReader{rest: mining.RawBlock{block[:300], nil, block[300:301], block[301:]}}, make([]byte, size)
		for {
			n, err := r.Read(p)
			got = append(got, p[:n]...)
			if err == io.EOF {
				break
			}
		}
		if string(got) != want {
			t.Errorf("pieces of %d", size)
		}
	}
}

// TestSubmitLargeBlock: a block of the greatest size arrives as it is.
func TestSubmitLargeBlock(t *testing.T) {
	block := make([]byte, 4_000_000)
	for i := range block {
		block[i] = byte(i >> 3)
	}
	var calls atomic.Int32
	c := rawNode(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		var call struct {
			Method string
			Params []string
		}
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil || call.Method != "submitblock" || len(call.Params) != 1 {
			t.Errorf("%v: %s with %d arguments", err, call.Method, len(call.Params))
			return
		}
		if got, err := hex.DecodeString(call.Params[0]); err != nil || !bytes.Equal(got, block) {
			t.Errorf("another block: %v", err)
		}
		io.WriteString(w, `{"result":null,"error":null,"id":1}`)
	})
	if err := c.SubmitBlock(t.Context(), mining.RawBlock{block}, nil); err != nil || calls.Load() != 1 {
		t.Error(err)
	}
}

// TestEndedContext: a caller that has given up is told of that, not of the node.
func TestEndedContext(t *testing.T) {
	c := newClient(t, Config{URL: "http://u:p@127.0.0.1:1"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.TipHash(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
