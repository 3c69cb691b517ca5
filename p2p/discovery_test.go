package p2p

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/p2p/addrmgr"
	"github.com/p2poold/p2poold/p2p/connmgr"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// hasty makes a server find peers in milliseconds.
func hasty(s *Server) {
	s.finder.interval = 5 * time.Millisecond
	s.finder.backoff = 50 * time.Millisecond
	s.finder.gossip.trickle = 10 * time.Millisecond
}

// finding returns a change of the configuration that finds peers, and names one.
func finding(to ...*testServer) func(*Config) {
	return func(cfg *Config) {
		dialing(to...)(cfg)
		cfg.Discovery.Outbound = connmgr.DefaultFull
	}
}

func addrOf(t testing.TB, s *testServer) netaddr.Addr {
	t.Helper()
	a, err := netaddr.Parse(s.Addr().String(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// learn puts the addresses of servers into a running server's book.
func learn(t testing.TB, s *testServer, others ...*testServer) {
	t.Helper()
	eventually(t, "Run has read the book", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.finder.chooser != nil
	})
	for _, o := range others {
		s.finder.book.Add([]netaddr.Record{{Addr: addrOf(t, o)}}, addrOf(t, o))
	}
}

// TestFindNetwork: a new node on a network of six, told one address, ends up with
// connections to several others, and is known to them.
func TestFindNetwork(t *testing.T) {
	noLeaks(t)
	hub := start(t, new(fakechain.Chain), finding(), hasty)
	nodes := []*testServer{hub}
	for range 5 {
		nodes = append(nodes, start(t, new(fakechain.Chain), finding(hub), hasty))
	}
	eventually(t, "the six are connected", func() bool {
		for _, s := range nodes {
			if s.ConnectedCount() < 3 {
				return false
			}
		}
		return true
	})
	fresh := start(t, new(fakechain.Chain), finding(hub), hasty)
	eventually(t, "the new one has four peers", func() bool { return fresh.ConnectedCount() >= 4 })
	eventually(t, "two that it found itself", func() bool {
		found := 0
		for _, p := range fresh.Peers() {
			if !p.Inbound && p.Addr != hub.Addr().String() {
				found++
			}
		}
		return found >= 2
	})
	// The hub goes away; the others still hear each other's shares.
	hub.stop()
	rest := append(nodes[1:], fresh)
	fresh.mine(3, 7)
	eventually(t, "shares reach all without the hub", sameTip(rest...))
	for _, s := range append(rest, hub) {
		s.stop()
	}
}

// TestFeeler: a feeler only learns whether somebody is there; nothing else of the
// node notices.
func TestFeeler(t *testing.T) {
	a, b := start(t, new(fakechain.Chain), nil), start(t, new(fakechain.Chain), nil)
	b.mine(3, 1)
	addr := addrOf(t, b)
	learn(t, a, b)
	a.runFound(t.Context(), connmgr.Dial{Addr: addr, Kind: connmgr.Feeler})
	if _, tried := a.finder.book.Len(); tried != 1 || a.ConnectedCount() != 0 || a.chain.Len() != 0 || len(a.finder.found) != 0 {
		t.Errorf("%d tried, %d connected", tried, a.ConnectedCount())
	}
	if a.lastID != 0 {
		t.Error("the feeler joined the peers")
	}
	// Nobody is there.
	gone := addr.WithPort(1)
	a.finder.book.Add([]netaddr.Record{{Addr: gone}}, addr)
	a.runFound(t.Context(), connmgr.Dial{Addr: gone, Kind: connmgr.Feeler})
	if _, tried := a.finder.book.Len(); tried != 1 {
		t.Errorf("%d tried", tried)
	}
	b.stop()
}

// TestFoundSelf: an own address that comes back by gossip is dialed once.
func TestFoundSelf(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	addr := addrOf(t, a)
	learn(t, a, a)
	a.runFound(t.Context(), connmgr.Dial{Addr: addr, Kind: connmgr.Full})
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.finder.own[addr] || a.finder.book.Contains(addr) {
		t.Error("the own address is still in the book")
	}
	// Should it get in all the same, it is not dialed.
	a.finder.book.Add([]netaddr.Record{{Addr: addr}}, addr)
	a.finder.chooser = connmgr.New(connmgr.Config{Book: a.finder.book, Full: 1})
	a.mu.Unlock()
	d, ok := a.nextDial(t.Context(), time.Now().Add(time.Hour))
	a.mu.Lock()
	if ok {
		t.Errorf("dials itself: %v", d)
	}
	for i := range 2 * maxOwn {
		a.finder.addOwn(addr.WithPort(uint16(i + 1)))
	}
	if len(a.finder.own) > maxOwn {
		t.Errorf("%d own addresses", len(a.finder.own))
	}
}

// TestConnectOnly: with Connect nothing is dialed but what it names.
func TestConnectOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := make(map[string]int)
		path := filepath.Join(t.TempDir(), "peers.dat")
		fillBook(t, path, "16.1.0.1:1", "16.2.0.1:1")
		run(t, time.Hour, func(cfg *Config) {
			cfg.Connect = []string{"192.0.2.1:9"}
			cfg.Discovery = Discovery{Outbound: 8, File: path, DNSSeeds: []string{"seed"}, Resolver: fakeDNS{"seed": {"16.9.0.1"}}}
			cfg.Dial = counted(dials)
		})
		if len(dials) != 1 || dials["192.0.2.1:9"] == 0 {
			t.Errorf("dials %v", dials)
		}
	})
}

