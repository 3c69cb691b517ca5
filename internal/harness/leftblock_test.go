package harness_test

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/p2poold/p2poold/internal/harness"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// deaf is the way to a Bitcoin node, on which no block gets through at first.
type deaf struct {
	addr  string
	tried chan struct{} // gets one when a block is submitted
	hears atomic.Bool   // blocks get through

	proxy  *httputil.ReverseProxy
	server *http.Server
}

// newDeaf opens the way to a node, and returns its URL with the node's user and password.
func newDeaf(t *testing.T, n *bitcoindtest.Node) (d *deaf, nodeURL string) {
	t.Helper()
	to, err := url.Parse(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	user := to.User
	to.User = nil
	d = &deaf{addr: "127.0.0.1:0", tried: make(chan struct{}, 1), proxy: httputil.NewSingleHostReverseProxy(to)}
	d.proxy.ErrorLog = log.New(io.Discard, "", 0)
	d.open(t)
	t.Cleanup(func() { d.server.Close() })
	return d, (&url.URL{Scheme: "http", User: user, Host: d.addr}).String()
}

// open opens it, again after it was closed.
func (d *deaf) open(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	d.addr, d.server = l.Addr().String(), &http.Server{Handler: d}
	go func(s *http.Server) { _ = s.Serve(l) }(d.server)
}

// ServeHTTP implements http.Handler.
func (d *deaf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the program was killed
	}
	if !d.hears.Load() && bytes.Contains(body[:min(len(body), 100)], []byte("submitblock")) {
		select {
		case d.tried <- struct{}{}:
		default:
		}
		<-r.Context().Done()
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	d.proxy.ServeHTTP(w, r)
}

// TestPeersSubmitLeftBlock: a node finds a block and is killed before it has submitted it.
// When it runs again its Bitcoin node is gone; another node of the pool, which it knew
// nothing of, submits the block. With its Bitcoin node back it goes on like any other.
func TestPeersSubmitLeftBlock(t *testing.T) {
	ctx := t.Context()
	here := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	there := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	const start = 2
	if _, err := here.Generate(ctx, start); err != nil {
		t.Fatal(err)
	}
	if err := here.CopyChain(ctx, there); err != nil {
		t.Fatal(err)
	}
	way, wayURL := newDeaf(t, here)
	payee, err := harness.NewPayee(0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	finder, err := harness.NewNode(programs(t), harness.NodeOptions{Dir: dir, Bitcoind: wayURL, Address: payee.Address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = finder.Stop()
		if t.Failed() {
			t.Logf("end of the finder's log:\n%s", finder.Process().Output())
		}
	})
	if err := finder.Start(ctx); err != nil {
		t.Fatal(err)
	}
	m, err := harness.StartMiner(programs(t), t.TempDir(), finder, payee.Address+".miner", "1MH/s")
	if err != nil {
		t.Fatal(err)
	}
	files := func() []string {
		list, err := filepath.Glob(filepath.Join(dir, "regtest-main", "blocks-found", "*.block"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	<-way.tried
	wait(t, "a block on disk", func() bool { return len(files()) > 0 })
	finder.Kill()
	if err := m.Stop(); err != nil {
		t.Error(err)
	}
	way.server.Close()
	if err := here.Stop(); err != nil {
		t.Fatal(err)
	}

	if err := finder.Launch(); err != nil {
		t.Fatal(err)
	}
	other := startNode(t, 1, there.URL())
	call[any](t, other, "addnode", finder.P2P)
	wait(t, "the other Bitcoin node to have the block", func() bool {
		height, err := there.Height(ctx)
		return err == nil && height == start+1
	})
	var hash string
	if err := there.Call(ctx, &hash, "getbestblockhash"); err != nil {
		t.Fatal(err)
	}
	if name := filepath.Join(filepath.Dir(files()[0]), "3-"+hash+".block"); !exists(name) {
		t.Errorf("%s is none of the finder's blocks: %v", hash, files())
	}
	if i := call[rpcserver.Info](t, finder, "getinfo"); !i.Starting || i.Bitcoind.Error == "" {
		t.Errorf("the finder has a Bitcoin node: %+v", i)
	}

	if err := here.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	way.hears.Store(true)
	way.open(t)
	wait(t, "one sharechain", func() bool {
		var a, b chainInfo
		return finder.Call(ctx, &a, "getsharechaininfo") == nil && other.Call(ctx, &b, "getsharechaininfo") == nil && a.Tip == b.Tip && a.Shares > 0
	})
	wait(t, "the finder's Bitcoin node to have the block", func() bool {
		height, err := here.Height(ctx)
		return err == nil && height == start+1
	})
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
