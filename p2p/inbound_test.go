package p2p

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/peer"
)

// hall is a server that is not run: only who gets in is decided.
type hall struct {
	*Server
	t   *testing.T
	now time.Time
}

func newHall(t *testing.T, slots int, whitelist ...netip.Prefix) *hall {
	t.Helper()
	s, err := New(Config{
		Params: testParams(t, "main"), Chain: new(fakechain.Chain), MaxInbound: slots,
		Bans: Bans{Whitelist: whitelist},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &hall{s, t, time.Unix(1_800_000_000, 0)}
}

// knock has a connection come a second later; settled says whether its handshake is
// done at once.
func (h *hall) knock(addr net.Addr, settled bool) (*caller, error) {
	h.now = h.now.Add(time.Second)
	c, err := h.admit(h.now, addr)
	if err == nil {
		c.pending = !settled
	}
	return c, err
}

// staying returns the number of connections that a function picks and that have not
// been told to go. Those that have are gone afterwards.
func (h *hall) staying(pick func(*caller) bool) (n int) {
	for c := range h.callers.list {
		if c.leaving {
			delete(h.callers.list, c)
		} else if pick(c) {
			n++
		}
	}
	return n
}

// TestInboundLimits: how many get in of 1,000 that come from one place.
func TestInboundLimits(t *testing.T) {
	v4 := func(format string) func(int) net.Addr {
		return func(i int) net.Addr { return tcpAddr(fmt.Sprintf(format, i/250, i%250)) }
	}
	white := netip.MustParsePrefix("16.9.0.0/16")
	tests := []struct {
		name    string
		addr    func(int) net.Addr
		pending bool // of all
		want    int
		err     error
	}{
		{"one host", func(i int) net.Addr { return tcpAddr(fmt.Sprintf("16.1.2.3:%d", 1+i)) }, false, MaxPerHost, errManyOfHost},
		{"one group", v4("16.1.%d.%d:9"), false, 14, errManyOfGroup},
		{"two groups", func(i int) net.Addr { return tcpAddr(fmt.Sprintf("16.%d.%d.1:9", i%2, i/4)) }, false, 28, errManyOfGroup},
		{"an IPv6 /64", v4("[2a00:1:2:3:%d::%d]:9"), false, MaxPerHost, errManyOfHost},
		{"an IPv6 /32", v4("[2a00:1:%d:%d::1]:9"), false, 14, errManyOfGroup},
		{"IPv4 in IPv6", v4("[::ffff:16.1.%d.%d]:9"), false, 14, errManyOfGroup},
		{"handshakes of a group", v4("16.1.%d.%d:9"), true, MaxPendingPerGroup, errManyPending},
		{"this machine", v4("127.0.%d.%d:9"), false, 114, nil},
		{"handshakes of this machine", v4("127.0.%d.%d:9"), true, MaxPendingPerGroup, errManyPending},
		{"hidden service", func(i int) net.Addr {
			return dialer.Remote{Text: fmt.Sprintf("onion:%d", i), Net: netaddr.TorV3}
		}, false, 114, nil},
		{"handshakes of a hidden service", func(i int) net.Addr {
			return dialer.Remote{Text: fmt.Sprintf("onion:%d", i), Net: netaddr.TorV3}
		}, true, maxPendingHidden, errManyPending},
		{"whitelisted", v4("16.9.%d.%d:9"), true, 114, errNobodyToGo},
		{"everywhere", func(i int) net.Addr { return tcpAddr(fmt.Sprintf("%d.%d.0.1:9", 16+i/250, i%250)) }, false, 114, nil},
	}
	for _, test := range tests {
		h := newHall(t, DefaultMaxInbound, white)
		var last error
		for i := range 1000 {
			if _, err := h.knock(test.addr(i), !test.pending); err != nil {
				last = err
			}
			h.staying(func(*caller) bool { return true })
		}
		got := h.staying(func(*caller) bool { return true })
		t.Logf("%-30s %3d of 1000 get in: %v", test.name, got, last)
		if got != test.want || !errors.Is(last, test.err) {
			t.Errorf("%s: %d get in, want %d; %v", test.name, got, test.want, last)
		}
		if _, err := h.knock(tcpAddr("77.1.2.3:9"), true); (err == nil) != (test.name != "whitelisted") {
			t.Errorf("%s: an honest node elsewhere: %v", test.name, err)
		}
	}
}

// TestFullHouse: what happens when all slots are taken.
func TestFullHouse(t *testing.T) {
	fill := func(h *hall, n int) (list []*caller) {
		for i := range n {
			c, err := h.knock(tcpAddr(fmt.Sprintf("%d.1.0.1:9", 16+i)), true)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, c)
		}
		return list
	}
	h := newHall(t, 30)
	list := fill(h, 30)
	// The latest brings a share: another goes.
	conn, _ := net.Pipe()
	p := peer.New(peer.Config{Conn: conn})
	list[29].attach(p)
	h.callers.noteNews(h.now, p)
	for i := range maxLeaving {
		if _, err := h.knock(tcpAddr(fmt.Sprintf("100.%d.0.1:9", i)), true); err != nil {
			t.Errorf("no. %d: %v", i, err)
		}
	}
	if list[29].leaving || list[0].leaving {
		t.Error("the wrong ones go")
	}
	// As long as those stay that were told to go, no others are.
	if _, err := h.knock(tcpAddr("101.1.0.1:9"), true); !errors.Is(err, errManyLeaving) || len(h.callers.list) != 30+maxLeaving {
		t.Errorf("%v, %d connections", err, len(h.callers.list))
	}
	h.staying(func(*caller) bool { return true })
	if _, err := h.knock(tcpAddr("101.1.0.1:9"), true); err != nil {
		t.Error(err)
	}
	// Whoever is told to go before he has a peer goes as soon as he has one.
	for c := range h.callers.list {
		if c.leaving {
			p := peer.New(peer.Config{Conn: conn})
			if c.attach(p); !ended(p) {
				t.Error("stays")
			}
		}
	}
	// Of a few slots all are worth keeping.
	h = newHall(t, 4)
	fill(h, 4)
	if _, err := h.knock(tcpAddr("101.1.0.1:9"), true); !errors.Is(err, errNobodyToGo) {
		t.Errorf("%v", err)
	}
}

// TestSiegeOfSlots prints who holds 114 slots when an attacker with k groups opens
// 1,000 connections while honest nodes come and stay.
func TestSiegeOfSlots(t *testing.T) {
	for _, k := range []int{1, 4, 8, 16, 64, 250} {
		h := newHall(t, DefaultMaxInbound)
		honest := make(map[*caller]bool)
		for i := range 1000 {
			h.knock(tcpAddr(fmt.Sprintf("16.%d.%d.%d:9", i%k, i/250, i%250)), true)
			if i%20 == 0 && len(honest) < 50 {
				if c, err := h.knock(tcpAddr(fmt.Sprintf("77.%d.0.1:9", i/20)), true); err == nil {
					honest[c] = true
					if i%100 == 0 {
						c.news = h.now
					}
				}
			}
			h.staying(func(*caller) bool { return true })
		}
		mine := func(c *caller) bool { return honest[c] }
		got, all := h.staying(mine), h.staying(func(*caller) bool { return true })
		t.Logf("%3d groups: the attacker has %3d slots, %d of 50 honest nodes stay", k, all-got, got)
		if k <= 8 && got < 46 || got < 10 || all-got > 14*k {
			t.Errorf("%d groups: %d honest of %d", k, got, all)
		}
	}
}

// farAway makes a server take connections from 127.x.y.z, but for 127.0.0.1, for such
// from 16.x.y.z.
func farAway(cfg *Config) {
	cfg.NetListen = func(network, addr string) (net.Listener, error) {
		l, err := net.Listen(network, addr)
		return farListener{l}, err
	}
}

type farListener struct{ net.Listener }

func (l farListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	addr := *conn.RemoteAddr().(*net.TCPAddr)
	if ip := addr.IP.To4(); ip != nil && !ip.Equal(net.IPv4(127, 0, 0, 1)) {
		addr.IP = net.IPv4(16, ip[1], ip[2], ip[3])
	}
	return farConn{conn, &addr}, nil
}

type farConn struct {
	net.Conn
	addr net.Addr
}

func (c farConn) RemoteAddr() net.Addr { return c.addr }

// TestFloodOfOneGroup: 500 nodes of one group shake hands over real sockets. They get
// their part of the slots; an honest peer is served before, meanwhile and after, and
// others still get in.
func TestFloodOfOneGroup(t *testing.T) {
	noLeaks(t)
	a := start(t, new(fakechain.Chain), farAway)
	honest := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "an honest peer", func() bool { return a.ConnectedCount() == 1 })
	for i := range 500 {
		m := visit(t, a, fmt.Sprintf("127.7.%d.%d", i/250, 1+i%250))
		v := &message.Version{Protocol: 1, Nonce: uint64(i), ChainID: a.cfg.Params.ChainID}
		frame, _ := message.AppendFrame(nil, a.cfg.Params.Magic, v)
		verack, _ := message.AppendFrame(nil, a.cfg.Params.Magic, &message.VerAck{})
		m.Write(append(frame, verack...)) // to those turned away in vain
		if i < DefaultMaxInbound/groupShare {
			m.next()
			m.next()
		}
		if i%100 == 0 {
			honest.mine(1, uint32(i))
			eventually(t, "honest shares", sameTip(a, honest))
		}
	}
	later := visit(t, a, "127.8.0.1")
	later.introduce(1000)
	later.send(&message.VerAck{})
	eventually(t, "the flood's part, and two honest ones", func() bool { return a.ConnectedCount() == DefaultMaxInbound/groupShare+2 })
	t.Logf("500 connections of one group: %d are left of %d slots", a.ConnectedCount()-2, DefaultMaxInbound)
	honest.mine(1, 999)
	eventually(t, "honest shares", sameTip(a, honest))
	for _, s := range []*testServer{honest, a} {
		s.stop()
	}
}

