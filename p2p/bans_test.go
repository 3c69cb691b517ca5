package p2p

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/connmgr"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/peer"
)

// masked makes the connections of a server look as if they came from an address
// that the test chooses before it dials.
type masked struct {
	net.Listener
	from *atomic.Value // string, a host
}

func (m *masked) Accept() (net.Conn, error) {
	conn, err := m.Listener.Accept()
	if err != nil {
		return nil, err
	}
	port := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Port()
	ip := netip.MustParseAddr(m.from.Load().(string))
	return &maskedConn{conn, net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, port))}, nil
}

type maskedConn struct {
	net.Conn
	remote net.Addr
}

func (c *maskedConn) RemoteAddr() net.Addr { return c.remote }

// guarded is a server that keeps a list of bans, and sees its callers come from
// anywhere.
type guarded struct {
	*testServer
	from atomic.Value
}

func startGuarded(t *testing.T, change func(*Config), tune ...func(*Server)) *guarded {
	t.Helper()
	g := new(guarded)
	g.from.Store("16.1.0.1")
	g.testServer = start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.Bans.Duration = time.Hour
		cfg.NetListen = func(network, addr string) (net.Listener, error) {
			l, err := net.Listen(network, addr)
			return &masked{l, &g.from}, err
		}
		if change != nil {
			change(cfg)
		}
	}, tune...)
	return g
}

// meetFrom connects from an address and waits until the server knows the peer.
func (g *guarded) meetFrom(t *testing.T, ip string) *stranger {
	t.Helper()
	g.from.Store(ip)
	before := g.ConnectedCount()
	m := meet(t, g.testServer)
	eventually(t, "connected from "+ip, func() bool { return g.ConnectedCount() == before+1 })
	return m
}

// refusedFrom reports whether the server hangs up on an address without a word.
func (g *guarded) refusedFrom(t *testing.T, ip string) bool {
	t.Helper()
	g.from.Store(ip)
	conn := dial(t, g.testServer)
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	frame, err := message.AppendFrame(nil, g.cfg.Params.Magic, &message.Version{Protocol: 1, Nonce: 1, ChainID: g.cfg.Params.ChainID})
	if err != nil {
		t.Fatal(err)
	}
	conn.Write(frame)
	n, err := io.ReadFull(conn, make([]byte, 1))
	conn.Close()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("neither served nor refused")
	}
	return n == 0
}

// offend sends a forged share and waits for the end.
func (g *guarded) offend(t *testing.T, m *stranger) {
	t.Helper()
	m.send(&message.Shares{Raw: [][]byte{fakechain.Forge(g.chain.Next(66)).Encode()}})
	if _, err := io.Copy(io.Discard, m); err != nil && !isReset(err) {
		t.Fatal(err)
	}
	m.Close()
}

// discouragedNow returns what the list has of addresses that broke a rule.
func discouragedNow(s *Server) (texts []string) {
	for _, e := range s.Banned() {
		if e.Automatic {
			texts = append(texts, e.Subject.String()+" "+e.Reason)
		}
	}
	return texts
}

