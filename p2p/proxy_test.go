package p2p

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/decred/slog"

	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/internal/fakesocks"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// noDNS fails the test if a name is looked up.
type noDNS struct{ t *testing.T }

func (d noDNS) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	d.t.Errorf("the DNS is asked for %s", host)
	return nil, errors.New("no such host")
}

// only makes a server fail the test if it dials anything but these addresses.
func only(t *testing.T, addrs ...string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !slices.Contains(addrs, addr) {
			t.Errorf("%s is dialed past the proxy", addr)
			return nil, errors.New("not allowed")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
}

// leading returns a proxy that leads hosts to servers' listeners, by index.
func leading(t *testing.T, hosts map[string]*testServer, listener int) *fakesocks.Proxy {
	p := &fakesocks.Proxy{Route: func(r fakesocks.Request) string {
		host, _, _ := net.SplitHostPort(r.Target)
		if s := hosts[host]; s != nil {
			return s.listeners[listener].Addr().String()
		}
		return ""
	}}
	p.Start(t)
	return p
}

// hiddenService returns a change of the configuration for a node that is reached by
// Tor only.
func hiddenService(t *testing.T) func(*Config) {
	return func(cfg *Config) {
		cfg.Listen = nil
		cfg.Hidden = []HiddenService{{"127.0.0.1:0", netaddr.TorV3}}
		cfg.Discovery.External = []netaddr.Addr{mustParse(t, onionText)}
	}
}

// TestTor: a node reaches another as xyz.onion through a proxy; both sync, and each
// sees the other as Tor's.
func TestTor(t *testing.T) {
	noLeaks(t)
	full := new(fakechain.Chain)
	full.Extend(300, 1)
	b := start(t, full, hiddenService(t))
	host, _, _ := strings.Cut(onionText, ":")
	tor := leading(t, map[string]*testServer{host: b}, 0)
	a := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.AddNode = []string{host}
		cfg.Routes.Onion = tor.Addr()
		cfg.Dial = only(t, tor.Addr())
	})
	eventually(t, "a syncs", sameTip(a, b))
	a.mine(2, 2)
	eventually(t, "b hears of a's shares", sameTip(a, b))
	in, out := b.Peers()[0], a.Peers()[0]
	if in.Network != netaddr.TorV3 || !in.Inbound || !strings.HasPrefix(in.Addr, "onion:") || in.SessionID == nil {
		t.Errorf("b sees %+v", in)
	}
	if out.Network != netaddr.TorV3 || out.Inbound || out.Addr != host+":29333" || out.ClockOffset != 0 || in.ClockOffset != 0 {
		t.Errorf("a sees %+v", out)
	}
	eventually(t, "a knows b by its own word", func() bool { return a.finder.book.Contains(mustParse(t, onionText)) })
	if fresh, tried := b.finder.book.Len(); fresh+tried != 0 {
		t.Error("b believes to know where a listens")
	}
	for s, want := range map[*testServer]NetworkState{
		a: {Network: netaddr.TorV3, Reachable: true, Proxy: tor.Addr(), Isolated: true, Outbound: 1},
		b: {Network: netaddr.TorV3, Inbound: 1},
	} {
		if info := s.NetworkInfo(); info.Networks[2] != want || info.Inbound != want.Inbound || info.Outbound != want.Outbound {
			t.Errorf("%+v, want %+v", info, want)
		}
	}
	if r := tor.Requests(); len(r) != 1 || r[0].Target != host+":29333" || r[0].User == "" {
		t.Errorf("%+v", r)
	}
	a.stop()
	b.stop()
	tor.Stop()
}

// TestTorSelf: a node that is led to its own hidden service notices, and dials it no
// more.
func TestTorSelf(t *testing.T) {
	hosts := make(map[string]*testServer)
	host, _, _ := strings.Cut(onionText, ":")
	tor := leading(t, hosts, 0)
	a := start(t, new(fakechain.Chain), hiddenService(t), func(s *Server) {
		s.cfg.Routes.Onion = tor.Addr()
		if err := s.buildDialer(); err != nil {
			t.Fatal(err)
		}
	})
	hosts[host] = a
	a.keepConnected(t.Context(), onionText) // returns
	if n := len(tor.Requests()); n != 1 {
		t.Errorf("%d dials", n)
	}
}

// TestProxyForAll: with a proxy nothing goes past it, and no name is looked up:
// named nodes, found ones and seeds.
func TestProxyForAll(t *testing.T) {
	seed := start(t, new(fakechain.Chain), nil)
	for _, text := range []string{"16.1.0.1:9333", "16.2.0.1:9333", onionText} {
		seed.finder.book.Add([]netaddr.Record{{Addr: mustParse(t, text), Seen: uint32(time.Now().Unix())}}, netaddr.Named("test"))
	}
	named := start(t, new(fakechain.Chain), nil)
	proxy := leading(t, map[string]*testServer{"seed.example.org": seed, "node.example.org": named, "8.1.2.3": named}, 0)
	a := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.Listen = nil
		cfg.AddNode = []string{"node.example.org:77"}
		cfg.Routes.Proxy = proxy.Addr()
		cfg.Dial = only(t, proxy.Addr())
		cfg.Discovery = Discovery{Outbound: 8, DNSSeeds: []string{"seed.example.org", "gone.example.org"}, Resolver: noDNS{t}}
	}, hasty)
	eventually(t, "the seed's addresses are tried", func() bool {
		asked := make(map[string]bool)
		for _, r := range proxy.Requests() {
			asked[r.Target] = true
		}
		return asked["16.1.0.1:9333"] && asked["16.2.0.1:9333"] && asked[onionText] && asked["node.example.org:77"] &&
			asked["seed.example.org:29333"] && asked["gone.example.org:29333"]
	})
	eventually(t, "the seed is left, the named node is not", func() bool { return seed.ConnectedCount() == 0 && a.ConnectedCount() == 1 })
	if p := a.Peers()[0]; p.Addr != "node.example.org:77" || p.Network != 0 {
		t.Errorf("%+v", p)
	}
	if p := named.Peers()[0]; p.ClockOffset != 0 {
		t.Errorf("the clock shows behind a proxy: %+v", p)
	}
	users := make(map[string]bool)
	for _, r := range proxy.Requests() {
		if users[r.User] || users[r.Password] || r.User == "" {
			t.Errorf("the same login again: %+v", r)
		}
		users[r.User], users[r.Password] = true, true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.finder.fetches) != 0 {
		t.Error("seeds are not forgotten")
	}
}