// TestEviction: when all slots are taken, a newcomer gets that of the largest
// group's youngest, who is told why in the log only.
func TestEviction(t *testing.T) {
	noLeaks(t)
	const slots = 40
	a := start(t, new(fakechain.Chain), func(cfg *Config) { farAway(cfg); cfg.MaxInbound = slots })
	enter := func(from string, nonce uint64) *stranger {
		m := visit(t, a, from)
		m.introduce(nonce)
		m.send(&message.VerAck{})
		m.next()
		return m
	}
	var flood []*stranger
	for i := range 32 { // eight from each of four groups
		flood = append(flood, enter(fmt.Sprintf("127.%d.0.%d", 20+i/8, 1+i), uint64(i)))
	}
	for i := range slots {
		enter(fmt.Sprintf("127.%d.0.1", 100+i), uint64(100+i))
		eventually(t, "settled", func() bool { return a.connections() <= slots })
	}
	count := func() (elsewhere int) {
		for _, p := range a.Peers() {
			if netip.MustParseAddrPort(p.Addr).Addr().As4()[1] >= 100 {
				elsewhere++
			}
		}
		return elsewhere
	}
	eventually(t, "full", func() bool { return a.ConnectedCount() == slots })
	t.Logf("of %d slots the flood of %d from four groups keeps %d, %d later ones from as many groups %d", slots, len(flood), slots-count(), slots, count())
	if count() < slots/3 {
		t.Errorf("%d of %d", count(), slots)
	}
	a.stop()
}

// TestWithoutSlotLimits: of 500 connections from one group, handshakes under way or done,
// as many are let in as it may have; all of them if the group is exempt.
func TestWithoutSlotLimits(t *testing.T) {
	const attempts, slots = 500, 114
	for _, test := range []struct {
		exempt, pending bool
		want            int
	}{
		{false, true, MaxPendingPerGroup}, {false, false, slots / groupShare}, {true, false, attempts},
	} {
		l := newCallers()
		for i := range attempts {
			c := &caller{host: fmt.Sprint(i), group: "one", exempt: test.exempt, pending: test.pending}
			if l.check(c, slots) == nil {
				l.list[c] = struct{}{}
			}
		}
		if got, _ := l.count(); got != test.want {
			t.Errorf("%+v: %d of %d are let in", test, got, attempts)
		}
	}
}
