package addrmgr

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// clock is time that only tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

func newClock() *clock { return &clock{time.Unix(1_800_000_000, 0)} }

// seeded returns a configuration whose every choice follows from the seed.
func seeded(seed byte, c *clock) Config {
	return Config{Now: c.now, Rand: rand.New(rand.NewChaCha8([32]byte{seed}))}
}

// ip returns an IPv4 address of group a.b.
func ip(group, host int, port uint16) netaddr.Addr {
	b := binary.BigEndian.AppendUint16(nil, uint16(0x1000+group)) // 16.0.0.0 and up: routable
	b = binary.BigEndian.AppendUint16(b, uint16(host))
	a, err := netaddr.New(netaddr.IPv4, b, port)
	if err != nil {
		panic(err)
	}
	return a
}

func parse(t testing.TB, text string) netaddr.Addr {
	t.Helper()
	a, err := netaddr.Parse(text, 9333)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// told returns records of addresses seen now.
func told(c *clock, list ...netaddr.Addr) []netaddr.Record {
	records := make([]netaddr.Record, len(list))
	for i, a := range list {
		records[i] = netaddr.Record{Addr: a, Seen: uint32(c.t.Unix())}
	}
	return records
}

// check fails the test if the book contradicts itself.
func check(t interface{ Fatalf(string, ...any) }, m *Manager) {
	if err := m.inconsistency(); err != nil {
		t.Fatalf("%v", err)
	}
}

func (m *Manager) inconsistency() error {
	inNew, inTried, nTried := make(map[id]int), make(map[id]int), 0
	for k, tab := range []*table{&m.fresh, &m.tried} {
		seen := []map[id]int{inNew, inTried}[k]
		for b := range tab.used {
			n := 0
			for s := range bucketSize {
				i := tab.get(b, s)
				if i == 0 {
					continue
				}
				n++
				seen[i]++
				e := &m.entries[i]
				wantB, wantS := b, m.slotIn(forNewSlot, b, e.addr)
				if k == 1 {
					wantB, wantS = m.triedSlot(e.addr)
				} else if !slices.Contains(e.buckets[:e.refs], uint16(b)) {
					return fmt.Errorf("%v does not know of bucket %d", e.addr, b)
				}
				if b != wantB || s != wantS {
					return fmt.Errorf("%v is at %d,%d, belongs to %d,%d", e.addr, b, s, wantB, wantS)
				}
			}
			if n != int(tab.used[b]) || slices.Contains(tab.list, uint16(b)) != (n > 0) {
				return fmt.Errorf("bucket %d has %d entries, counted %d", b, n, tab.used[b])
			}
		}
	}
	for k, i := range m.order {
		e := &m.entries[i]
		if e.at != k || m.index[e.addr] != i || inNew[i] != e.refs || (inTried[i] == 1) != e.tried || e.tried == (e.refs > 0) {
			return fmt.Errorf("%v: %+v, in %d and %d slots", e.addr, *e, inNew[i], inTried[i])
		}
		if e.tried {
			nTried++
		}
		if !m.Usable(e.addr) {
			return fmt.Errorf("%v is in the book", e.addr)
		}
	}
	if nTried != m.nTried || len(m.index) != len(m.order) || len(inNew)+len(inTried) != len(m.order) ||
		len(m.entries) != 1+len(m.order)+len(m.free) || len(m.collisions) > maxCollisions {
		return fmt.Errorf("%d tried of %d, %d in the index, %d in tables", nTried, len(m.order), len(m.index), len(inNew)+len(inTried))
	}
	return nil
}
