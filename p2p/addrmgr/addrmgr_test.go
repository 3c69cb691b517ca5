package addrmgr

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

func TestAddAndSelect(t *testing.T) {
	c := newClock()
	m := New(seeded(1, c))
	if _, ok := m.Select(false); ok {
		t.Error("an empty book chooses")
	}
	if _, ok := m.Collision(); ok || len(m.Sample(23, 10)) != 0 {
		t.Error("an empty book tells")
	}
	a, b := ip(1, 1, 9333), ip(2, 1, 9333)
	if n := m.Add(told(c, a, b, a), ip(3, 1, 1)); n != 2 {
		t.Errorf("%d added", n)
	}
	if n := m.Add(told(c, a, b), ip(3, 1, 1)); n != 0 {
		t.Errorf("%d added again", n)
	}
	m.Good(a, 5)
	check(t, m)
	if fresh, tried := m.Len(); fresh != 1 || tried != 1 {
		t.Errorf("%d new, %d tried", fresh, tried)
	}
	count := make(map[netaddr.Addr]int)
	for range 1000 {
		got, ok := m.Select(false)
		if !ok {
			t.Fatal("nothing to choose")
		}
		count[got.Addr]++
		if only, _ := m.Select(true); only.Addr != b {
			t.Fatalf("%v is not new", only.Addr)
		}
	}
	// a was dialed just now; ten minutes later it is worth as much as b.
	if count[a] > 100 {
		t.Errorf("%d of 1000 choices are the one just dialed", count[a])
	}
	c.advance(justTried)
	count = make(map[netaddr.Addr]int)
	for range 1000 {
		got, _ := m.Select(false)
		count[got.Addr]++
	}
	if count[a] < 400 || count[a] > 600 {
		t.Errorf("%d of 1000 choices are tried", count[a])
	}
	m.Remove(a)
	m.Remove(b)
	m.Remove(b)
	check(t, m)
	if m.Contains(a) || len(m.order) != 0 {
		t.Error("what was removed is there")
	}
}

// TestNotUsable: what could never be dialed does not get in.
func TestNotUsable(t *testing.T) {
	c := newClock()
	for _, allow := range []bool{false, true} {
		cfg := seeded(2, c)
		cfg.AllowUnroutable = allow
		m := New(cfg)
		for text, ok := range map[string]bool{
			"16.0.0.1:0": false, "16.0.0.1:1": true, "127.0.0.1:1": allow, "192.168.1.1:1": allow, "[::1]:1": allow, "[2a00::1]:1": true,
			"ukeu3k5oycgaauneqgtnvselmt4yemvoilkln7jpvamvfx7dnkdq.b32.i2p": true,
		} {
			a := parse(t, text)
			if n := m.Add(told(c, a), ip(1, 1, 1)); (n == 1) != ok || m.Contains(a) != ok {
				t.Errorf("%s with unroutable ones allowed %v: %d", text, allow, n)
			}
			m.Good(a, 0)
			if m.Contains(a) != ok {
				t.Errorf("%s got in by being good", text)
			}
		}
		if m.Add([]netaddr.Record{{}, {Addr: netaddr.Named("x")}}, ip(1, 1, 1)) != 0 {
			t.Error("no address at all is added")
		}
		check(t, m)
	}
	m := New(seeded(2, c))
	if a := parse(t, "127.0.0.1:1"); m.Group(a) != a.Group() {
		t.Error("an unroutable address has a group of its own where it is not allowed")
	}
}