// TestDiscouraged: a peer that sends an invalid share is disconnected, and refused
// when it returns while there is little room, also after a restart.
func TestDiscouraged(t *testing.T) {
	noLeaks(t)
	bans := Bans{File: filepath.Join(t.TempDir(), "banlist.json"), Duration: time.Hour}
	g := startGuarded(t, func(cfg *Config) { cfg.MaxInbound, cfg.Bans = 3, bans })
	bad, second := g.meetFrom(t, "16.1.0.1"), g.meetFrom(t, "16.1.0.1")
	g.offend(t, bad)
	eventually(t, "it is gone, and the other from there", func() bool { return g.ConnectedCount() == 0 })
	second.Close()
	if got := discouragedNow(g.Server); len(got) != 1 || got[0] != "16.1.0.1 ErrForged: the share is forged" {
		t.Fatalf("discouraged: %q", got)
	}

	again := g.meetFrom(t, "16.1.0.1") // there is plenty of room
	if p := g.Peers()[0]; p.Discouraged != "ErrForged: the share is forged" || p.Whitelisted {
		t.Errorf("%+v", p)
	}
	honest := g.meetFrom(t, "16.1.0.2")
	if p := g.Peers()[1]; p.Discouraged != "" {
		t.Errorf("%+v", p)
	}
	if !g.refusedFrom(t, "16.1.0.1") {
		t.Error("the last slot goes to a discouraged address")
	}
	last := g.meetFrom(t, "16.2.0.1")
	for _, m := range []*stranger{again, honest, last} {
		m.Close()
	}
	g.stop()

	g = startGuarded(t, func(cfg *Config) { cfg.MaxInbound, cfg.Bans = 1, bans })
	if !g.refusedFrom(t, "16.1.0.1") {
		t.Error("forgotten after a restart")
	}
	if got := discouragedNow(g.Server); len(got) != 1 || got[0] != "16.1.0.1 ErrForged: the share is forged" {
		t.Errorf("discouraged: %q", got)
	}
	g.meetFrom(t, "16.1.0.2").Close()
	eventually(t, "room", func() bool { return g.ConnectedCount() == 0 })
	if err := g.Unban("16.1.0.1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "forgiven", func() bool { return !g.refusedFrom(t, "16.1.0.1") })
	g.stop()
}

// TestSpared: these are disconnected for a violation, and that is all.
func TestSpared(t *testing.T) {
	white := []netip.Prefix{netip.MustParsePrefix("16.3.0.0/16")}
	for name, tc := range map[string]struct {
		from   string
		change func(*Config)
	}{
		"whitelisted":   {"16.3.0.1", func(cfg *Config) { cfg.Bans.Whitelist = white }},
		"loopback":      {"127.0.0.1", nil},
		"loopback v6":   {"::1", nil},
		"a named node":  {"16.1.0.1", func(cfg *Config) { cfg.AddNode = []string{"16.1.0.1:5"}; cfg.Dial = counted(make(map[string]int)) }},
		"without a ban": {"16.1.0.1", func(cfg *Config) { cfg.Bans.Duration = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGuarded(t, tc.change)
			g.offend(t, g.meetFrom(t, tc.from))
			eventually(t, "it is gone", func() bool { return g.ConnectedCount() == 0 })
			m := g.meetFrom(t, tc.from)
			if p := g.Peers()[0]; p.Discouraged != "" || p.Whitelisted != (name == "whitelisted") {
				t.Errorf("%+v", p)
			}
			if got := g.Banned(); len(got) != 0 {
				t.Errorf("%v", got)
			}
			m.Close()
		})
	}
	// Bytes altered on the way, garbage and silence are nobody's fault.
	g := startGuarded(t, nil)
	altered := g.meetFrom(t, "16.1.0.1")
	frame, _ := message.AppendFrame(nil, g.cfg.Params.Magic, &message.Ping{Nonce: 5})
	frame[len(frame)-1] ^= 1
	altered.Write(frame)
	eventually(t, "it is gone", func() bool { return g.ConnectedCount() == 0 })
	garbage := dial(t, g.testServer)
	garbage.Write(bytes.Repeat([]byte("x"), 1<<16))
	io.Copy(io.Discard, garbage)
	eventually(t, "all are gone", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.callers.list) == 0
	})
	if got := g.Banned(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// TestPunish goes through the reasons and addresses.
func TestPunish(t *testing.T) {
	broken := func(reason peer.Reason) error {
		return &peer.Error{Reason: reason, Err: errors.New("why")}
	}
	for _, tc := range []struct {
		addr string
		err  error
		want string
	}{
		{"16.1.0.1:5", broken(peer.ReasonMisbehaviour), "16.1.0.1 misbehaviour: why"},
		{"16.1.0.1:5", broken(peer.ReasonProtocol), "16.1.0.1 protocol violation: why"},
		{"[2a00:1:2:3:4::5]:6", broken(peer.ReasonProtocol), "2a00:1:2:3::/64 protocol violation: why"},
		{"[fe80::1%eth0]:6", broken(peer.ReasonProtocol), "fe80::1 protocol violation: why"},
		{"16.1.0.1:5", broken(peer.ReasonStalled), ""},
		{"16.1.0.1:5", broken(peer.ReasonSlow), ""},
		{"16.1.0.1:5", broken(peer.ReasonEncryption), ""},
		{"16.1.0.1:5", broken(peer.ReasonWrongNetwork), ""},
		{"16.1.0.1:5", broken(peer.ReasonHandshake), ""},
		{"16.1.0.1:5", broken(peer.ReasonIdle), ""},
		{"16.1.0.1:5", errors.New("no connection"), ""},
		{"16.1.0.1:5", nil, ""},
		{"onion:54321", broken(peer.ReasonProtocol), ""},
		{"pipe", broken(peer.ReasonProtocol), ""},
	} {
		s, err := New(Config{Params: testParams(t, "main"), Chain: new(fakechain.Chain), Bans: Bans{Duration: time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		s.punish(tc.addr, tc.err)
		if got := strings.Join(discouragedNow(s), ","); got != tc.want {
			t.Errorf("%s, %v: %q, want %q", tc.addr, tc.err, got, tc.want)
		}
	}
}

// TestDiscouragedFound: a found node that breaks a rule leaves the address book,
// and is not dialed when it comes back in.
func TestDiscouragedFound(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.V1Only = true
		cfg.Bans.Duration = time.Hour
		cfg.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
		}
	}, func(s *Server) { s.finder.interval = time.Hour })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for _, m := range []message.Message{&message.Version{Protocol: 1, Nonce: 1, ChainID: s.cfg.Params.ChainID}, &message.VerAck{}, &message.VerAck{}} {
			frame, _ := message.AppendFrame(nil, s.cfg.Params.Magic, m)
			conn.Write(frame)
		}
		io.Copy(io.Discard, conn)
	}()
	learn(t, s)
	a, err := netaddr.Parse("16.1.0.1:7", 0)
	if err != nil {
		t.Fatal(err)
	}
	s.finder.book.Add([]netaddr.Record{{Addr: a}}, a)
	s.runFound(t.Context(), connmgr.Dial{Addr: a, Kind: connmgr.Full})
	if got := discouragedNow(s.Server); len(got) != 1 || got[0] != "16.1.0.1 ErrRepeated: verack after the handshake" {
		t.Errorf("%q", got)
	}
	if s.finder.book.Contains(a) {
		t.Error("it is still in the book")
	}
	s.finder.book.Add([]netaddr.Record{{Addr: a}}, a)
	s.finder.chooser = connmgr.New(connmgr.Config{Book: s.finder.book, Full: 1})
	if d, ok := s.nextDial(t.Context(), time.Now()); ok {
		t.Errorf("dials %v", d)
	}
	s.ClearBans()
	if _, ok := s.nextDial(t.Context(), time.Now()); !ok {
		t.Error("not dialed when it is forgiven")
	}
}
