package p2p

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/p2poold/p2poold/p2p/addrmgr"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/netsync"
)

// chat is a gossip on time that only the test moves.
type chat struct {
	*gossip
	t   testing.TB
	now time.Time
	ids netsync.PeerID
}

func newChat(t testing.TB) *chat {
	c := &chat{t: t, now: time.Unix(1_800_000_000, 0)}
	f := &finder{own: make(map[netaddr.Addr]bool)}
	f.book = addrmgr.New(addrmgr.Config{Now: func() time.Time { return c.now }, Rand: rand.New(rand.NewPCG(1, 2))})
	c.gossip = newGossip(rand.New(rand.NewPCG(3, 4)), f)
	return c
}

// at returns the nth routable address, each in a group of its own.
func at(n int) netaddr.Addr {
	b := binary.BigEndian.AppendUint32(nil, 0x10000001+uint32(n%0xc000)<<16+uint32(n/0xc000))
	return netaddr.FromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte(b)), 9333))
}

// meet adds a peer that speaks of addresses.
func (c *chat) meet(n int, inbound bool) (netsync.PeerID, []telling) {
	c.ids++
	first := c.join(c.now, c.ids, inbound, clearnet, at(n), 1)
	c.peers[c.ids].speaks = true
	return c.ids, first
}

func (c *chat) record(n int, age time.Duration) netaddr.Record {
	return netaddr.Record{Addr: at(n), Seen: uint32(c.now.Add(-age).Unix())}
}

// tells has a peer tell addresses and returns those for the book.
func (c *chat) tells(id netsync.PeerID, list ...netaddr.Record) []netaddr.Record {
	_, keep, _ := c.receive(c.now, id, &message.Addr{List: list})
	return keep
}

// sent lets so much time pass and returns who was told which addresses.
func (c *chat) sent(d time.Duration) map[netaddr.Addr][]netsync.PeerID {
	told := make(map[netaddr.Addr][]netsync.PeerID)
	for end := c.now.Add(d); c.now.Before(end); c.now = c.now.Add(time.Second) {
		for _, m := range c.tick(c.now) {
			if list := m.msg.(*message.Addr).List; len(list) > maxRelayed {
				c.t.Fatalf("%d addresses in one message", len(list))
			} else {
				for _, r := range list {
					told[r.Addr] = append(told[r.Addr], m.to)
				}
			}
		}
	}
	return told
}

// TestAddrRate: one address at once, then one in ten seconds; after a getaddr of
// ours a thousand more.
func TestAddrRate(t *testing.T) {
	c := newChat(t)
	in, _ := c.meet(1, true)
	out, first := c.meet(2, false)
	if len(first) != 1 || first[0].msg.Command() != message.CmdGetAddr {
		t.Errorf("an outbound peer is told %v", first)
	}
	flood := func(id netsync.PeerID, n int) int {
		list := make([]netaddr.Record, n)
		for i := range list {
			list[i] = c.record(100+i, time.Hour)
		}
		return len(c.tells(id, list...))
	}
	for i, want := range []struct {
		after   time.Duration
		in, out int
	}{{0, 1, 1000}, {0, 0, 1}, {10 * time.Second, 1, 1}, {time.Minute, 6, 6}, {30 * 24 * time.Hour, 1000, 1000}, {0, 0, 0}, {-time.Hour, 0, 0}} {
		c.now = c.now.Add(want.after)
		if a, b := flood(in, 1000), flood(out, 1000); a != want.in || b != want.out {
			t.Errorf("step %d: %d of the inbound peer, %d of the other, want %+v", i, a, b, want)
		}
	}
	if p := c.peers[in]; p.taken != 1008 || p.dropped != 7000-1008 {
		t.Errorf("%d taken, %d dropped", p.taken, p.dropped)
	}
}