// fillBook writes an address book on regtest, where all is allowed. The addresses
// were connected to once; the first four are the anchors.
func fillBook(t *testing.T, path string, addrs ...string) {
	t.Helper()
	book := addrmgr.New(addrmgr.Config{AllowUnroutable: true})
	var list []netaddr.Addr
	for _, text := range addrs {
		a, err := netaddr.Parse(text, 0)
		if err != nil {
			t.Fatal(err)
		}
		book.Good(a, 0)
		list = append(list, a)
	}
	book.SetAnchors(list)
	if err := book.Save(path); err != nil {
		t.Fatal(err)
	}
}

// counted is a dialer that reaches nobody and counts.
func counted(dials map[string]int) func(context.Context, string, string) (net.Conn, error) {
	var mu sync.Mutex
	return func(_ context.Context, _, addr string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		dials[addr]++
		return nil, errors.New("unreachable")
	}
}

// run runs a server for some time. It is for synctest.
func run(t *testing.T, d time.Duration, change func(*Config)) *Server {
	t.Helper()
	cfg := Config{Params: testParams(t, "main"), Chain: new(fakechain.Chain)}
	change(&cfg)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAnchorsFirst: what was connected at the end is dialed first at the next
// start.
func TestAnchorsFirst(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "peers.dat")
	var others []*testServer
	for range 3 {
		others = append(others, start(t, new(fakechain.Chain), nil))
	}
	a := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.Discovery = Discovery{Outbound: 2, File: path}
	}, hasty)
	learn(t, a, others...)
	eventually(t, "two connections", func() bool { return a.ConnectedCount() == 2 })
	eventually(t, "noted", func() bool { return len(a.finder.book.Anchors()) == 2 })
	var want []string
	for _, p := range a.Peers() {
		want = append(want, p.Addr)
	}
	a.stop()

	synctest.Test(t, func(t *testing.T) {
		var order []string
		run(t, 3*time.Second, func(cfg *Config) {
			cfg.Discovery = Discovery{Outbound: 2, File: path}
			cfg.Dial = func(_ context.Context, _, addr string) (net.Conn, error) {
				order = append(order, addr)
				return nil, errors.New("unreachable")
			}
		})
		if len(order) < 2 || !slices.Equal(slices.Sorted(slices.Values(order[:2])), slices.Sorted(slices.Values(want))) {
			t.Errorf("dialed %v, want %v first", order, want)
		}
	})
	// None of them was reached: they stay the anchors.
	book, err := addrmgr.Load(path, addrmgr.Config{AllowUnroutable: true})
	if err != nil || len(book.Anchors()) != 2 {
		t.Errorf("%v, %v", book.Anchors(), err)
	}
}

// TestDamagedBook: the node starts and says what happened.
func TestDamagedBook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers.dat")
	if err := os.WriteFile(path, []byte("not an address book at all, but long enough for one"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		run(t, time.Minute, func(cfg *Config) {
			cfg.Discovery = Discovery{Outbound: 8, File: path}
			cfg.Log = slog.NewBackend(&out).Logger("PEER")
		})
	})
	if !strings.Contains(out.String(), "Starting without known peers") || !strings.Contains(out.String(), "damaged") {
		t.Errorf("log: %s", out.String())
	}
	if book, err := addrmgr.Load(path, addrmgr.Config{}); err != nil {
		t.Errorf("no new book: %v, %v", book, err)
	}
	out.Reset()
	synctest.Test(t, func(t *testing.T) {
		run(t, time.Hour, func(cfg *Config) {
			cfg.Discovery.File = filepath.Join(path, "no", "directory")
			cfg.Log = slog.NewBackend(&out).Logger("PEER")
		})
	})
	if n := strings.Count(out.String(), "cannot be saved"); n < 4 || n > 5 {
		t.Errorf("%d warnings in an hour: %s", n, out.String())
	}
}

