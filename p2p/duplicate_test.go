package p2p

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/compact"
	"github.com/p2poold/p2poold/p2p/connmgr"
	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/peer"
)

// countDials is a change that counts the dials of a server.
func countDials(n *atomic.Int32) func(*Config) {
	return func(cfg *Config) {
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			n.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	}
}

// connections returns the number of connections at a server, in whichever state.
func (s *testServer) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.callers.list)
	for _, p := range s.peers {
		if !p.Inbound() {
			n++
		}
	}
	return n
}

// oneLink reports whether two servers have one connection with each other and no
// other.
func oneLink(a, b *testServer) func() bool {
	return func() bool {
		pa, pb := a.Peers(), b.Peers()
		return len(pa) == 1 && len(pb) == 1 && pa[0].Inbound != pb[0].Inbound && a.connections() == 1 && b.connections() == 1
	}
}

// TestMutualDials: two nodes that dial each other at the same time end with one
// connection, and neither dials on and on. It is the one that the node with the
// lower nonce dialed.
func TestMutualDials(t *testing.T) {
	noLeaks(t)
	const rounds = 50
	most, lower := int32(0), 0
	for range rounds {
		var dials atomic.Int32
		a, b := start(t, new(fakechain.Chain), countDials(&dials)), start(t, new(fakechain.Chain), countDials(&dials))
		var wg sync.WaitGroup
		for _, pair := range [][2]*testServer{{a, b}, {b, a}} {
			wg.Go(func() {
				if err := pair[0].AddNode(pair[1].Addr().String()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		eventually(t, "one link", oneLink(a, b))
		settled := dials.Load()
		a.mine(1, 1)
		eventually(t, "which works", sameTip(a, b))
		time.Sleep(10 * time.Millisecond) // ten pauses between dials
		if !oneLink(a, b)() || dials.Load() > settled+1 {
			t.Fatalf("%d peers, %d and %d connections; %d dials, then %d", a.ConnectedCount(), a.connections(), b.connections(), settled, dials.Load())
		}
		if (a.nonces[local] < b.nonces[local]) == !a.Peers()[0].Inbound {
			lower++
		}
		most = max(most, dials.Load())
		a.stop()
		b.stop()
	}
	t.Logf("%d pairs: one connection each, at most %d dials; in %d of them the lower nonce dialed", rounds, most, lower)
	if lower < rounds/2 { // where one dial came much later it was not made at all
		t.Errorf("only %d pairs kept the connection of the lower nonce", lower)
	}
}

// TestMutualReconnect: when the connection ends, the two find together again, and
// when one node is gone, the other goes on dialing.
func TestMutualReconnect(t *testing.T) {
	var dials atomic.Int32
	a := start(t, new(fakechain.Chain), countDials(&dials))
	b := start(t, new(fakechain.Chain), dialing(a))
	if err := a.AddNode(b.Addr().String()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one link", oneLink(a, b))
	for range 5 {
		before := a.Peers()[0].ID
		a.mu.Lock()
		for _, p := range a.peers {
			p.Disconnect(peer.ReasonRequested, nil)
		}
		a.mu.Unlock()
		eventually(t, "one link again", func() bool { return oneLink(a, b)() && a.Peers()[0].ID != before })
	}
	b.stop()
	before := dials.Load()
	eventually(t, "a dials on", func() bool { return dials.Load() > before+3 })
}

// TestTwoNames: a node that is named twice is connected once. When the older
// connection ends, the other name takes its turn.
func TestTwoNames(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	var dials atomic.Int32
	b := start(t, new(fakechain.Chain), func(cfg *Config) {
		countDials(&dials)(cfg)
		real := cfg.Dial
		cfg.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return real(ctx, network, a.Addr().String())
		}
		cfg.AddNode = []string{"one.test:1", "two.test:2", "three.test:3"}
	})
	eventually(t, "all were dialed, and one remains", func() bool { return dials.Load() >= 3 && oneLink(a, b)() })
	settled := dials.Load()
	time.Sleep(20 * time.Millisecond)
	if !oneLink(a, b)() || dials.Load() > settled {
		t.Errorf("%d and %d connections, %d dials after %d", a.connections(), b.connections(), dials.Load(), settled)
	}
}

// visit connects to a server from an address of this machine, without any handshake.
func visit(t *testing.T, s *testServer, from string) *stranger {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Skipf("cannot dial from %s: %v", from, err)
	}
	t.Cleanup(func() { conn.Close() })
	return &stranger{conn, t, s, message.NewReader(conn, s.cfg.Params.Magic)}
}

// introduce sends a version message with a nonce and reads the answer.
func (m *stranger) introduce(nonce uint64) {
	m.t.Helper()
	m.send(&message.Version{Protocol: 1, Nonce: nonce, ChainID: m.s.cfg.Params.ChainID, Mode: message.LowLatency})
	m.next()
}

// impostor connects to a server from a host of this machine with a nonce.
func impostor(t *testing.T, s *testServer, from string, nonce uint64) *stranger {
	t.Helper()
	m := visit(t, s, from)
	m.introduce(nonce)
	m.send(&message.VerAck{})
	m.next()
	return m
}

// TestStolenNonce: whoever shows another node's nonce from another host pushes
// nobody out, whichever side dialed and whosever nonce is lower. From the same host
// he gets no further than next to an inbound connection.
func TestStolenNonce(t *testing.T) {
	for name, test := range map[string]struct {
		weDial, lower bool
		from          string
	}{
		"dialed, lower":    {true, true, "127.0.0.2"},
		"dialed, higher":   {true, false, "127.0.0.2"},
		"inbound, lower":   {false, true, "127.0.0.2"},
		"inbound, higher":  {false, false, "127.0.0.2"},
		"inbound, at host": {false, false, "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			victim := uint64(1)
			if !test.lower {
				victim = 1<<64 - 1
			}
			nonce := func(n uint64) func(*Server) { return func(s *Server) { s.nonces[local] = n } }
			a := start(t, new(fakechain.Chain), nil, nonce(1<<63))
			b := start(t, new(fakechain.Chain), nil, nonce(victim))
			dials, to := a, b
			if !test.weDial {
				dials, to = b, a
			}
			if err := dials.AddNode(to.Addr().String()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "connected", oneLink(a, b))
			before := a.Peers()[0].ID
			impostor(t, a, test.from, victim)
			eventually(t, "the impostor too", func() bool { return a.ConnectedCount() == 2 })
			b.mine(2, 1)
			eventually(t, "the honest one is still there", sameTip(a, b))
			if peers := a.Peers(); len(peers) != 2 || peers[0].ID != before || b.ConnectedCount() != 1 {
				t.Errorf("%+v", peers)
			}
		})
	}
}

// TestStolenTellings: whoever shows another node's nonce from another host, as often as a
// node is told of an open block, keeps nothing from it.
func TestStolenTellings(t *testing.T) {
	const victim = 4711
	a := start(t, new(fakechain.Chain), nil)
	a.mine(1, 1)
	a.FoundBlock(a.block(nil))
	for i := range 5 {
		m := impostor(t, a, "127.0.0.2", victim)
		for told := false; i < 3 && !told; {
			got, err := m.r.Next()
			if err != nil {
				t.Fatal(err)
			}
			_, told = got.(*message.Block)
		}
		m.Close()
	}
	var submitted atomic.Int64
	start(t, new(fakechain.Chain), func(cfg *Config) { dialing(a)(cfg); cfg.Blocks = anyBlocks{&submitted} },
		func(s *Server) { s.nonces[local] = victim })
	eventually(t, "the honest node submits", func() bool { return submitted.Load() == 1 })
}

// TestOriginOf: what is counted together for the limits on telling of blocks.
func TestOriginOf(t *testing.T) {
	s := start(t, new(fakechain.Chain), nil)
	origin := func(addr net.Addr, nonce uint64) compact.Origin {
		if nonce == 0 {
			return s.originOf(addr, node{})
		}
		host, _, _ := net.SplitHostPort(addr.String())
		return s.originOf(addr, node{identityOf(addr), host, nonce})
	}
	tor := func(text string) net.Addr { return dialer.Remote{Text: text, Net: netaddr.TorV3} }
	i2p := dialer.Remote{Text: "i2p:1", Net: netaddr.I2P}
	through := dialer.Remote{Text: "16.1.0.1:1", Net: netaddr.IPv4, Proxied: true}
	for name, test := range map[string]struct {
		a, b       compact.Origin
		node, host bool // that both are taken for the same
		crowd      bool // that there may be many
	}{
		"one node":        {origin(tcpAddr("16.1.0.1:1"), 1), origin(tcpAddr("16.1.0.1:2"), 1), true, true, false},
		"another nonce":   {origin(tcpAddr("16.1.0.1:1"), 1), origin(tcpAddr("16.1.0.1:2"), 2), false, true, false},
		"another host":    {origin(tcpAddr("16.1.0.1:1"), 1), origin(tcpAddr("16.1.0.2:1"), 1), false, false, false},
		"another way":     {origin(tcpAddr("16.1.0.1:1"), 1), origin(through, 1), false, false, false},
		"one /64":         {origin(tcpAddr("[2a00::1]:1"), 1), origin(tcpAddr("[2a00::2]:1"), 1), false, true, false},
		"this machine":    {origin(tcpAddr("127.0.0.1:1"), 1), origin(tcpAddr("127.0.0.1:2"), 2), false, true, true},
		"hidden callers":  {origin(tor("onion:1"), 0), origin(tor("onion:2"), 0), true, true, true},
		"of two networks": {origin(tor("onion:1"), 0), origin(i2p, 0), true, false, true},
	} {
		if node, host := test.a.Node == test.b.Node, test.a.Host == test.b.Host; node != test.node || host != test.host || test.a.Crowd != test.crowd {
			t.Errorf("%s: %+v and %+v", name, test.a, test.b)
		}
	}
}

// TestOwnNonceElsewhere: this node's nonce of one kind of network is nothing special
// on others, or it would show that both are one node.
func TestOwnNonceElsewhere(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	impostor(t, a, "127.0.0.1", a.nonces[clearnet])
	eventually(t, "connected", func() bool { return a.ConnectedCount() == 1 })
	m := visit(t, a, "127.0.0.1")
	m.introduce(a.nonces[local])
	if _, err := m.r.Next(); err == nil {
		t.Error("the own nonce on this machine is not noticed")
	}
	seen := make(map[uint64]bool)
	for k := range numIdentities {
		seen[a.nonces[k]] = true
		if !a.nonces.own(k, a.nonces[k]) || a.nonces.own(clearnet, a.nonces[k]) != (k == clearnet) ||
			a.nonces.own(onion, a.nonces[k]) != (k == onion || k == local) || a.nonces.own(k, 12345) {
			t.Errorf("kind %d", k)
		}
	}
	if len(seen) != int(numIdentities) {
		t.Errorf("%d nonces", len(seen))
	}
}

// tcpAddr is a TCP address by its text.
func tcpAddr(text string) net.Addr { return net.TCPAddrFromAddrPort(mustAddrPort(text)) }

func TestIdentityOf(t *testing.T) {
	for _, test := range []struct {
		addr net.Addr
		want identity
	}{
		{tcpAddr("192.0.2.1:1"), clearnet}, {tcpAddr("10.0.0.1:1"), clearnet}, {tcpAddr("[2001:db8::1]:1"), clearnet},
		{tcpAddr("127.0.0.1:1"), local}, {tcpAddr("[::1]:1"), local}, {tcpAddr("[::ffff:127.0.0.9]:1"), local},
		{dialer.Remote{Text: "onion:77", Net: netaddr.TorV3}, onion},
		{dialer.Remote{Text: "x.onion:77", Net: netaddr.TorV3, Proxied: true}, onion},
		{dialer.Remote{Text: "i2p:77", Net: netaddr.I2P}, garlic},
		{dialer.Remote{Text: "16.1.0.1:77", Net: netaddr.IPv4, Proxied: true}, proxied},
		{dialer.Remote{Text: "name.test:77", Proxied: true}, proxied},
	} {
		if got := identityOf(test.addr); got != test.want {
			t.Errorf("%v is of kind %d, want %d", test.addr, got, test.want)
		}
	}
}

// TestFoundTwice: a found node that is connected already is not connected again,
// and takes no slot for long.
func TestFoundTwice(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	b := start(t, new(fakechain.Chain), dialing(a), func(s *Server) { s.nonces[local] = 0 })
	eventually(t, "connected", oneLink(a, b))
	learn(t, b, a)
	d := b.dialAndRun(t.Context(), a.Addr().String(), link{ready: func(*peer.Peer) {}})
	if e, ok := errors.AsType[*peer.Error](d.err); !ok || e.Reason != peer.ReasonDuplicate || e.Reason.Violation() {
		t.Errorf("%v", d.err)
	}
	a.runFound(t.Context(), connmgr.Dial{Addr: addrOf(t, b), Kind: connmgr.Full})
	if len(a.finder.found) != 0 {
		t.Error("a slot is taken")
	}
	eventually(t, "the first one stays", func() bool { return oneLink(a, b)() && a.Peers()[0].Inbound })
}