// TestTimes: times in the future, of long ago and of hearsay.
func TestTimes(t *testing.T) {
	c := newClock()
	now := c.t.Unix()
	tests := []struct {
		told int64
		self bool
		want int64
	}{
		{now, true, now},
		{now, false, now - 7200},
		{now + 600, true, now + 600},
		{now + 601, true, now - 5*86400},
		{math.MaxUint32, false, now - 5*86400 - 7200},
		{0, true, now - 5*86400},
		{1, true, 1},
	}
	for i, test := range tests {
		m := New(seeded(3, c))
		a := ip(i, 1, 1)
		source := a
		if !test.self {
			source = ip(99, 1, 1)
		}
		m.Add([]netaddr.Record{{Addr: a, Seen: uint32(test.told)}}, source)
		if got := m.entries[m.index[a]].seen; got != test.want {
			t.Errorf("told %d: seen %d, want %d", test.told-now, got-now, test.want-now)
		}
	}

	// A time is renewed only if it is much later, and never goes back.
	m := New(seeded(3, c))
	a := ip(1, 1, 1)
	m.Add(told(c, a), a)
	for _, test := range []struct {
		after   time.Duration
		renewed bool
	}{{59 * time.Minute, false}, {61 * time.Minute, true}, {-time.Hour, false}} {
		before := m.entries[m.index[a]].seen
		c.t = time.Unix(before, 0).Add(test.after)
		m.Add(told(c, a), a)
		if got := m.entries[m.index[a]].seen; (got != before) != test.renewed || got < before {
			t.Errorf("%v later: renewed %v", test.after, got != before)
		}
	}
	c.advance(2 * time.Hour)
	m.Connected(a)
	m.Connected(ip(50, 1, 1))
	if got := m.entries[m.index[a]].seen; got != c.t.Unix() {
		t.Errorf("a connection was %d s ago", c.t.Unix()-got)
	}
}

// TestAttempts: what is dialed in vain becomes unlikely, then worthless.
func TestAttempts(t *testing.T) {
	c := newClock()
	m := New(seeded(4, c))
	bad, good := ip(1, 1, 1), ip(2, 1, 1)
	m.Add(told(c, bad, good), ip(3, 1, 1))
	m.Attempt(ip(9, 9, 9), true) // unknown: nothing happens
	for range maxRetries {
		c.advance(time.Hour)
		m.Good(good, 0) // this node is online
		c.advance(time.Second)
		m.Attempt(bad, true)
		m.Attempt(bad, true) // the second does not count
	}
	e := &m.entries[m.index[bad]]
	if e.attempts != maxRetries || e.fails != 2*maxRetries {
		t.Errorf("%d attempts, %d in vain", e.attempts, e.fails)
	}
	if e.terrible(c.t.Unix()) {
		t.Error("worthless while it is being dialed")
	}
	c.advance(time.Hour)
	if !e.terrible(c.t.Unix()) {
		t.Error("not worthless after all attempts failed")
	}
	if list := m.Sample(100, 0); len(list) != 1 || list[0].Addr != good {
		t.Errorf("told to others: %v", list)
	}
	m.Good(bad, 0)
	if e.attempts != 0 || e.fails != 0 || !e.tried {
		t.Errorf("%+v", *e)
	}
	// An attempt that may be our own fault is not held against anybody.
	c.advance(time.Minute)
	m.Attempt(bad, false)
	if e.attempts != 0 || e.fails != 1 {
		t.Errorf("%+v", *e)
	}
}

// collide returns a book and two addresses that belong to the same tried slot, of
// which the first is in it.
func collide(t *testing.T, c *clock) (m *Manager, old, next netaddr.Addr) {
	m = New(seeded(5, c))
	old = ip(1, 0, 1)
	m.Good(old, 0)
	b, s := m.triedSlot(old)
	for h := 1; ; h++ {
		next = ip(1+h>>16, h&0xffff, 1)
		if b2, s2 := m.triedSlot(next); b2 == b && s2 == s {
			break
		}
	}
	m.Add(told(c, next), ip(77, 1, 1))
	return m, old, next
}