// TestExtraPeer: while no share comes, one more peer is tried, and one without
// news is let go.
func TestExtraPeer(t *testing.T) {
	quiet := func(s *Server) { s.finder.interval = time.Hour }
	a := start(t, new(fakechain.Chain), func(cfg *Config) { cfg.Discovery.Outbound = 1 }, quiet)
	b, c := start(t, new(fakechain.Chain), nil), start(t, new(fakechain.Chain), nil)
	learn(t, a, b, c)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	dialNow := func(now time.Time) connmgr.Dial {
		d, ok := a.nextDial(ctx, now)
		if ok {
			wg.Go(func() { a.runFound(ctx, d) })
		}
		return d
	}
	now := time.Now()
	if d := dialNow(now); d.Kind != connmgr.Full {
		t.Fatalf("%v", d)
	}
	eventually(t, "one peer", func() bool { return a.ConnectedCount() == 1 })
	first := a.Peers()[0].Addr
	now = now.Add(10 * time.Hour) // as the addresses' pauses and the tip go
	a.finder.chooser.Next(now, func(netaddr.Addr) bool { return true })
	if d := dialNow(now); d.Kind != connmgr.Extra {
		t.Fatalf("%v", d)
	}
	eventually(t, "two peers", func() bool { return a.ConnectedCount() == 2 })
	// The extra one brings a share.
	for _, o := range []*testServer{b, c} {
		if o.Addr().String() != first {
			o.mine(1, 5)
		}
	}
	eventually(t, "a share", func() bool { return a.chain.Len() == 1 })
	dialNow(now.Add(time.Hour))
	eventually(t, "one is let go", func() bool { return a.ConnectedCount() == 1 })
	if p := a.Peers()[0]; p.Addr == first {
		t.Error("the one with news was let go")
	}
}

// fakeDNS resolves names to addresses.
type fakeDNS map[string][]string

func (f fakeDNS) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if host == "hangs" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	list, ok := f[host]
	if !ok {
		return nil, errors.New("no such host")
	}
	var ips []netip.Addr
	for _, s := range list {
		ips = append(ips, netip.MustParseAddr(s))
	}
	return ips, nil
}

func TestSeeds(t *testing.T) {
	many := make([]string, 2000)
	for i := range many {
		many[i] = fmt.Sprintf("16.%d.%d.1", i/250, i%250)
	}
	dns := fakeDNS{"good": {"16.1.0.1", "2a00::1", "16.1.0.1"}, "many": many, "none": nil}
	tests := []struct {
		name    string
		seeds   []string
		fixed   []string
		outside int // connections to keep
		least   int // addresses that are known in the end
		most    int
	}{
		{"answer", []string{"good"}, []string{"16.7.0.1:5"}, 8, 2, 2},
		{"too many", []string{"many"}, nil, 8, 1, maxPerSeed},
		{"no answer", []string{"bad", "none", "hangs"}, []string{"16.7.0.1:5", "16.8.0.1"}, 8, 2, 2},
		{"none", nil, nil, 8, 0, 0},
		{"only fixed", nil, []string{"16.7.0.1:5"}, 8, 1, 1},
		{"nothing to find", []string{"good"}, []string{"16.7.0.1:5"}, 0, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dials := make(map[string]int)
				s := run(t, 2*time.Minute, func(cfg *Config) {
					cfg.Discovery = Discovery{Outbound: test.outside, DNSSeeds: test.seeds, FixedSeeds: test.fixed, Resolver: dns}
					cfg.Dial = counted(dials)
				})
				fresh, tried := s.finder.book.Len()
				if fresh < test.least || fresh > test.most || tried != 0 || (len(dials) > 0) != (test.least > 0) {
					t.Errorf("%d addresses, %d tried, dials %v", fresh, tried, dials)
				}
			})
		})
	}
	for _, text := range []string{"example.org:5", "1.2.3.4:99999"} {
		if _, err := New(Config{Params: testParams(t, "main"), Chain: new(fakechain.Chain), Discovery: Discovery{FixedSeeds: []string{text}}}); err == nil {
			t.Errorf("fixed seed %s is accepted", text)
		}
	}
}

// TestSeedsLast: a node that knows addresses asks the seeds only after it has
// tried them, and while it is alone again and again.
func TestSeedsLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers.dat")
	fillBook(t, path, "16.200.0.1:1")
	for life, want := range map[time.Duration]int{20 * time.Second: 0, time.Minute: 1, 35 * time.Minute: 4} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			run(t, life, func(cfg *Config) {
				cfg.Discovery = Discovery{Outbound: 8, File: path, DNSSeeds: []string{"seed"}, Resolver: countDNS{&asked}}
				cfg.Dial = counted(make(map[string]int))
			})
			if asked != want {
				t.Errorf("asked %d times in %v, want %d", asked, life, want)
			}
		})
	}
}

