package budget

import (
	"fmt"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// junk is a message of 100 KiB that nobody asked for, of a type whose bytes are soon spent.
var junk = &message.Unknown{Name: "junk"}

const junkSize = 100 * kib

// atOnce returns how many of them a connection may send without waiting.
func atOnce(b *Budget, now time.Time) (n int) {
	for b.Received(now, junk, junkSize).Wait == 0 {
		n++
	}
	return n
}

// TestHosts: a connection begins with what those of its host have left; time refills that,
// and other hosts have nothing to do with it.
func TestHosts(t *testing.T) {
	fresh := atOnce(New(baseInterval), start)
	if fresh < 10 {
		t.Fatalf("%d messages at once", fresh)
	}

	h := NewHosts(baseInterval)
	b := h.New(start, "a")
	for range fresh / 2 {
		b.Received(start, junk, junkSize)
	}
	twin := h.New(start, "a")
	if n := atOnce(h.New(start, "b"), start); n != fresh {
		t.Errorf("%d messages of another host", n)
	}
	h.End(start, b)
	if n := atOnce(twin, start); n != fresh-fresh/2 {
		t.Errorf("%d messages on a connection beside, want %d", n, fresh-fresh/2)
	}
	h.End(start, twin)
	if n := atOnce(h.New(start, "a"), start); n != 0 {
		t.Errorf("%d messages after coming back", n)
	}
	h.End(start, h.New(start, "c"))
	const soon = 4 * time.Minute // 3 MiB at 16 KiB/s
	b = h.New(at(soon), "a")
	if n := atOnce(b, at(soon)); n < fresh {
		t.Errorf("%d messages after a rest", n)
	}
	h.End(at(soon), b)
	if h.Len() != 2 {
		t.Errorf("%d hosts are remembered, two have spent something", h.Len())
	}
}

// TestHostsShare: a host with many new connections gets twice as much as one with a single
// one, and at once no more; with a budget for each connection it gets eight times as much.
func TestHostsShare(t *testing.T) {
	const conns, minutes = 8, 10
	flooded := func(shared bool) (atOnce, later int) {
		h := NewHosts(baseInterval)
		var list []*Budget
		ready := make([]time.Time, conns)
		for i := range conns {
			b := New(baseInterval)
			if shared {
				b = h.New(start, "crowd")
			}
			list, ready[i] = append(list, b), start
		}
		for now := start; now.Before(at(minutes * time.Minute)); now = now.Add(10 * time.Millisecond) {
			for i, b := range list {
				if now.Before(ready[i]) {
					continue
				}
				v := b.Received(now, junk, junkSize)
				ready[i] = now.Add(v.Wait + time.Millisecond)
				if later++; now.Before(at(time.Second)) {
					atOnce++
				}
			}
		}
		return atOnce, later
	}
	burst, one := int(others.byteBurst/junkSize), int((others.byteBurst+others.bytes*60*minutes)/junkSize)
	// One message of each connection is read before anybody knows of it.
	if n, all := flooded(true); n > burst+1+conns || all > 2*one+conns {
		t.Errorf("%d messages at once and %d in %d minutes, a single connection has %d and %d", n, all, minutes, burst, one)
	} else {
		t.Logf("%d connections of a host: %d messages at once and %d in %d minutes, a single one %d and %d", conns, n, all, minutes, burst, one)
	}
	if n, all := flooded(false); n < conns*burst || all < conns*one {
		t.Errorf("with a budget for each connection %d messages at once and %d in %d minutes: the attack is none", n, all, minutes)
	}
}

// TestHostsRested: what eight connections of a host may send at once is as much as of one when
// they are new, and when they have been idle twice that, as their eighths are full.
func TestHostsRested(t *testing.T) {
	one := atOnce(New(baseInterval), start)
	h := NewHosts(baseInterval)
	var list []*Budget
	for range 8 {
		list = append(list, h.New(start, "a"))
	}
	for _, test := range []struct {
		after time.Duration
		most  int
	}{{0, one}, {10 * time.Minute, 2 * one}, {20 * time.Minute, 2 * one}} {
		n := 0
		for _, b := range list {
			n += atOnce(b, at(test.after))
		}
		if n > test.most || n < one || test.after > 0 && n <= one {
			t.Errorf("%d messages at once after %v, %d of one connection", n, test.after, one)
		}
	}
}

// TestHostsNeighbour: a node behind the same address as seven connections that flood with
// all types, and come back, is not held back for what an honest one sends.
func TestHostsNeighbour(t *testing.T) {
	h := NewHosts(baseInterval)
	var foes []*Budget
	for range 7 {
		foes = append(foes, h.New(start, "nat"))
	}
	flood := []message.Message{shares(1), &message.Inv{IDs: ids(1)}, &message.CmpctShare{}, &message.GetShareTxn{}, &message.Block{},
		&message.GetLocator{Locator: ids(30)}, &message.Ping{}, &message.Addr{}, &message.GetShares{IDs: ids(batch)}, junk}
	attack := func(now time.Time) {
		for i, b := range foes {
			for _, m := range flood {
				b.Received(now, m, 200*kib)
			}
			b.Verified(now, time.Second, 10, 0)
			b.Served(now, time.Minute)
			h.End(now, b)
			foes[i] = h.New(now, "nat")
		}
	}
	b := h.New(start, "nat")
	for now := start; now.Before(at(time.Hour)); now = now.Add(baseInterval) {
		attack(now)
		for _, m := range []message.Message{&message.GetAddr{}, &message.AddrMe{Port: 1}} {
			if v := b.Received(now, m, size(m)); now.Equal(start) && v.Wait != 0 {
				t.Errorf("%s waits for %v", m.Command(), v.Wait)
			}
		}
		if now.Before(at(time.Minute)) {
			continue // it has nothing to itself at first
		}
		for _, m := range []message.Message{shares(1), &message.Inv{IDs: ids(1)}, &message.CmpctShare{}, &message.GetShareTxn{}, &message.GetLocator{Locator: ids(30)}} {
			if v := b.Received(now, m, size(m)); v.Wait != 0 {
				t.Fatalf("after %v %s waits for %v", now.Sub(start), m.Command(), v.Wait)
			}
		}
		if now.Sub(start)%(30*time.Second) == 0 {
			for _, m := range []message.Message{&message.Ping{}, &message.Addr{}} {
				if v := b.Received(now, m, size(m)); v.Wait != 0 {
					t.Fatalf("after %v %s waits for %v", now.Sub(start), m.Command(), v.Wait)
				}
			}
		}
		b.Verified(now, 10*time.Microsecond, 1, 0)
		b.Served(now, 10*time.Millisecond)
	}
	end := at(time.Hour)
	for _, foe := range foes {
		if b.VerifyRank(end) < foe.VerifyRank(end) {
			t.Errorf("a foe's turn comes first: %v, %v", foe.VerifyRank(end), b.VerifyRank(end))
		}
	}
	if st := b.Stats(); st.Throttled > 0 {
		t.Errorf("%+v", st)
	}
}

// TestHostsHonest: eight honest nodes behind one address, whose router starts again after
// half an hour, never have to wait.
func TestHostsHonest(t *testing.T) {
	h := NewHosts(baseInterval)
	var list []*Budget
	for now := start; now.Before(at(time.Hour)); now = now.Add(baseInterval) {
		often := []message.Message{shares(1), &message.Inv{IDs: ids(1)}, &message.CmpctShare{}, &message.GetShareTxn{}, &message.GetLocator{Locator: ids(30)}}
		if now.Sub(start)%(30*time.Second) == 0 {
			often = append(often, &message.Ping{}, &message.Addr{}, junk)
		}
		if now.Sub(start)%(30*time.Minute) == 0 {
			for _, b := range list {
				h.End(now, b)
			}
			list = nil
			for range 8 {
				list = append(list, h.New(now, "office"))
			}
			often = append(often, &message.GetAddr{}, &message.AddrMe{Port: 1}, &message.Block{})
		}
		for i, b := range list {
			for _, m := range often {
				if v := b.Received(now, m, size(m)); v.Wait != 0 {
					t.Fatalf("node %d: %s waits for %v after %v", i, m.Command(), v.Wait, now.Sub(start))
				}
			}
			b.Verified(now, 10*time.Microsecond, 1, 0)
		}
	}
}

// TestHostsComeBack: time that ended connections have spent of their own part is not there
// for the next one.
func TestHostsComeBack(t *testing.T) {
	h := NewHosts(baseInterval)
	judged := time.Duration(0)
	for now := start; now.Before(at(time.Minute)); now = now.Add(20 * time.Millisecond) {
		b := h.New(now, "again")
		if b.Received(now, shares(1), 1000).Wait == 0 {
			const chunk = 20 * time.Millisecond
			b.Verified(now, chunk, 64, 0)
			judged += chunk
		}
		h.End(now, b)
	}
	if most := time.Duration((verifyBurst + verifyRate*(1+ownPart)*60 + 0.1) * float64(time.Second)); judged > most {
		t.Errorf("%v in a minute, at most %v", judged, most)
	}
}

// TestHostsInherited: what a connection owes when it ends keeps the next one of its host, which
// may be a neighbour's, waiting for a moment only.
func TestHostsInherited(t *testing.T) {
	const documented = 10 * time.Second
	h := NewHosts(baseInterval)
	stays, goes := h.New(start, "nat"), h.New(start, "nat")
	now := at(time.Minute)
	for _, b := range []*Budget{stays, goes} {
		for range 8 { // 1,200 shares that can't be judged each time
			b.Verified(now, 360*time.Millisecond, 1200, 0)
			b.Served(now, time.Minute)
		}
	}
	if goes.own.verify.Wait(now) < time.Minute || goes.own.serve.Wait(now) < time.Minute {
		t.Fatal("it owes too little")
	}
	h.End(now, goes)
	b := h.New(now, "nat")
	for _, m := range []message.Message{shares(1), &message.GetLocator{Locator: ids(30)}} {
		if v := b.Received(now, m, size(m)); v.Wait == 0 || v.Wait > documented {
			t.Errorf("%s waits for %v", m.Command(), v.Wait)
		}
		if v := b.Received(now.Add(documented), m, size(m)); v.Wait > 0 {
			t.Errorf("%s waits for %v more", m.Command(), v.Wait)
		}
	}
}

// TestHostsLeaveDebts: eight connections that end when they owe more time than the next ones
// have to wait for don't get much more than their 20 ms/s by that.
func TestHostsLeaveDebts(t *testing.T) {
	const conns, minutes, batch, each = 8, 10, 300, 300 * time.Microsecond
	h := NewHosts(baseInterval)
	var list [conns]*Budget
	var ready [conns]time.Time
	for i := range conns {
		list[i] = h.New(start, "crowd")
	}
	judged := time.Duration(0)
	for now := start; now.Before(at(minutes * time.Minute)); now = now.Add(50 * time.Millisecond) {
		for i, b := range list {
			if now.Before(ready[i]) {
				continue
			}
			if !ready[i].IsZero() { // the message that had to wait
				b.Verified(now, batch*each, batch, 0)
				judged += batch * each
				if b.own.verify.Wait(now) > maxInherited {
					h.End(now, b)
					b = h.New(now, "crowd")
					list[i] = b
				}
			}
			ready[i] = now.Add(b.Received(now, shares(batch), batch*800).Wait)
		}
	}
	if perSecond := judged / (60 * minutes); perSecond > 50*time.Millisecond {
		t.Errorf("%v a second", perSecond)
	} else {
		t.Logf("%v a second", perSecond)
	}
}

// TestHostsTurns: a new connection of a host that has used up its time is not before
// others in the queue.
func TestHostsTurns(t *testing.T) {
	h := NewHosts(baseInterval)
	b := h.New(start, "spent")
	b.Verified(start, time.Second, 10, 0)
	b.Served(start, 20*time.Second)
	h.End(start, b)
	back, other := h.New(start, "spent"), h.New(start, "other")
	other.Verified(start, 100*time.Millisecond, 10, 0)
	other.Served(start, time.Second)
	if back.VerifyRank(start) >= other.VerifyRank(start) || back.ServeRank(start) >= other.ServeRank(start) {
		t.Error("who comes back goes first")
	}
	back.Verified(start, 10*time.Millisecond, 10, 0)
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
		h.End(now, b)
	}
}

// TestHostsBounded: as many hosts as one likes take bounded memory, and a spent one is
// not forgotten for idle ones.
func TestHostsBounded(t *testing.T) {
	h := NewHosts(baseInterval)
	b := h.New(start, "spent")
	b.Served(start, 1000*time.Second)
	h.End(start, b)
	for i := range 3 * maxHosts {
		host := fmt.Sprint(i)
		b := h.New(start, host)
		b.Received(start, &message.Ping{}, 32)
		h.End(start, b)
		if h.Len() > maxHosts {
			t.Fatalf("%d hosts are remembered", h.Len())
		}
	}
	b = h.New(start, "spent")
	if b.ServeRank(start) > 0 {
		t.Error("the spent host was forgotten")
	}
	h.End(start, b)
	later := at(maxWait)
	b = h.New(later, "x")
	b.Received(later, &message.Ping{}, 32)
	h.End(later, b)
	if h.Len() != 1 {
		t.Errorf("%d hosts are remembered after an hour", h.Len())
	}
}
