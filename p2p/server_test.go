package p2p

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/peer"
)

// patience is how long tests on real sockets wait for what takes milliseconds.
const patience = 20 * time.Second

// testServer is a Server with its chain, running on loopback.
type testServer struct {
	*Server
	chain *fakechain.Chain
	stop  func() // ends Run and waits for it
}

func testParams(t testing.TB, pool string) *chainparams.Params {
	t.Helper()
	params, err := chainparams.New(chainparams.Regtest, pool)
	if err != nil {
		t.Fatal(err)
	}
	return params
}

// start runs a server; change may alter its configuration, and tune what only
// tests can.
func start(t testing.TB, chain *fakechain.Chain, change func(*Config), tune ...func(*Server)) *testServer {
	t.Helper()
	cfg := Config{
		Params: testParams(t, "main"), Chain: chain, Listen: []string{"127.0.0.1:0"},
		Mode: message.LowLatency, UserAgent: "/test:1/", V1Only: v1Only,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.backoffMin = time.Millisecond
	for _, f := range tune {
		f(s)
	}
	chain.OnConnect = s.Announce
	if err := s.Bind(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not return")
		}
	})
	t.Cleanup(stop)
	return &testServer{Server: s, chain: chain, stop: stop}
}

// dialing returns a change of the configuration that connects to servers.
func dialing(to ...*testServer) func(*Config) {
	return func(cfg *Config) {
		for _, s := range to {
			cfg.AddNode = append(cfg.AddNode, s.Addr().String())
		}
	}
}

// mine extends the chain and announces the new shares.
func (s *testServer) mine(n int, salt uint32) {
	for _, id := range s.chain.Extend(n, salt) {
		s.Announce(id)
	}
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
}

func sameTip(servers ...*testServer) func() bool {
	return func() bool {
		first, _, _ := servers[0].chain.Tip()
		for _, s := range servers[1:] {
			if id, _, _ := s.chain.Tip(); id != first {
				return false
			}
		}
		return true
	}
}

// noLeaks fails the test if goroutines are left behind at its end.
func noLeaks(t *testing.T) {
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

func TestSyncRelayRestart(t *testing.T) {
	noLeaks(t)
	old := new(fakechain.Chain)
	old.Extend(2500, 1)
	a := start(t, old, nil)
	b := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "b syncs", sameTip(a, b))

	c := start(t, new(fakechain.Chain), func(cfg *Config) {
		dialing(b)(cfg)
		cfg.Mode = message.LowBandwidth
	})
	eventually(t, "c syncs", sameTip(a, b, c))
	eventually(t, "c is done", func() bool { return !c.Progress().Syncing })

	for i, s := range []*testServer{a, b, c} {
		s.mine(5, uint32(10+i))
		eventually(t, "shares are relayed", sameTip(a, b, c))
	}

	// b goes away and comes back at another port with what it had; a has gone on.
	b.stop()
	eventually(t, "a notices", func() bool { return a.ConnectedCount() == 0 })
	a.mine(3, 20)
	b2 := start(t, b.chain, dialing(a))
	eventually(t, "b catches up", sameTip(a, b2))
	if err := c.AddNode(b2.Addr().String()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "c too", sameTip(a, b2, c))
	c.mine(1, 30)
	eventually(t, "and is heard", sameTip(a, b2, c))
}

func TestPeers(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	b := start(t, new(fakechain.Chain), func(cfg *Config) {
		dialing(a)(cfg)
		cfg.Mode = message.LowBandwidth
	})
	eventually(t, "connected", func() bool { return a.ConnectedCount() == 1 && b.ConnectedCount() == 1 })
	a.mine(3, 1)
	eventually(t, "relayed", sameTip(a, b))
	eventually(t, "ping", func() bool { return a.Peers()[0].Ping > 0 && b.Peers()[0].Ping > 0 })
	in, out := a.Peers()[0], b.Peers()[0]
	if !in.Inbound || out.Inbound || out.Addr != a.Addr().String() || in.UserAgent != "/test:1/" || in.Protocol != 1 ||
		in.Mode != message.LowBandwidth || out.Mode != message.LowBandwidth || out.Height != 2 ||
		in.BytesIn == 0 || in.BytesOut == 0 || in.Connected.IsZero() || in.Misbehaviour != 0 || in.ID == 0 {
		t.Errorf("a sees %+v\nb sees %+v", in, out)
	}
	if pr := b.Progress(); pr.Syncing || pr.Height != 2 || pr.Peers != 1 {
		t.Errorf("%+v", pr)
	}
	if st := b.Stats(); st.Valid != 3 {
		t.Errorf("%+v", st)
	}
}