// TestTestBeforeEvict: an address in the tried table stays unless it has been
// dialed in vain. With the rule off it is gone at once.
func TestTestBeforeEvict(t *testing.T) {
	for name, test := range map[string]struct {
		then     func(c *clock, m *Manager, old netaddr.Addr)
		replaced bool
	}{
		"answered lately":    {func(c *clock, m *Manager, _ netaddr.Addr) { m.Resolve() }, false},
		"answers":            {func(c *clock, m *Manager, a netaddr.Addr) { m.Attempt(a, true); m.Good(a, 0); m.Resolve() }, false},
		"still being dialed": {func(c *clock, m *Manager, a netaddr.Addr) { m.Attempt(a, true); m.Resolve() }, false},
		"does not answer": {func(c *clock, m *Manager, a netaddr.Addr) {
			m.Attempt(a, true)
			c.advance(2 * time.Minute)
			m.Resolve()
		}, true},
		"no chance to dial":   {func(c *clock, m *Manager, _ netaddr.Addr) { c.advance(time.Minute); m.Resolve() }, false},
		"never dialed":        {func(c *clock, m *Manager, _ netaddr.Addr) { c.advance(testWindow + 1e9); m.Resolve() }, true},
		"is gone":             {func(c *clock, m *Manager, a netaddr.Addr) { m.Remove(a); m.Resolve() }, true},
		"rule off: not asked": {func(c *clock, m *Manager, _ netaddr.Addr) {}, true},
	} {
		c := newClock()
		m, old, next := collide(t, c)
		if name != "answered lately" {
			c.advance(replaceAfter + time.Minute)
		}
		if name == "rule off: not asked" {
			m.good(c.t.Unix(), next, 0, false)
		} else {
			m.Good(next, 0)
			got, ok := m.Collision()
			if !ok || got.Addr != old {
				t.Errorf("%s: asked to test %v, %v", name, got.Addr, ok)
			}
		}
		test.then(c, m, old)
		check(t, m)
		if got := m.entries[m.index[next]].tried; got != test.replaced {
			t.Errorf("%s: replaced %v", name, got)
		}
		if name != "is gone" && m.entries[m.index[old]].tried == test.replaced {
			t.Errorf("%s: both or neither are tried", name)
		}
	}
	// Books on open contests are bounded.
	c := newClock()
	m := New(seeded(6, c))
	for i := range 40_000 {
		m.Good(ip(i%4000, i/4000, 1), 0)
	}
	if len(m.collisions) != maxCollisions {
		t.Errorf("%d collisions", len(m.collisions))
	}
	m.Remove(m.collisions[0])
	for _, a := range m.collisions[1:] {
		m.entries[m.index[a]].tried = false
	}
	check(t, m)
}

// TestFullSlot: in the new table a worthless address, or one with other places,
// gives way; any other stays.
func TestFullSlot(t *testing.T) {
	for name, test := range map[string]struct {
		age      time.Duration
		replaced bool
	}{"seen lately": {0, false}, "not seen for a month": {horizon + time.Hour, true}} {
		c := newClock()
		m := New(seeded(5, c))
		source, old := ip(9, 9, 9), ip(1, 0, 1)
		m.Add([]netaddr.Record{{Addr: old, Seen: uint32(c.t.Add(-test.age).Unix())}}, source)
		b, s := m.newSlot(old, source)
		next := old
		for h := 1; ; h++ {
			next = ip(1, h, 1)
			if b2, s2 := m.newSlot(next, source); b2 == b && s2 == s {
				break
			}
		}
		c.advance(2 * testGrace)
		m.Add(told(c, next), source)
		check(t, m)
		if m.Contains(next) != test.replaced || m.Contains(old) == test.replaced {
			t.Errorf("%s: replaced %v", name, m.Contains(next))
		}
	}
}

// TestChangePlaces: an address that gets into the tried table, and the one that it
// pushes out, may have the same slot in the new one.
func TestChangePlaces(t *testing.T) {
	c := newClock()
	m := New(seeded(5, c))
	source, old := ip(9, 9, 9), ip(1, 0, 1)
	m.Add(told(c, old), source)
	nb, ns := m.newSlot(old, source)
	tb, ts := m.triedSlot(old)
	m.Good(old, 0)
	next := netaddr.Addr{}
	for h := 1; next == (netaddr.Addr{}); h++ {
		a := ip(1, h&0xffff, uint16(1+h>>16))
		if b, s := m.newSlot(a, source); b != nb || s != ns {
			continue
		}
		if b, s := m.triedSlot(a); b == tb && s == ts {
			next = a
		}
	}
	m.Add(told(c, next), source)
	m.good(c.t.Unix(), next, 0, false)
	check(t, m)
	if !m.entries[m.index[next]].tried || !m.Contains(old) || m.entries[m.index[old]].tried {
		t.Error("they did not change places")
	}
}