// TestAddrKept: what does not get into the book.
func TestAddrKept(t *testing.T) {
	c := newChat(t)
	id, _ := c.meet(1, false)
	own := at(50)
	c.finder.own[own] = true
	parse := func(s string) netaddr.Addr {
		a, err := netaddr.Parse(s, 9333)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	onion := parse("pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion")
	now := uint32(c.now.Unix())
	keep := c.tells(id,
		netaddr.Record{Addr: own, Seen: now}, netaddr.Record{Addr: at(2).WithPort(0), Seen: now},
		netaddr.Record{Addr: parse("127.0.0.1"), Seen: now}, netaddr.Record{Addr: onion, Seen: now},
		netaddr.Record{Addr: at(3), Seen: now}, netaddr.Record{Addr: at(4), Seen: now + 86400*365}, netaddr.Record{})
	if len(keep) != 2 || keep[0].Addr == keep[1].Addr {
		t.Errorf("kept %v", keep)
	}
	if reply, keep, _ := c.receive(c.now, 99, &message.GetAddr{}); reply != nil || keep != nil {
		t.Error("an unknown peer is answered")
	}
}

// TestRelay: a small message with fresh addresses goes to two peers, the same ones
// all day, and not back.
func TestRelay(t *testing.T) {
	c := newChat(t)
	src, _ := c.meet(1, true)
	var all []netsync.PeerID
	for i := range 20 {
		id, _ := c.meet(10+i, i%2 == 0)
		all = append(all, id)
	}
	c.now = c.now.Add(time.Hour) // tokens
	targets := make(map[netsync.PeerID]int)
	for n := range 20 {
		c.tells(src, c.record(100+n, time.Minute))
		told := c.sent(10 * time.Minute)
		if len(told) != 1 || len(told[at(100+n)]) != relayPeers || slices.Contains(told[at(100+n)], src) {
			t.Fatalf("told %v", told)
		}
		for _, id := range told[at(100+n)] {
			targets[id]++
		}
	}
	if len(targets) < 10 {
		t.Errorf("20 addresses went to %d of 20 peers", len(targets))
	}
	// Repeated by another it goes nowhere: the two know it.
	again := c.sent(time.Minute)
	c.tells(all[3], c.record(119, time.Minute))
	for a, ids := range c.sent(time.Hour) {
		again[a] = append(again[a], ids...)
	}
	if len(again[at(119)]) > 1 { // one, if all[3] was one of the two
		t.Errorf("told again: %v", again)
	}
}

// TestRelaySilent: a peer that never spoke of addresses is not told any, so that of
// two peers an address goes to both; and it is one of them once it has spoken.
func TestRelaySilent(t *testing.T) {
	for _, speaks := range []bool{false, true} {
		c := newChat(t)
		src, _ := c.meet(1, true)
		silent, first := c.meet(2, true)
		c.peers[silent].speaks = false
		other, _ := c.meet(3, true)
		if len(first) != 0 {
			t.Errorf("told at once: %v", first)
		}
		if speaks {
			c.receive(c.now, silent, &message.GetAddr{})
		}
		c.now = c.now.Add(time.Hour)
		c.tells(src, c.record(100, 0))
		got := c.sent(10 * time.Minute)[at(100)]
		slices.Sort(got)
		if want := []netsync.PeerID{silent, other}; speaks && !slices.Equal(got, want) || !speaks && !slices.Equal(got, want[1:]) {
			t.Errorf("it has spoken %v: told %v", speaks, got)
		}
	}
}

func TestNotRelayed(t *testing.T) {
	for name, list := range map[string]func(c *chat) []netaddr.Record{
		"old":        func(c *chat) []netaddr.Record { return []netaddr.Record{c.record(100, 11*time.Minute)} },
		"future":     func(c *chat) []netaddr.Record { return []netaddr.Record{c.record(100, -11*time.Minute)} },
		"far future": func(c *chat) []netaddr.Record { return []netaddr.Record{{Addr: at(100), Seen: 1<<32 - 1}} },
		"no time":    func(c *chat) []netaddr.Record { return []netaddr.Record{{Addr: at(100)}} },
		"port 0": func(c *chat) []netaddr.Record {
			r := c.record(100, 0)
			r.Addr = r.Addr.WithPort(0)
			return []netaddr.Record{r}
		},
		"too many": func(c *chat) (l []netaddr.Record) {
			for i := range maxRelayed + 1 {
				l = append(l, c.record(100+i, 0))
			}
			return l
		},
	} {
		c := newChat(t)
		src, _ := c.meet(1, true)
		c.meet(2, true)
		c.meet(3, false)
		c.now = c.now.Add(time.Hour)
		c.tells(src, list(c)...)
		if told := c.sent(10 * time.Minute); len(told) != 0 {
			t.Errorf("%s: told %v", name, told)
		}
	}
	// Nor is the answer to our getaddr, however short.
	c := newChat(t)
	asked, _ := c.meet(1, false)
	c.meet(2, true)
	c.tells(asked, c.record(100, 0))
	if told := c.sent(10 * time.Minute); len(told) != 0 {
		t.Errorf("an answer is passed on: %v", told)
	}
	c.tells(asked, c.record(101, 0))
	if told := c.sent(10 * time.Minute); len(told) != 1 {
		t.Errorf("what came after the answer isn't: %v", told)
	}
}

// TestRelayFar: addresses that this node can't dial go to one peer, and not into
// the book.
func TestRelayFar(t *testing.T) {
	c := newChat(t)
	src, _ := c.meet(1, true)
	for i := range 5 {
		c.meet(2+i, true)
	}
	onion, err := netaddr.Parse("pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion", 9333)
	if err != nil {
		t.Fatal(err)
	}
	if keep := c.tells(src, netaddr.Record{Addr: onion, Seen: uint32(c.now.Unix())}); keep != nil {
		t.Errorf("kept %v", keep)
	}
	if told := c.sent(10 * time.Minute); len(told[onion]) != relayPeersFar {
		t.Errorf("told %v", told)
	}
}

// TestGetAddr: one answer in a connection, to inbound peers only, the same for all
// of them for a day.
func TestGetAddr(t *testing.T) {
	c := newChat(t)
	var list []netaddr.Record
	for i := range 3000 {
		list = append(list, c.record(100+i, time.Hour))
	}
	c.finder.book.Add(list, at(1))
	for i := range 60 { // other sources bring in what one cannot
		c.finder.book.Add(list, at(5000+i))
	}
	size, _ := c.finder.book.Len()
	get := func(id netsync.PeerID) []netaddr.Record {
		reply, _, _ := c.receive(c.now, id, &message.GetAddr{})
		if reply == nil {
			return nil
		}
		return reply.(*message.Addr).List
	}
	a, _ := c.meet(2, true)
	first := get(a)
	if len(first) != size*getAddrPercent/100 || get(a) != nil {
		t.Errorf("%d of %d addresses, or twice", len(first), size)
	}
	begin := c.now
	c.now = c.now.Add(36 * time.Hour) // there is a new answer, but not for a
	if get(a) != nil {
		t.Error("a second answer in one connection")
	}
	c.now = begin
	c.answers[clearnet].until = begin.Add(answerLife)
	c.answers[clearnet].list = first
	if out, _ := c.meet(3, false); get(out) != nil {
		t.Error("an outbound peer is answered")
	}
	seen := make(map[netaddr.Addr]bool)
	for i := range 100 { // a spy comes again and again
		id, _ := c.meet(10+i, true)
		for _, r := range get(id) {
			seen[r.Addr] = true
		}
		c.leave(id)
		c.now = c.now.Add(10 * time.Minute)
	}
	if len(seen) != len(first) {
		t.Errorf("a hundred connections show %d addresses, one %d", len(seen), len(first))
	}
	c.now = c.now.Add(12 * time.Hour)
	id, _ := c.meet(999, true)
	if again := get(id); len(again) == 0 || slices.Equal(again, first) {
		t.Error("the same answer after a day")
	}
	t.Logf("book of %d: an answer has %d, a hundred in 17 hours together %d", size, len(first), len(seen))
}

// TestGetAddrSmall: a small book is told in large part, and anew as it grows.
func TestGetAddrSmall(t *testing.T) {
	c := newChat(t)
	last := 0
	for n := range 200 {
		id, _ := c.meet(1000+n, true)
		reply, _, _ := c.receive(c.now, id, &message.GetAddr{})
		got := 0
		if reply != nil {
			got = len(reply.(*message.Addr).List)
		}
		if got > max(getAddrLeast, n*getAddrPercent/100) || got < min(n, getAddrLeast)/2 || got < last {
			t.Errorf("%d of %d addresses, before %d", got, n, last)
		}
		last = got
		c.finder.book.Add([]netaddr.Record{c.record(n, 0)}, at(5000+n))
	}
}

// TestAddrMeMessage: the receiver takes the address it sees, with the port told.
func TestAddrMeMessage(t *testing.T) {
	c := newChat(t)
	in, _ := c.meet(1, true)
	out, _ := c.meet(2, false)
	c.meet(3, true)
	c.meet(4, true)
	_, keep, source := c.receive(c.now, in, &message.AddrMe{Port: 77})
	want := at(1).WithPort(77)
	if len(keep) != 1 || keep[0].Addr != want || keep[0].Services != 1 || source.WithPort(0) != want.WithPort(0) {
		t.Errorf("kept %v from %v", keep, source)
	}
	if told := c.sent(10 * time.Minute); len(told[want]) != relayPeers {
		t.Errorf("told %v", told)
	}
	if _, keep, _ := c.receive(c.now, out, &message.AddrMe{Port: 77}); keep != nil {
		t.Errorf("an outbound peer changes its port: %v", keep)
	}
	for port := range 1000 { // it claims to listen everywhere
		c.receive(c.now, in, &message.AddrMe{Port: uint16(port + 1)})
	}
	if p := c.peers[in]; p.taken > 100 {
		t.Errorf("%d announcements were taken", p.taken)
	}
	c.ids++
	pipe := c.ids
	c.join(c.now, pipe, true, onion, netaddr.Addr{}, 0)
	if _, keep, _ := c.receive(c.now, pipe, &message.AddrMe{Port: 1}); keep != nil {
		t.Errorf("a peer without an address has one: %v", keep)
	}
}

// TestAnnounce: this node's address is told at the start and about once a day.
func TestAnnounce(t *testing.T) {
	c := newChat(t)
	c.announce = func(_ identity, inbound bool) message.Message {
		if inbound {
			return nil
		}
		return &message.AddrMe{Port: 5}
	}
	if _, first := c.meet(1, true); len(first) != 0 {
		t.Errorf("an inbound peer is told %v", first)
	}
	if _, first := c.meet(2, false); len(first) != 2 {
		t.Errorf("an outbound peer is told %v", first)
	}
	told := 0
	for end := c.now.Add(30 * 24 * time.Hour); c.now.Before(end); c.now = c.now.Add(time.Minute) {
		told += len(c.tick(c.now))
	}
	if told < 15 || told > 50 {
		t.Errorf("announced %d times in 30 days", told)
	}
}

// TestGossipBounds: however much is told by however many, a peer's part of the
// memory is bounded, and nothing is left of peers that went.
func TestGossipBounds(t *testing.T) {
	c := newChat(t)
	var ids []netsync.PeerID
	for i := range 125 {
		id, _ := c.meet(i, false)
		ids = append(ids, id)
	}
	n := 0
	for range 12 {
		for _, id := range ids {
			c.peers[id].asked = false
			list := make([]netaddr.Record, maxRelayed)
			for k := range list {
				n++
				list[k] = c.record(200+n, 0)
			}
			c.tells(id, list...)
		}
	}
	most := 0
	for _, p := range c.peers {
		most = max(most, len(p.waiting))
		if cap(p.waiting) > 2*maxWaiting || p.known.load > filterLoad {
			t.Fatalf("%d addresses wait, %d in the filter", cap(p.waiting), p.known.load)
		}
	}
	size := unsafe.Sizeof(gossipPeer{}) + maxWaiting*unsafe.Sizeof(netaddr.Record{})
	t.Logf("%d addresses told by 125 peers: at most %d wait for one peer; %d bytes for each", n, most, size)
	if most != maxWaiting || size > 16<<10 {
		t.Errorf("%d wait, %d bytes", most, size)
	}
	for _, id := range ids {
		c.leave(id)
		c.leave(id)
	}
	if len(c.peers) != 0 || len(c.order) != 0 || len(c.tick(c.now.Add(time.Hour))) != 0 {
		t.Error("peers are left")
	}
}

// TestFilter: what was added is known for the next 2,000, and next to nothing else
// is.
func TestFilter(t *testing.T) {
	var f addrFilter
	key := [32]byte{1}
	for i := range 20_000 {
		f.add(fingerprintOf(&key, at(i)))
		for _, back := range []int{0, 1, filterLoad - 1} {
			if i >= back && !f.has(fingerprintOf(&key, at(i-back))) {
				t.Fatalf("the %dth is forgotten after %d", i-back, back)
			}
		}
	}
	wrong := 0
	for i := range 20_000 {
		if f.has(fingerprintOf(&key, at(50_000+i))) {
			wrong++
		}
	}
	t.Logf("%d of 20,000 are wrongly taken for known", wrong)
	if wrong > 60 {
		t.Errorf("too many")
	}
	if f.has(fingerprintOf(&key, at(1))) {
		t.Error("nothing is ever forgotten")
	}
}

// TestUnwantedAddrs: nobody is told an address that this node would not dial, and it
// does not get into the book.
func TestUnwantedAddrs(t *testing.T) {
	c := newChat(t)
	c.finder.book.Add([]netaddr.Record{c.record(1, 0), c.record(2, 0)}, at(5000))
	c.unwanted = func(a netaddr.Addr) bool { return a == at(1) || a == at(3) }
	id, _ := c.meet(10, true)
	c.meet(11, true)
	reply, _, _ := c.receive(c.now, id, &message.GetAddr{})
	if list := reply.(*message.Addr).List; len(list) != 1 || list[0].Addr != at(2) {
		t.Errorf("the answer is %v", list)
	}
	c.now = c.now.Add(time.Hour)
	if keep := c.tells(id, c.record(3, 0), c.record(4, 0)); len(keep) != 1 || keep[0].Addr != at(4) {
		t.Errorf("kept %v", keep)
	}
	if told := c.sent(10 * time.Minute); len(told) != 1 || told[at(4)] == nil {
		t.Errorf("passed on %v", told)
	}
}

// TestAddrRateOff: without the limit on addresses a peer fills the book, with it not.
func TestAddrRateOff(t *testing.T) {
	for _, limited := range []bool{true, false} {
		c := newChat(t)
		id, _ := c.meet(1, true)
		kept := 0
		for n := range 10_000 {
			if !limited {
				c.peers[id].tokens = addrBucket
			}
			kept += len(c.tells(id, c.record(100+n, time.Hour)))
		}
		if limited && kept > 2 || !limited && kept != 10_000 {
			t.Errorf("limited %v: %d of 10,000 addresses were kept", limited, kept)
		}
	}
}