// TestReconnect: a dialed peer that goes away is dialed again.
func TestReconnect(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	addr := a.Addr().String()
	b := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.Connect, cfg.AddNode, cfg.Listen = []string{addr}, []string{"192.0.2.1:1"}, nil
	})
	if b.Addr() != nil {
		t.Error("a node without Listen listens")
	}
	eventually(t, "connected", func() bool { return b.ConnectedCount() == 1 })
	a.stop()
	eventually(t, "disconnected", func() bool { return b.ConnectedCount() == 0 })
	a = start(t, a.chain, func(cfg *Config) { cfg.Listen = []string{addr} })
	eventually(t, "connected again", func() bool { return b.ConnectedCount() == 1 && a.ConnectedCount() == 1 })
}

func TestPortTaken(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	addr := a.Addr().String()
	s, err := New(Config{Params: testParams(t, "main"), Chain: a.chain, Listen: []string{"127.0.0.1:0", addr}})
	if err != nil {
		t.Fatal(err)
	}
	want := "p2p port " + addr + " is already in use; another p2poold may be running; choose another with --listen"
	if err := s.Run(t.Context()); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	s, _ = New(Config{Params: testParams(t, "main"), Chain: a.chain, Listen: []string{"192.0.2.1:1"}})
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "choose another address with --listen") {
		t.Errorf("foreign address: %v", err)
	}
}

// TestOtherPool: nodes of different pools don't stay together.
func TestOtherPool(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	// With v2 both wait for a terminator until the handshake times out: package
	// peer tests that.
	b := start(t, new(fakechain.Chain), func(cfg *Config) { cfg.Params, cfg.V1Only = testParams(t, "mini"), true })
	_, err := b.runPeer(t.Context(), dial(t, a), link{})
	if e, ok := errors.AsType[*peer.Error](err); !ok || e.Reason != peer.ReasonClosed && e.Reason != peer.ReasonWrongNetwork {
		t.Errorf("ended with %v", err)
	}
	if a.ConnectedCount() != 0 || b.ConnectedCount() != 0 {
		t.Error("peers of different pools are connected")
	}
}

func TestSelfConnection(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	_, err := a.runPeer(t.Context(), dial(t, a), link{v2: !a.cfg.V1Only})
	if e, ok := errors.AsType[*peer.Error](err); !ok || e.Reason != peer.ReasonSelf {
		t.Errorf("ended with %v", err)
	}
	eventually(t, "all slots are free", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.callers.list) == 0 && len(a.peers) == 0
	})
}

// TestSelfAddNode: one's own address is given up after the first dial.
func TestSelfAddNode(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	dials := make(chan struct{}, 100)
	dialer := a.cfg.Dial
	a.cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials <- struct{}{}
		return dialer(ctx, network, addr)
	}
	a.keepConnected(t.Context(), a.Addr().String()) // returns
	if len(dials) != 1 {
		t.Errorf("%d dials", len(dials))
	}
}

func dial(t *testing.T, s *testServer) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestHostileConnections: garbage, half handshakes and silence neither crash nor
// fill the server, and an honest peer still gets through.
func TestHostileConnections(t *testing.T) {
	noLeaks(t)
	a := start(t, new(fakechain.Chain), nil)
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x00", strings.Repeat("x", 1<<16)} {
		conn := dial(t, a)
		conn.Write([]byte(garbage))
		conn.(*net.TCPConn).CloseWrite() // less than a v2 key: there could be more
		if _, err := io.Copy(io.Discard, conn); err != nil && !isReset(err) {
			t.Errorf("garbage: %v", err)
		}
		conn.Close()
	}
	eventually(t, "all slots are free", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.callers.list) == 0
	})
	half := make([]net.Conn, MaxPendingPerGroup)
	for i := range half {
		half[i] = dial(t, a)
		frame, _ := message.AppendFrame(nil, a.cfg.Params.Magic, a.version(uint64(i)))
		half[i].Write(frame)
		if _, err := message.NewReader(half[i], a.cfg.Params.Magic).Next(); err != nil {
			t.Fatalf("no version in answer: %v", err)
		}
	}
	// One more of the same group is turned away at once.
	if n, err := io.Copy(io.Discard, dial(t, a)); n != 0 || err != nil && !isReset(err) {
		t.Errorf("a connection over the limit got %d bytes, %v", n, err)
	}
	half[0].Close()
	b := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "an honest peer", func() bool { return a.ConnectedCount() == 1 && b.ConnectedCount() == 1 })
}

func isReset(err error) bool {
	_, isOp := errors.AsType[*net.OpError](err)
	return isOp
}

