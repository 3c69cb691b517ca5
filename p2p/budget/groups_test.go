package budget

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

func groupOf(host string) netaddr.Group {
	return netaddr.FromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(host), 1)).Group()
}

// TestGroups: the three windows, for a whole group together and for others apart.
func TestGroups(t *testing.T) {
	g := NewGroups(baseInterval)
	a, neighbour, b := groupOf("203.0.113.1"), groupOf("203.0.9.9"), groupOf("198.51.100.1")
	taken := func(d time.Duration, every time.Duration, group netaddr.Group, from time.Time) (n int) {
		for now := from; now.Before(from.Add(d)); now = now.Add(every) {
			if g.Allow(now, group) {
				n++
			}
		}
		return n
	}
	if got := taken(time.Millisecond, time.Microsecond, a, start); got != 10 {
		t.Errorf("%d at once", got)
	}
	if g.Allow(at(time.Millisecond), neighbour) || !g.Allow(at(time.Millisecond), b) {
		t.Error("the /16 is not what counts")
	}
	g = NewGroups(baseInterval)
	for _, test := range []struct {
		in    time.Duration
		least int
		most  int // what was there and what comes in that time
	}{
		{time.Second, 18, 20}, {time.Minute, 100, 120}, {10 * time.Minute, 300, 360}, {time.Hour, 1200, 180 + 1080},
	} {
		got := taken(test.in, 5*time.Millisecond, a, at(0))
		if got < test.least || got > test.most {
			t.Errorf("%d in %v, want %d to %d", got, test.in, test.least, test.most)
		}
		g = NewGroups(baseInterval)
	}
	fast := NewGroups(2 * time.Second)
	n := 0
	for now := start; now.Before(at(time.Hour)); now = now.Add(10 * time.Millisecond) {
		if fast.Allow(now, a) {
			n++
		}
	}
	if n < 5*1080 || n > 5*1080+180 {
		t.Errorf("with a fifth of the interval %d an hour", n)
	}
}

// TestGroupsBounded: as many groups as one likes take bounded memory, and a busy group
// is not forgotten for idle ones.
func TestGroupsBounded(t *testing.T) {
	g := NewGroups(baseInterval)
	busy := groupOf("203.0.113.1")
	now := start
	for i := range 3 * maxGroups {
		now = now.Add(time.Second)
		g.Allow(now, groupOf(fmt.Sprintf("2a00:%x::1", i)))
		for g.Allow(now, busy) {
		}
		if g.Len() > maxGroups {
			t.Fatalf("%d groups are remembered", g.Len())
		}
	}
	if g.Allow(now, busy) {
		t.Error("the busy group was forgotten")
	}
}