type countDNS struct{ n *int }

func (c countDNS) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	*c.n++
	return nil, errors.New("no such host")
}

func TestDiscoveryRefused(t *testing.T) {
	for name, d := range map[string]Discovery{
		"negative":            {Outbound: -1},
		"eleven of one's own": {External: make([]netaddr.Addr, maxRelayed+1)},
	} {
		if _, err := New(Config{Params: testParams(t, "main"), Chain: new(fakechain.Chain), Discovery: d}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestAddrFlood: a peer that tells as many addresses as its budget of bytes lets
// through at once gets in as many as its rate allows, costs no memory, and an honest
// peer is served meanwhile.
func TestAddrFlood(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil, hasty)
	honest := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "connected", func() bool { return a.ConnectedCount() == 1 })
	m := meet(t, a)
	eventually(t, "the flooder too", func() bool { return a.ConnectedCount() == 2 })
	before, _ := a.finder.book.Len()
	for i := range 4 { // 125 kB
		msg := new(message.Addr)
		for k := range message.MaxAddrs {
			n := uint32(0x10000000 + i<<17 + k<<4)
			ip := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
			msg.List = append(msg.List, netaddr.Record{Addr: netaddr.FromAddrPort(netip.AddrPortFrom(ip, 9)), Seen: uint32(time.Now().Unix())})
		}
		m.send(msg)
	}
	m.send(&message.GetAddr{})
	m.send(&message.GetAddr{})
	honest.mine(2, 3)
	eventually(t, "honest shares are taken", sameTip(a, honest))
	m.send(&message.Ping{Nonce: 99})
	answers := 0
	for {
		got, err := m.r.Next()
		if err != nil {
			t.Fatalf("the connection ended: %v", err)
		}
		if _, ok := got.(*message.Addr); ok {
			answers++
		}
		if pong, ok := got.(*message.Pong); ok && pong.Nonce == 99 {
			break
		}
	}
	after, _ := a.finder.book.Len()
	if after-before > 10 || answers > 1 {
		t.Errorf("%d addresses got in, %d answers to getaddr", after-before, answers)
	}
	t.Logf("4,000 addresses told, %d taken", after-before)
}

// TestHostileAddrs: what is malformed ends the connection.
func TestHostileAddrs(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	for name, payload := range map[string][]byte{
		"too many":     append([]byte{0xfd, 0xe9, 0x03}, make([]byte, 12_000)...),
		"wrong length": {1, 0, 0, 0, 0, 0, 1, 5, 1, 2, 3, 4, 5, 1, 0},
	} {
		m := meet(t, a)
		eventually(t, "connected", func() bool { return a.ConnectedCount() == 1 })
		m.Write(rawFrame(t, a, "addr", payload))
		eventually(t, name+" is dropped", func() bool { return a.ConnectedCount() == 0 })
	}
	m := meet(t, a)
	eventually(t, "connected", func() bool { return a.ConnectedCount() == 1 })
	m.Write(rawFrame(t, a, "addrme", []byte{0, 0}))
	eventually(t, "port 0 is dropped", func() bool { return a.ConnectedCount() == 0 })
}

// TestAddrMe: a node that is dialed learns where the dialer listens.
func TestAddrMe(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	b := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "a knows b", func() bool { return a.finder.book.Contains(addrOf(t, b)) })
	eventually(t, "b knows a", func() bool { return b.finder.book.Contains(addrOf(t, a)) })

	ext, err := netaddr.Parse("16.5.0.1:77", 0)
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, new(fakechain.Chain), func(cfg *Config) {
		dialing(a)(cfg)
		cfg.Discovery.External = []netaddr.Addr{ext}
	})
	eventually(t, "a knows c by its external address", func() bool { return a.finder.book.Contains(ext) })
	if a.finder.book.Contains(addrOf(t, c)) {
		t.Error("and by its other one")
	}
	silent := start(t, new(fakechain.Chain), func(cfg *Config) {
		dialing(a)(cfg)
		cfg.Listen = nil
	})
	eventually(t, "connected", func() bool { return silent.ConnectedCount() == 1 && a.ConnectedCount() == 3 })
	if m := silent.announcement(local, false); m != nil {
		t.Errorf("a node that doesn't listen announces %v", m)
	}
}

// rawFrame frames a payload that no encoder would make.
func rawFrame(t *testing.T, s *testServer, command string, payload []byte) []byte {
	t.Helper()
	b := binary.LittleEndian.AppendUint32(nil, uint32(s.cfg.Params.Magic))
	b = append(b, command...)
	b = append(b, make([]byte, 12-len(command))...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, chainhash.DoubleHashB(payload)[:4]...)
	return append(b, payload...)
}