func TestMaxInbound(t *testing.T) {
	a := start(t, new(fakechain.Chain), func(cfg *Config) { cfg.MaxInbound = 1 })
	b := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "the first", func() bool { return a.ConnectedCount() == 1 })
	if n, _ := io.Copy(io.Discard, dial(t, a)); n != 0 {
		t.Error("the second is served")
	}
	b.stop()
	c := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "room again", func() bool { return c.ConnectedCount() == 1 })
}

// TestSlowValidation: while one peer's share is being verified, others are served
// and hear of what is mined here. Their own shares have to wait: the chain judges one
// after the other.
func TestSlowValidation(t *testing.T) {
	chain := new(fakechain.Chain)
	hold, held := make(chan struct{}), make(chan struct{}, 1)
	slow := fakechain.New(chainhash.Hash{}, 0, 66)
	chain.OnAccept = func(s *share.Share) {
		if s.ID() == slow.ID() {
			held <- struct{}{}
			<-hold
		}
	}
	a := start(t, chain, nil)
	b := start(t, new(fakechain.Chain), dialing(a))
	c := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "connected", func() bool {
		return a.ConnectedCount() == 2 && b.ConnectedCount() == 1 && c.ConnectedCount() == 1
	})
	b.chain.Accept(slow)
	b.Announce(slow.ID())
	<-held
	a.mine(1, 1)
	c.mine(1, 2) // an equal branch: counts as accepted by a all the same
	eventually(t, "c has a's share", func() bool { return c.chain.Len() == 2 })
	d := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "and so has a newcomer", func() bool { return d.chain.Len() == 1 })
	close(hold)
	eventually(t, "and the slow one", func() bool { return a.chain.Len() == 3 && c.chain.Len() == 3 })
}

func TestConfigRefused(t *testing.T) {
	good := Config{Params: testParams(t, "main"), Chain: new(fakechain.Chain)}
	tests := map[string]func(*Config){
		"no chain":        func(c *Config) { c.Chain = nil },
		"long user agent": func(c *Config) { c.UserAgent = strings.Repeat("x", 257) },
		"bad connect":     func(c *Config) { c.Connect = []string{"host:port"} },
		"bad addnode":     func(c *Config) { c.AddNode = []string{"host:0"} },
	}
	for name, change := range tests {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestNormalize(t *testing.T) {
	tests := []struct{ in, out string }{
		{"example.org", "example.org:9333"},
		{"example.org:1", "example.org:1"},
		{"192.0.2.1", "192.0.2.1:9333"},
		{"::1", "[::1]:9333"},
		{"[::1]", "[::1]:9333"},
		{"[::1]:5", "[::1]:5"},
		{"", ""}, {":9333", ""}, {"a:b:c", ""}, {"host:99999", ""}, {"http://host", ""}, {"user@host", ""}, {"host:-1", ""},
	}
	for _, test := range tests {
		got, err := normalize(test.in, 9333)
		if got != test.out || (err == nil) != (test.out != "") {
			t.Errorf("%q gives %q, %v; want %q", test.in, got, err, test.out)
		}
	}
}

func TestMaxNodes(t *testing.T) {
	s, err := New(Config{Params: testParams(t, "main"), Chain: new(fakechain.Chain)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range MaxNodes {
		if err := s.AddNode(net.JoinHostPort("192.0.2.1", string(rune('1'+i%9))+strings.Repeat("1", i/9%4))); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; len(s.nodes) < MaxNodes; i++ {
		s.nodes[string(rune('a'+i))] = true
	}
	if s.AddNode("192.0.2.2") == nil {
		t.Error("more nodes than MaxNodes")
	}
}

func TestAddrGroup(t *testing.T) {
	addr := func(s string) net.Addr { return net.TCPAddrFromAddrPort(mustAddrPort(s)) }
	tests := [][2]string{
		{"192.0.2.1:5", "192.0.0.0/16"},
		{"[::ffff:192.0.2.1]:5", "192.0.0.0/16"},
		{"[2001:db8:1:2::3]:5", "2001:db8::/32"},
		{"[fe80::1%eth0]:5", "fe80::/32"},
	}
	for _, test := range tests {
		if got := addrGroup(addr(test[0])); got != test[1] {
			t.Errorf("%s: %s, want %s", test[0], got, test[1])
		}
	}
}

// TestBackoff: an unreachable address is dialed ever more rarely.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		s, err := New(Config{
			Params: testParams(t, "main"), Chain: new(fakechain.Chain), AddNode: []string{"192.0.2.1"},
			Dial: func(context.Context, string, string) (net.Conn, error) {
				dials++
				return nil, errors.New("unreachable")
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		// 1 + 2 + … + 16 s, then every 20 s, each a quarter more or less.
		if dials < 145 || dials > 240 {
			t.Errorf("%d dials in an hour", dials)
		}
	})
}

func mustAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
