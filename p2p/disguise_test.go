package p2p

import (
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/internal/fakesocks"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/netsync"
)

const (
	onionText = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion:9333"
	i2pText   = "ukeu3k5oycgaauneqgtnvselmt4yemvoilkln7jpvamvfx7dnkdq.b32.i2p:0"
)

func mustParse(t testing.TB, text string) netaddr.Addr {
	t.Helper()
	a, err := netaddr.Parse(text, 9333)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestShows: a peer hears of this node's addresses in its own network only.
func TestShows(t *testing.T) {
	addrs := []string{"8.1.2.3:1", "[2a00::1]:1", onionText, i2pText, "127.0.0.1:1"}
	for kind, want := range map[identity][2]string{ // outbound, inbound
		clearnet: {"yynny", "yynny"}, proxied: {"yynny", "yynny"}, local: {"yynny", "nnnny"},
		onion: {"nnynn", "nnynn"}, garlic: {"nnnyn", "nnnyn"},
	} {
		for i, inbound := range []bool{false, true} {
			var got strings.Builder
			for _, text := range addrs {
				if kind.shows(mustParse(t, text), inbound) {
					got.WriteByte('y')
				} else {
					got.WriteByte('n')
				}
			}
			if got.String() != want[i] {
				t.Errorf("%v, inbound %v: %s, want %s", kind, inbound, got.String(), want[i])
			}
		}
	}
}

// TestAnnouncement: without an address to name, only peers that see this node's own
// are told to take it.
func TestAnnouncement(t *testing.T) {
	bare := start(t, new(fakechain.Chain), nil)
	named := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.Discovery.External = []netaddr.Addr{mustParse(t, onionText), mustParse(t, "8.1.2.3:1")}
	})
	hidden := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.Listen = nil
		cfg.Hidden = []HiddenService{{"127.0.0.1:0", netaddr.TorV3}}
		cfg.Discovery.External = []netaddr.Addr{mustParse(t, onionText)}
	})
	port := addrOf(t, bare).Port()
	for kind := range numIdentities {
		for _, inbound := range []bool{false, true} {
			m := bare.announcement(kind, inbound)
			if me, ok := m.(*message.AddrMe); ok != (!inbound && (kind == clearnet || kind == local)) || m != nil && !ok || ok && me.Port != port {
				t.Errorf("%v, inbound %v: %+v", kind, inbound, m)
			}
			m = named.announcement(kind, inbound)
			list, _ := m.(*message.Addr)
			want := "8.1.2.3:1"
			switch {
			case kind == onion:
				want = onionText
			case kind == garlic, kind == local && inbound:
				want = ""
			}
			if (m != nil) != (want != "") || m != nil && (len(list.List) != 1 || list.List[0].Addr.String() != want) {
				t.Errorf("%v, inbound %v: %+v, want %q", kind, inbound, m, want)
			}
			if m != nil && kind.private() && list.List[0].Seen%uint32(announceStep/time.Second) != 0 {
				t.Errorf("%v: the clock shows in %d", kind, list.List[0].Seen)
			}
			if m := hidden.announcement(kind, inbound); (m != nil) != (kind == onion) {
				t.Errorf("only a hidden service, %v: %+v", kind, m)
			}
		}
	}
	if hidden.Addr() != nil {
		t.Error("a hidden service's port is shown as the node's")
	}
}

// spy connects to a node and returns what that says of itself: its version and all
// the addresses that it tells.
func spy(t *testing.T, addr string, routes dialer.Config) (*message.Version, map[netaddr.Addr]uint32) {
	t.Helper()
	s := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.Listen, cfg.AddNode, cfg.Routes = nil, []string{addr}, routes
	})
	eventually(t, "the spy is connected and told something", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.peers) == 1 && len(s.finder.book.Sample(100, 0)) > 0
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		told := make(map[netaddr.Addr]uint32)
		for _, r := range s.finder.book.Sample(100, 1000) {
			told[r.Addr] = r.Seen
		}
		delete(told, mustParse(t, addr)) // that it dialed
		return p.Version(), told
	}
	return nil, nil
}

// TestIdentities: a node that is met on the Internet, in Tor and in I2P says nothing
// of itself that is the same in two of them.
func TestIdentities(t *testing.T) {
	clear := netaddr.Addr{}
	n := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.Hidden = []HiddenService{{"127.0.0.1:0", netaddr.TorV3}, {"127.0.0.1:0", netaddr.I2P}}
		clear = mustParse(t, "127.0.0.9:77") // on regtest
		cfg.Discovery.External = []netaddr.Addr{clear, mustParse(t, onionText), mustParse(t, i2pText)}
	})
	tor := &fakesocks.Proxy{Route: func(fakesocks.Request) string { return n.listeners[1].Addr().String() }}
	tor.Start(t)
	i2p := &fakesocks.Proxy{Route: func(fakesocks.Request) string { return n.listeners[2].Addr().String() }}
	i2p.Start(t)
	routes := dialer.Config{Onion: tor.Addr(), I2P: i2p.Addr()}

	type sight struct {
		name, addr string
		own        netaddr.Addr
		version    *message.Version
		told       map[netaddr.Addr]uint32
	}
	sights := []*sight{
		{name: "the Internet", addr: n.Addr().String(), own: clear},
		{name: "Tor", addr: onionText, own: mustParse(t, onionText)},
		{name: "I2P", addr: "ukeu3k5oycgaauneqgtnvselmt4yemvoilkln7jpvamvfx7dnkdq.b32.i2p:9333", own: mustParse(t, i2pText)},
	}
	for _, s := range sights {
		s.version, s.told = spy(t, s.addr, routes)
		for _, other := range sights {
			if _, ok := s.told[other.own]; ok && other != s {
				t.Errorf("in %s it tells its address in %s", s.name, other.name)
			}
		}
		hidden := s.own != clear
		if (s.version.Time == 0) != hidden || (s.version.Port == 0) != hidden {
			t.Errorf("in %s: time %d, port %d", s.name, s.version.Time, s.version.Port)
		}
	}
	for i, a := range sights {
		for _, b := range sights[:i] {
			if a.version.Nonce == b.version.Nonce {
				t.Errorf("the same nonce in %s and %s", a.name, b.name)
			}
		}
	}
}

