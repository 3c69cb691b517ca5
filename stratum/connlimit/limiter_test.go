package connlimit

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// clock is the time of a test.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Unix(1e9, 0)} }

func (c *clock) Now() time.Time { return c.now }

// enter takes a slot for an address and fails the test on an error other than want.
func enter(t *testing.T, l *Limiter, addr string, evicted *[]string, want error) *Slot {
	t.Helper()
	slot, err := l.Enter(func() { *evicted = append(*evicted, addr) })
	if err == nil {
		if err = slot.Identify(netip.MustParseAddr(addr)); err != nil {
			slot.Release()
		}
	}
	if !errors.Is(err, want) {
		t.Fatalf("%s: error %v, want %v", addr, err, want)
	}
	return slot
}

func TestPerAddress(t *testing.T) {
	var evicted []string
	c := newClock()
	l := New(Config{Total: 100, PerAddress: 2, Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Now: c.Now})
	first := enter(t, l, "192.0.2.1", &evicted, nil)
	enter(t, l, "::ffff:192.0.2.1", &evicted, nil) // the same address
	enter(t, l, "192.0.2.1", &evicted, ErrAddressFull)
	enter(t, l, "192.0.2.2", &evicted, nil)
	// All of an IPv6 customer's network is one address.
	enter(t, l, "2001:db8::1", &evicted, nil)
	enter(t, l, "2001:db8::2", &evicted, nil)
	enter(t, l, "2001:db8::ffff:1:2:3", &evicted, ErrAddressFull)
	enter(t, l, "2001:db8:0:1::1", &evicted, nil)
	for range 20 {
		enter(t, l, "10.1.2.3", &evicted, nil)
		enter(t, l, "127.0.0.1", &evicted, nil)
		enter(t, l, "::1", &evicted, nil)
	}
	// A place that is given back can be taken again, but not at any rate.
	first.Release()
	first.Release()
	enter(t, l, "192.0.2.1", &evicted, ErrTooFast)
	c.now = c.now.Add(refillTime / 2)
	enter(t, l, "192.0.2.1", &evicted, nil)

	got := l.Counts()
	want := Counts{Open: 66, Pending: 66, Addresses: 4, Admitted: 70 - 1, AddressFull: 2, TooFast: 1}
	if want.Admitted = got.Admitted; got != want || len(evicted) != 0 {
		t.Errorf("%+v, want %+v; evicted %v", got, want, evicted)
	}
	top := l.Addresses(2)
	if len(top) != 2 || fmt.Sprint(top[0]) != "{192.0.2.1/32 2}" || fmt.Sprint(top[1]) != "{2001:db8::/64 2}" {
		t.Errorf("largest: %v", top)
	}
}

// TestFarm: a farm behind one address may reconnect as a whole, and again when the
// shortest of its miners' pauses is over.
func TestFarm(t *testing.T) {
	var evicted []string
	c := newClock()
	l := New(Config{Total: 20_000, Now: c.Now})
	for range 3 {
		slots := make([]*Slot, l.PerAddress())
		for i := range slots {
			slots[i] = enter(t, l, "203.0.113.9", &evicted, nil)
			slots[i].Settle()
		}
		for _, s := range slots {
			s.Release()
		}
		c.now = c.now.Add(refillTime)
	}
	if l.PerAddress() != 5000 || len(evicted) != 0 {
		t.Errorf("%d for one address, %d evicted", l.PerAddress(), len(evicted))
	}
}

