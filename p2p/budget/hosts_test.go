package budget

import (
	"fmt"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// TestHosts: a connection begins with what the last one of its host has left; time
// refills that, and other hosts have nothing to do with it.
func TestHosts(t *testing.T) {
	junk := &message.Unknown{Name: "junk"}
	const size = 100 * kib
	atOnce := func(b *Budget, now time.Time) (n int) {
		for b.Received(now, junk, size).Wait == 0 {
			n++
		}
		return n
	}
	fresh := atOnce(New(baseInterval), start)
	if fresh < 10 {
		t.Fatalf("%d messages at once", fresh)
	}

	h := NewHosts(baseInterval)
	b := h.New(start, "a")
	for range fresh / 2 {
		b.Received(start, junk, size)
	}
	twin := h.New(start, "a") // of another node behind the same address
	if n := atOnce(twin, start); n != fresh {
		t.Errorf("%d messages on a connection beside, want %d", n, fresh)
	}
	h.End(start, "a", b)
	if n := atOnce(h.New(start, "a"), start); n != fresh-fresh/2 {
		t.Errorf("%d messages after coming back, want %d", n, fresh-fresh/2)
	}
	if n := atOnce(h.New(start, "b"), start); n != fresh {
		t.Errorf("%d messages of another host", n)
	}
	h.End(start, "a", twin)
	if n := atOnce(h.New(start, "a"), start); n != 0 {
		t.Errorf("%d messages after the twin has spent all", n)
	}
	h.End(start, "a", h.New(start, "c"))
	if n := atOnce(h.New(start, "a"), start); n != 0 {
		t.Errorf("%d messages after one that did nothing", n)
	}
	const soon = 2 * time.Minute // 1.9 MiB at 16 KiB/s
	if n := atOnce(h.New(at(soon), "a"), at(soon)); n != fresh {
		t.Errorf("%d messages after a rest", n)
	}
	h.End(at(soon), "a", h.New(at(soon), "a"))
	if h.Len() != 0 {
		t.Errorf("%d hosts are remembered with full budgets", h.Len())
	}
}

// TestHostsTurns: a new connection of a host that has used up its time is not before
// others in the queue.
func TestHostsTurns(t *testing.T) {
	h := NewHosts(baseInterval)
	b := h.New(start, "spent")
	b.Verified(start, time.Second, 10, 0)
	b.Served(start, 20*time.Second)
	h.End(start, "spent", b)
	back, other := h.New(start, "spent"), h.New(start, "other")
	other.Verified(start, 100*time.Millisecond, 10, 0)
	other.Served(start, time.Second)
	if back.VerifyRank(start) >= other.VerifyRank(start) || back.ServeRank(start) >= other.ServeRank(start) {
		t.Error("who comes back goes first")
	}
	if v := back.Received(start, shares(1), 1000); v.Wait == 0 {
		t.Error("who comes back is not held back")
	}
}

// TestHostsGreeting: a node that often comes back is not held back for what it sends
// on each connection.
func TestHostsGreeting(t *testing.T) {
	h := NewHosts(baseInterval)
	for i := range 100 {
		now := at(time.Duration(i) * time.Second)
		b := h.New(now, "flaky")
		for _, m := range []message.Message{&message.GetAddr{}, &message.AddrMe{Port: 1}, &message.Ping{}, &message.Inv{IDs: ids(1)}} {
			if v := b.Received(now, m, size(m)); v.Wait > 0 {
				t.Fatalf("connection %d: %s waits %v", i, m.Command(), v.Wait)
			}
		}
		h.End(now, "flaky", b)
	}
}

// TestHostsBounded: as many hosts as one likes take bounded memory, and a spent one is
// not forgotten for idle ones.
func TestHostsBounded(t *testing.T) {
	h := NewHosts(baseInterval)
	b := h.New(start, "spent")
	b.Served(start, 1000*time.Second)
	h.End(start, "spent", b)
	for i := range 3 * maxHosts {
		host := fmt.Sprint(i)
		b := h.New(start, host)
		b.Received(start, &message.Ping{}, 32)
		h.End(start, host, b)
		if h.Len() > maxHosts {
			t.Fatalf("%d hosts are remembered", h.Len())
		}
	}
	if h.New(start, "spent").ServeRank(start) > 0 {
		t.Error("the spent host was forgotten")
	}
	later := at(maxWait)
	b = h.New(later, "x")
	b.Received(later, &message.Ping{}, 32)
	h.End(later, "x", b)
	if h.Len() != 1 {
		t.Errorf("%d hosts are remembered after an hour", h.Len())
	}
}