func TestSample(t *testing.T) {
	c := newClock()
	m := New(seeded(7, c))
	for i := range 40 {
		m.Add(told(c, ip(i, 1, 1)), ip(500+i, 1, 1))
	}
	fresh, _ := m.Len()
	if got := len(m.Sample(23, 10)); got != 10 {
		t.Errorf("%d of %d", got, fresh)
	}
	if got := len(m.Sample(23, 0)); got != fresh*23/100 {
		t.Errorf("%d of %d", got, fresh)
	}
	for i := range 8000 {
		m.Add(told(c, ip(i, 2, 1)), ip(i, 1, 1))
	}
	list := m.Sample(23, 10)
	if len(list) != MaxSample {
		t.Errorf("%d of %d", len(list), len(m.order))
	}
	seen := make(map[netaddr.Addr]bool)
	for _, r := range list {
		if seen[r.Addr] || !m.Contains(r.Addr) {
			t.Fatalf("%v is told twice or unknown", r.Addr)
		}
		seen[r.Addr] = true
	}
	check(t, m)
	c.advance(horizon + time.Hour)
	if list := m.Sample(100, 0); len(list) != 0 {
		t.Errorf("%d addresses of long ago", len(list))
	}
}

func TestAnchors(t *testing.T) {
	m := New(seeded(8, newClock()))
	var list []netaddr.Addr
	for i := range 2 * MaxAnchors {
		list = append(list, ip(i, 1, 1))
	}
	m.SetAnchors(list)
	got := m.Anchors()
	if len(got) != MaxAnchors || got[0] != list[0] {
		t.Errorf("%v", got)
	}
	got[0] = ip(99, 1, 1)
	if m.Anchors()[0] != list[0] {
		t.Error("the result is not a copy")
	}
}

// TestRepeatable: the same seed, clock and calls give the same book and choices.
func TestRepeatable(t *testing.T) {
	run := func() (file string, choices []netaddr.Addr) {
		c := newClock()
		m := New(seeded(9, c))
		for i := range 2000 {
			m.Add(told(c, ip(i%300, i, 1), ip(i%77, i, 2)), ip(i%40, 1, 1))
			c.advance(time.Second)
			if i%3 == 0 {
				got, _ := m.Select(i%2 == 0)
				m.Attempt(got.Addr, true)
				if i%2 == 0 {
					m.Good(got.Addr, 1)
				}
				choices = append(choices, got.Addr)
			}
		}
		for _, r := range m.Sample(23, 10) {
			choices = append(choices, r.Addr)
		}
		return string(m.encode()), choices
	}
	file, choices := run()
	again, same := run()
	if file != again {
		t.Error("the books differ")
	}
	for i := range choices {
		if choices[i] != same[i] {
			t.Fatalf("choice %d differs", i)
		}
	}
}

// TestAnyCalls: whatever the calls, the book doesn't contradict itself, and is
// the same after it was written and read.
func TestAnyCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		m := New(seeded(rapid.Byte().Draw(t, "seed"), c))
		addr := rapid.Custom(func(t *rapid.T) netaddr.Addr {
			return ip(rapid.IntRange(0, 3).Draw(t, "group"), rapid.IntRange(0, 40).Draw(t, "host"), uint16(rapid.IntRange(0, 2).Draw(t, "port")))
		})
		for range rapid.IntRange(1, 120).Draw(t, "calls") {
			a := addr.Draw(t, "address")
			switch rapid.IntRange(0, 9).Draw(t, "call") {
			case 0, 1, 2, 3:
				r := told(c, a, addr.Draw(t, "other"))
				r[0].Seen += uint32(rapid.IntRange(-4_000_000, 4_000).Draw(t, "seen"))
				m.Add(r, addr.Draw(t, "source"))
			case 4:
				m.Good(a, 1)
			case 5:
				m.Attempt(a, rapid.Bool().Draw(t, "count"))
			case 6:
				c.advance(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "seconds")) * time.Second)
			case 7:
				m.Remove(a)
			case 8:
				m.Collision()
				m.Resolve()
			default:
				m.Connected(a)
				m.Select(false)
				m.Sample(23, 3)
			}
		}
		check(t, m)
		again := New(seeded(0, c))
		file := m.encode()
		if err := again.decode(file); err != nil {
			t.Fatalf("%v", err)
		}
		check(t, again)
		if string(again.encode()) != string(file) {
			t.Fatalf("the book has changed on disk")
		}
	})
}