// TestWorkingMinersStay: when all is full, whoever has not logged in makes room, first
// those of the address that has the most; miners that work are never touched.
func TestWorkingMinersStay(t *testing.T) {
	var evicted []string
	l := New(Config{Total: 8, PerAddress: 5, Now: newClock().Now})
	for i := range 2 {
		enter(t, l, fmt.Sprintf("192.0.2.%d", i), &evicted, nil).Settle()
	}
	enter(t, l, "198.51.100.1", &evicted, nil) // honest, has just connected
	attacker := make([]*Slot, 5)
	for i := range attacker {
		attacker[i] = enter(t, l, "203.0.113.1", &evicted, nil)
	}
	late := enter(t, l, "198.51.100.2", &evicted, nil)
	if fmt.Sprint(evicted) != "[203.0.113.1]" {
		t.Fatalf("evicted %v", evicted)
	}
	attacker[0].Release() // its goroutine notices; the place is not given back twice
	if c := l.Counts(); c.Open != 8 || c.Evicted != 1 {
		t.Errorf("%+v", c)
	}
	late.Settle()
	for _, s := range attacker[1:] {
		s.Settle()
	}
	enter(t, l, "198.51.100.3", &evicted, nil) // instead of 198.51.100.1
	evicted = nil
	slot := enter(t, l, "198.51.100.4", &evicted, nil)
	slot.Settle()
	enter(t, l, "198.51.100.5", &evicted, ErrFull)
	if c := l.Counts(); fmt.Sprint(evicted) != "[198.51.100.3]" || c.Full != 1 || c.Open != 8 || c.Pending != 0 {
		t.Errorf("evicted %v, %+v", evicted, c)
	}
}

// TestRoomOfWhoDoesNotWork: when all is full and nobody pending, whoever has logged in and
// handed in nothing for five minutes makes room, then whoever has worked but not for half
// an hour; others stay.
func TestRoomOfWhoDoesNotWork(t *testing.T) {
	var evicted []string
	c := newClock()
	l := New(Config{Total: 4, PerAddress: 3, Now: c.Now})
	login := func(addr string) *Slot {
		s := enter(t, l, addr, &evicted, nil)
		s.Settle()
		return s
	}
	works, paused := login("192.0.2.1"), login("192.0.2.2")
	login("203.0.113.1")
	login("203.0.113.1")
	works.Work()
	paused.Work()
	c.now = c.now.Add(untriedFor - 1)
	enter(t, l, "198.51.100.1", &evicted, ErrFull)
	c.now = c.now.Add(1)
	login("198.51.100.1")
	login("198.51.100.2").Settle()
	if fmt.Sprint(evicted) != "[203.0.113.1 203.0.113.1]" {
		t.Fatalf("evicted %v", evicted)
	}
	enter(t, l, "198.51.100.3", &evicted, ErrFull) // the others have just come

	evicted = nil
	c.now = c.now.Add(idleFor)
	works.Work()
	login("198.51.100.3").Work()
	login("198.51.100.4").Work()
	if fmt.Sprint(evicted) != "[198.51.100.1 198.51.100.2]" {
		t.Errorf("evicted %v", evicted)
	}
	login("198.51.100.5")
	if len(evicted) != 3 || evicted[2] != "192.0.2.2" {
		t.Errorf("evicted %v", evicted)
	}
	works.Settle() // when there is work again
	c.now = c.now.Add(idleFor - 1)
	evicted = nil
	login("198.51.100.6")
	enter(t, l, "198.51.100.7", &evicted, ErrFull)
	if fmt.Sprint(evicted) != "[198.51.100.5]" {
		t.Errorf("evicted %v", evicted)
	}
}

// TestRoomOfUnknown: a crowd whose addresses are not known yet makes room for those of
// honest ones, and exempt connections stand for themselves each.
func TestRoomOfUnknown(t *testing.T) {
	var evicted []string
	l := New(Config{Total: 8, PerAddress: 5, Now: newClock().Now})
	enter(t, l, "192.0.2.1", &evicted, nil)
	enter(t, l, "192.0.2.1", &evicted, nil)
	enter(t, l, "127.0.0.1", &evicted, nil)
	for range 5 {
		if _, err := l.Enter(func() { evicted = append(evicted, "unknown") }); err != nil {
			t.Fatal(err)
		}
	}
	enter(t, l, "192.0.2.2", &evicted, nil)
	enter(t, l, "192.0.2.3", &evicted, nil)
	if fmt.Sprint(evicted) != "[unknown unknown]" || l.unknown != 3 {
		t.Errorf("evicted %v, %d unknown", evicted, l.unknown)
	}
}

