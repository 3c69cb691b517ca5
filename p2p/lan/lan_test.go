package lan

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/decred/slog"
)

// run runs Finders until the returned function is called.
func run(t *testing.T, finders ...*Finder) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, f := range finders {
		wg.Go(func() {
			if err := f.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// TestMeet: nodes of a pool find each other, whichever was first; a node that does
// not listen finds others and is not found; those of other pools don't meet.
func TestMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(fakeNet)
		a, foundA := newFinder(network.host("192.168.1.10/24"), chainID, 9333)
		b, foundB := newFinder(network.host("192.168.1.11/24"), chainID, 9334)
		same, foundSame := newFinder(network.host("192.168.1.10/24"), chainID, 9335) // on the same machine
		quiet, foundQuiet := newFinder(network.host("192.168.1.12/24"), chainID, 0)
		other, foundOther := newFinder(network.host("192.168.1.13/24"), []byte("another pool"), 9333)
		stop := run(t, a, other)
		time.Sleep(10 * time.Minute)
		stopLate := run(t, b, same, quiet)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		equalStrings(t, foundA.distinct(), "192.168.1.10:9335", "192.168.1.11:9334")
		equalStrings(t, foundB.distinct(), "192.168.1.10:9333", "192.168.1.10:9335")
		equalStrings(t, foundSame.distinct(), "192.168.1.10:9333", "192.168.1.11:9334")
		equalStrings(t, foundQuiet.distinct(), "192.168.1.10:9333", "192.168.1.10:9335", "192.168.1.11:9334")
		equalStrings(t, foundOther.distinct())
		if q, n := network.sentBy("192.168.1.12"); q == 0 || n != 0 {
			t.Errorf("who does not listen asked %d times and announced %d times", q, n)
		}
		before := foundA.len()
		stopLate()
		synctest.Wait()
		if foundA.len() != before {
			t.Error("who takes leave is found")
		}
		stop()
	})
}

// TestRates: the questions get rare, and answers come once a second however often
// somebody asks.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(fakeNet)
		f, _ := newFinder(network.host("10.0.0.2/8"), chainID, 9333)
		stop := run(t, f)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		q, n := network.sentBy("10.0.0.2")
		if q < 24 || q > 12+24 || n > 2+q {
			t.Errorf("%d questions and %d announcements in a day", q, n)
		}
		text, err := query()
		if err != nil {
			t.Fatal(err)
		}
		_, before := network.sentBy("10.0.0.2")
		for range 10_000 {
			network.send(netip.MustParseAddrPort("10.0.0.3:5353"), true, text)
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if _, n := network.sentBy("10.0.0.2"); n-before > 11 || n == before {
			t.Errorf("%d answers to 10,000 questions in 10 s", n-before)
		}
		stop()
		// The last word is that it leaves.
		last := network.sent[len(network.sent)-1].text
		if h := f.self.read(last); h.asked || len(h.ports) > 0 || !bytes.Contains(last, []byte("\x07_p2pool")) {
			t.Errorf("at the end it said %q", last)
		}
	})
}

// TestStrangers: what does not come from a neighbour to the group is not heard.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(fakeNet)
		f, found := newFinder(network.host("192.168.1.10/24"), chainID, 0)
		stop := run(t, f)
		synctest.Wait()
		node := newIdentity(chainID, []byte("another"), 9333)
		text, err := node.announcement(ttl, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, from := range []string{"8.8.8.8:5353", "192.168.2.10:5353", "127.0.0.1:5353", "192.168.1.11:40000", "[fe80::1]:5353"} {
			network.send(netip.MustParseAddrPort(from), true, text)
		}
		network.send(netip.MustParseAddrPort("192.168.1.12:5353"), false, text)
		network.send(netip.MustParseAddrPort("192.168.1.13:5353"), true, text)
		synctest.Wait()
		equalStrings(t, found.distinct(), "192.168.1.13:9333")
		stop()
	})
}

// TestFlood: 10,000 answers of as many nodes are thrown away but for the first, and
// leave nothing in memory.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(fakeNet)
		var count int
		f, _ := newFinder(network.host("10.0.0.2/8"), chainID, 9333)
		f.cfg.OnFound = func(netip.AddrPort) { count++ }
		stop := run(t, f)
		synctest.Wait()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range 10_000 {
			node := newIdentity(chainID, fmt.Append(nil, i), uint16(1+i))
			text, err := node.announcement(ttl, nil)
			if err != nil {
				t.Fatal(err)
			}
			network.send(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 5353), true, text)
			synctest.Wait()
			network.forget()
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		t.Logf("10,000 answers at once: %d heard, heap grown by %d kB", count, (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>10)
		if count > maxBurst || count == 0 {
			t.Errorf("%d heard", count)
		}
		if after.HeapAlloc > before.HeapAlloc+256<<10 {
			t.Errorf("the heap has grown by %d bytes", after.HeapAlloc-before.HeapAlloc)
		}
		// Afterwards it hears as before.
		time.Sleep(time.Minute)
		old := count
		node := newIdentity(chainID, []byte("honest"), 9333)
		text, _ := node.announcement(ttl, nil)
		network.send(netip.MustParseAddrPort("10.0.0.3:5353"), true, text)
		synctest.Wait()
		if count != old+1 {
			t.Errorf("%d heard afterwards", count-old)
		}
		stop()
	})
}

// TestMove: where there is no network nothing happens but a line in the log, and a
// machine that gets into another network looks for nodes there.
func TestMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(fakeNet)
		h := network.host()
		var out text
		f, found := newFinder(h, chainID, 9333)
		f.cfg.Log = slog.NewBackend(&out).Logger("TEST")
		f.cfg.Log.SetLevel(slog.LevelDebug)
		other, _ := newFinder(network.host("192.168.7.7/24"), chainID, 9333)
		stop := run(t, f, other)
		time.Sleep(time.Hour)
		if n := strings.Count(out.String(), "\n"); n != 1 || !strings.Contains(out.String(), "DBG") {
			t.Errorf("without a network: %q", out.String())
		}
		h.move("192.168.7.8/24")
		time.Sleep(2 * watchInterval)
		synctest.Wait()
		equalStrings(t, found.distinct(), "192.168.7.7:9333")
		h.move("10.0.0.1/8")
		time.Sleep(2 * watchInterval)
		synctest.Wait()
		if q, n := network.sentBy("10.0.0.1"); q == 0 || n == 0 {
			t.Errorf("in the other network: %d questions, %d announcements", q, n)
		}
		h.breakDown()
		h.move("10.0.0.2/8")
		time.Sleep(2 * watchInterval)
		stop()
		if got := out.String(); strings.Count(got, "\n") != 2 {
			t.Errorf("at last: %q", got)
		}
	})
}

// TestSocketFails: a socket that fails is opened again.
func TestSocketFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(fakeNet)
		f, _ := newFinder(network.host("10.0.0.1/8"), chainID, 9333)
		stop := run(t, f)
		synctest.Wait()
		network.sockets[0].Close()
		time.Sleep(2 * watchInterval)
		network.mu.Lock()
		if len(network.sockets) != 2 {
			t.Errorf("%d sockets", len(network.sockets))
		}
		network.mu.Unlock()
		stop()
	})
}

// TestNames: each run has another name.
func TestNames(t *testing.T) {
	a, _ := newFinder(nil, chainID, 1)
	b, _ := newFinder(nil, chainID, 1)
	if a.self.instance == b.self.instance || a.self.host == b.self.host {
		t.Error(a.self.instance)
	}
}
