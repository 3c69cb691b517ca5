package addrmgr

import (
	"runtime"
	"testing"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// flood has sources tell a book of addresses, a thousand each time, as peers do.
func flood(c *clock, m *Manager, addresses int, source func(i int) netaddr.Addr) {
	for i := 0; i < addresses; i += 1000 {
		list := make([]netaddr.Addr, 1000)
		for k := range list {
			list[k] = ip((i+k)%50_000, (i+k)/50_000+100*(i/1000%500), 9333)
		}
		m.Add(told(c, list...), source(i/1000))
	}
}

// honest fills a book as an honest network of so many nodes would: each address is
// told by several nodes of different groups, and every third was connected to.
func honest(c *clock, m *Manager, nodes int) map[netaddr.Addr]bool {
	set := make(map[netaddr.Addr]bool)
	for i := range nodes {
		a := ip(52_000+i, 1, 9333)
		set[a] = true
		for k := range 4 {
			m.Add(told(c, a), ip(52_000+(i*7+k*13)%nodes, 1, 9333))
			c.t = c.t.Add(1e9)
		}
		if i%3 == 0 {
			m.Good(a, 0)
		}
	}
	return set
}

// shares returns which part of the book's addresses, and of its choices, are not
// in the set of honest ones.
func shares(m *Manager, honest map[netaddr.Addr]bool) (table, choices, kept float64) {
	bad, left := 0, 0
	for _, i := range m.order {
		if honest[m.entries[i].addr] {
			left++
		} else {
			bad++
		}
	}
	drawn := 0
	const draws = 20_000
	for range draws {
		if c, _ := m.Select(false); !honest[c.Addr] {
			drawn++
		}
	}
	return float64(bad) / float64(len(m.order)), float64(drawn) / draws, float64(left) / float64(len(honest))
}

// TestOneGroupFlood: 150,000 addresses told by nodes of one group leave an
// honest network of 500 nodes in the book, and most choices to it. With the rule
// off, so that every source counts as a group of its own, they take it over.
func TestOneGroupFlood(t *testing.T) {
	run := func(rule bool) (fresh int, table, choices, kept float64) {
		c := newClock()
		m := New(seeded(1, c))
		if !rule {
			m.groupOf = netaddr.Addr.Alone
		}
		good := honest(c, m, 500)
		flood(c, m, 150_000, func(i int) netaddr.Addr { return ip(60_000, i, 1) })
		check(t, m)
		fresh, _ = m.Len()
		table, choices, kept = shares(m, good)
		t.Logf("150,000 addresses from one /16, groups heeded %5v: %6d new addresses (of %d slots), attacker has %2.0f %% of the book, "+
			"%2.0f %% of the choices; %3.0f %% of the honest nodes are left",
			rule, fresh, newBuckets*bucketSize, 100*table, 100*choices, 100*kept)
		return fresh, table, choices, kept
	}
	const most = newBucketsPerSource * bucketSize
	if fresh, _, choices, kept := run(true); fresh > most+500 || choices > 0.15 || kept < 0.95 {
		t.Errorf("the attack succeeds")
	}
	if fresh, _, choices, _ := run(false); fresh < 8*most || choices < 0.45 {
		t.Errorf("the attack fails without the rule: the test shows nothing")
	}
}

// TestOneGroupTried: addresses of one group that all answer get into 8 of the 256
// tried buckets.
func TestOneGroupTried(t *testing.T) {
	c := newClock()
	m := New(seeded(2, c))
	for host := range 60_000 {
		m.Good(ip(1, host, 1), 0)
	}
	check(t, m)
	if _, tried := m.Len(); tried > triedBucketsPerGroup*bucketSize || len(m.tried.list) > triedBucketsPerGroup {
		t.Errorf("%d addresses in %d buckets", tried, len(m.tried.list))
	} else {
		t.Logf("60,000 nodes of one /16 that answer: %d of %d tried slots, %d of %d buckets", tried, triedBuckets*bucketSize, len(m.tried.list), triedBuckets)
	}
}

// TestFullBook: a botnet of all groups fills the book and no more, and the memory
// is bounded.
func TestFullBook(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	c := newClock()
	before := heap()
	m := New(seeded(3, c))
	for i := range 40_000 {
		m.Good(ip(i, 7, 1), 0)
	}
	flood(c, m, 250_000, func(i int) netaddr.Addr { return ip(i*131%50_000, 1, 1) })
	bytes := heap() - before
	fresh, tried := m.Len()
	check(t, m)
	file := len(m.encode())
	t.Logf("after 290,000 addresses from everywhere: %d new, %d tried, %.1f MB of memory, %.1f MB on disk", fresh, tried, float64(bytes)/1e6, float64(file)/1e6)
	if fresh+tried > MaxAddrs || bytes > 40<<20 || file > maxFile {
		t.Errorf("%d addresses, %d bytes, file of %d", fresh+tried, bytes, file)
	}
	runtime.KeepAlive(m)
}