// TestRoomOfExempt: exempt connections that do not log in make room, too.
func TestRoomOfExempt(t *testing.T) {
	var evicted []string
	l := New(Config{Total: 2, PerAddress: 2, Now: newClock().Now})
	enter(t, l, "127.0.0.1", &evicted, nil)
	enter(t, l, "192.0.2.1", &evicted, nil)
	enter(t, l, "192.0.2.2", &evicted, nil)
	if fmt.Sprint(evicted) != "[127.0.0.1]" {
		t.Errorf("evicted %v", evicted)
	}
}

// TestNetworks: an IPv6 network of 48 bits has a limit of its own, and is forgotten with
// its last connection.
func TestNetworks(t *testing.T) {
	var evicted []string
	l := New(Config{Total: 100, PerAddress: 2, Now: newClock().Now})
	var slots []*Slot
	for i := range networkFactor * 2 {
		slots = append(slots, enter(t, l, fmt.Sprintf("2001:db8:0:%x::1", i), &evicted, nil))
	}
	enter(t, l, "2001:db8:0:ffff::1", &evicted, ErrAddressFull)
	enter(t, l, "2001:db8:1::1", &evicted, nil).Release()
	slots[0].Release()
	slots = append(slots, enter(t, l, "2001:db8:0:ffff::1", &evicted, nil))
	for _, s := range slots {
		s.Release()
	}
	if len(l.networks) != 0 || l.unknown != 0 || l.Counts().Open != 0 {
		t.Errorf("%d networks, %d unknown, %+v", len(l.networks), l.unknown, l.Counts())
	}
}

// TestMemory: addresses that come and go are forgotten, the longest gone first.
func TestMemory(t *testing.T) {
	var evicted []string
	c := newClock()
	l := New(Config{Total: 10, Now: c.Now})
	for i := range maxIdle + 100 {
		addr := netip.AddrFrom4([4]byte{1, byte(i >> 16), byte(i >> 8), byte(i)})
		enter(t, l, addr.String(), &evicted, nil).Release()
	}
	if len(l.sources) != maxIdle || l.idle.Len() != maxIdle {
		t.Errorf("%d addresses, %d idle", len(l.sources), l.idle.Len())
	}
	if l.sources[netip.MustParsePrefix("1.0.0.0/32")] != nil {
		t.Error("not the oldest was forgotten")
	}
}

// TestInvariants: whatever happens in whatever order, the counts are right and no limit
// is passed.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		l := New(Config{Total: 6, PerAddress: 3, Now: c.Now})
		open := make(map[*Slot]string)
		settled := make(map[*Slot]bool)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				addr := fmt.Sprintf("192.0.2.%d", rapid.IntRange(1, 3).Draw(t, "address"))
				var slot *Slot
				slot, err := l.Enter(func() {
					if settled[slot] {
						t.Fatal("a miner that works was evicted")
					}
					delete(open, slot)
				})
				if err != nil {
					continue
				}
				if slot.Identify(netip.MustParseAddr(addr)) != nil {
					slot.Release()
					continue
				}
				open[slot] = addr
			case 2:
				for slot := range open {
					slot.Settle()
					settled[slot] = true
					break
				}
			case 3:
				for slot := range open {
					slot.Release()
					delete(open, slot)
					break
				}
				c.now = c.now.Add(time.Second)
			}
			counts := l.Counts()
			if counts.Open != len(open) || counts.Open > 6 {
				t.Fatalf("%+v with %d open", counts, len(open))
			}
			for _, a := range l.Addresses(10) {
				n := 0
				for _, addr := range open {
					if prefixOf(netip.MustParseAddr(addr)) == a.Prefix {
						n++
					}
				}
				if n != a.Open || n > 3 {
					t.Fatalf("%v: %d counted, %d there", a.Prefix, a.Open, n)
				}
			}
		}
	})
}