// TestSeedHangs: a seed that tells nothing holds a node up for two minutes at most.
func TestSeedHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		s := run(t, fetchTimeout+time.Second, func(cfg *Config) {
			cfg.Routes.Proxy = "proxy:1"
			cfg.Discovery = Discovery{Outbound: 8, DNSSeeds: []string{"seed"}, FixedSeeds: []string{"16.7.0.1:5"}, Resolver: noDNS{t}}
			cfg.Dial = func(ctx context.Context, _, addr string) (net.Conn, error) {
				if dials++; addr != "proxy:1" {
					t.Errorf("dials %s", addr)
				}
				<-ctx.Done()
				return nil, ctx.Err()
			}
		})
		if s.knownAddrs() != 1 {
			t.Error("no fixed seed instead")
		}
	})
}

// TestOnlyNet: found addresses of other networks are left alone, named ones aren't,
// and seeds, which know the Internet only, are not asked.
func TestOnlyNet(t *testing.T) {
	tor := leading(t, nil, 0)
	named := start(t, new(fakechain.Chain), nil)
	a := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.Listen = nil
		cfg.AddNode = []string{named.Addr().String()}
		cfg.Routes = dialer.Config{Onion: tor.Addr(), Only: []netaddr.Network{netaddr.TorV3}}
		cfg.Dial = only(t, tor.Addr(), named.Addr().String())
		cfg.Discovery = Discovery{Outbound: 8, DNSSeeds: []string{"seed"}, FixedSeeds: []string{"16.9.0.1:1", i2pText, onionText}, Resolver: noDNS{t}}
	}, hasty)
	eventually(t, "the onion address is dialed, and the named node", func() bool {
		return len(tor.Requests()) > 0 && a.ConnectedCount() == 1
	})
	time.Sleep(20 * a.finder.interval) // chances to dial the others
	for _, r := range tor.Requests() {
		if r.Target != onionText {
			t.Errorf("dialed %v", r)
		}
	}
	info := a.NetworkInfo()
	for i, want := range []string{"limited", "limited", "reachable", "limited", "limited"} {
		if n := info.Networks[i]; n.Limited != (want == "limited") || n.Reachable != (want == "reachable") {
			t.Errorf("%+v", n)
		}
	}
}

// TestProxyGone: that a proxy is out of reach is told once in ten minutes.
func TestProxyGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		var mu sync.Mutex
		backend := slog.NewBackend(writerFunc(func(b []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return out.Write(b)
		}))
		run(t, 35*time.Minute, func(cfg *Config) {
			cfg.AddNode = []string{onionText, "example.org"}
			cfg.Routes.Proxy = "127.0.0.1:9050"
			cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") }
			cfg.Log = backend.Logger("PEER")
			cfg.Log.SetLevel(slog.LevelWarn)
		})
		if n := strings.Count(out.String(), "the proxy 127.0.0.1:9050 cannot be reached: connection refused; is it running?"); n != 4 {
			t.Errorf("told %d times: %s", n, out.String())
		}
	})
}

// writerFunc is an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestManyByTor: those who come by a hidden service are not limited as one host.
func TestManyByTor(t *testing.T) {
	b := start(t, new(fakechain.Chain), hiddenService(t))
	host, _, _ := strings.Cut(onionText, ":")
	tor := leading(t, map[string]*testServer{host: b}, 0)
	const nodes = MaxPerHost + 4
	for i := range nodes {
		start(t, new(fakechain.Chain), func(cfg *Config) {
			cfg.Listen, cfg.AddNode, cfg.Routes.Onion = nil, []string{onionText}, tor.Addr()
		})
		eventually(t, "one more", func() bool { return b.ConnectedCount() == i+1 })
	}
}

// TestHiddenRefused: what cannot be a hidden service, and proxies that are none.
func TestHiddenRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"hidden service on IPv4": func(c *Config) { c.Hidden = []HiddenService{{"127.0.0.1:0", netaddr.IPv4}} },
		"proxy without a port":   func(c *Config) { c.Routes.Proxy = "127.0.0.1" },
	} {
		cfg := Config{Params: testParams(t, "main"), Chain: new(fakechain.Chain)}
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	// A port that is taken shows, and nothing stays open.
	a := start(t, new(fakechain.Chain), nil)
	s, err := New(Config{Params: testParams(t, "main"), Chain: new(fakechain.Chain), Listen: []string{"127.0.0.1:0"},
		Hidden: []HiddenService{{a.Addr().String(), netaddr.I2P}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(); err == nil || !strings.Contains(err.Error(), "already in use") || s.listeners != nil {
		t.Errorf("%v", err)
	}
}