// TestAnswersDiffer: what getaddr is answered with in two networks shares neither
// choice nor times.
func TestAnswersDiffer(t *testing.T) {
	c := newChat(t)
	for i := range 3000 {
		c.finder.book.Add([]netaddr.Record{c.record(100+i, time.Duration(i)*time.Minute)}, at(5000+i))
	}
	answer := func(kind identity) map[netaddr.Addr]uint32 {
		c.ids++
		c.join(c.now, c.ids, true, kind, netaddr.Addr{}, 0)
		reply, _, _ := c.receive(c.now, c.ids, &message.GetAddr{})
		told := make(map[netaddr.Addr]uint32)
		for _, r := range reply.(*message.Addr).List {
			told[r.Addr] = r.Seen
		}
		return told
	}
	one, two, again := answer(clearnet), answer(onion), answer(clearnet)
	both, sameTime := 0, 0
	for a, seen := range one {
		if again[a] != seen {
			t.Fatalf("%v differs within a network", a)
		}
		if other, ok := two[a]; ok {
			both++
			if other == seen {
				sameTime++
			}
		}
		if record := c.finder.book.Contains(a); !record || seen > uint32(c.now.Unix()) {
			t.Errorf("%v of %d", a, seen)
		}
	}
	// By chance 23 % of them are in both, and one of them has the same time.
	t.Logf("%d and %d addresses, %d in both, %d of them with the same time", len(one), len(two), both, sameTime)
	if len(one) < 500 || len(two) != len(one) || both > len(one)/3 || sameTime > 5 {
		t.Error("the answers are alike")
	}
	if g := c.gossip; g.blur(5) != 5 || g.blur(0) != 0 {
		t.Error("times before 1970")
	}
}

// TestRelayWithin: an address goes on to those only who are reached the same way,
// and the node's own one like any other.
func TestRelayWithin(t *testing.T) {
	c := newChat(t)
	kinds := make(map[netsync.PeerID]identity)
	for i := range 40 {
		c.ids++
		kinds[c.ids] = identity(i % int(numIdentities))
		c.join(c.now, c.ids, i%2 == 0, kinds[c.ids], at(i), 1)
	}
	c.finder.own[at(101)] = true
	c.now = c.now.Add(time.Hour) // tokens
	for id, kind := range kinds {
		if id > netsync.PeerID(numIdentities) {
			continue
		}
		c.peers[id].asked = false
		n := 100 + int(id)
		c.finder.own[at(n)] = id%2 == 0
		if keep := c.tells(id, c.record(n, 0)); (len(keep) == 0) != c.finder.own[at(n)] {
			t.Errorf("kept %v", keep)
		}
		told := c.sent(10 * time.Minute)
		if len(told[at(n)]) != relayPeers {
			t.Errorf("%v: told %v", kind, told)
		}
		for _, to := range told[at(n)] {
			if kinds[to] != kind {
				t.Errorf("from %v to %v", kind, kinds[to])
			}
		}
	}
}

// TestSourceOfHidden: all who come in by a hidden service are one source to the
// address book.
func TestSourceOfHidden(t *testing.T) {
	c := newChat(t)
	sources := make(map[netaddr.Addr]bool)
	for i := range 10 {
		c.ids++
		c.join(c.now, c.ids, true, onion, netaddr.Addr{}, 1)
		_, keep, source := c.receive(c.now, c.ids, &message.Addr{List: []netaddr.Record{c.record(100+i, time.Hour)}})
		sources[source] = true
		if len(keep) != 1 || source.IsValid() {
			t.Errorf("%v of %v", keep, source)
		}
		if _, keep, _ := c.receive(c.now, c.ids, &message.AddrMe{Port: 9333}); keep != nil {
			t.Errorf("who has no address listens at %v", keep)
		}
	}
	if len(sources) != 1 {
		t.Errorf("%d sources", len(sources))
	}
}

// TestNoncesOfKinds: a nonce that was seen in one network opens no eyes in another.
func TestNoncesOfKinds(t *testing.T) {
	n := newNonces()
	for k := range numIdentities {
		if !n.own(k, n[k]) || n.own(k, rand.Uint64()) {
			t.Errorf("%v does not know itself", k)
		}
		for other := range numIdentities {
			if pair := []identity{k, other}; n.own(k, n[other]) != (k == other) && !slices.Contains(pair, local) {
				t.Errorf("%v knows the nonce of %v", k, other)
			}
		}
	}
	if got := identityOf(&net.TCPAddr{IP: net.IPv4(8, 1, 2, 3)}); got != clearnet {
		t.Errorf("%v", got)
	}
}
