package p2p

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
)

// neighbours stands for the local network in a test.
type neighbours struct{ found chan netip.AddrPort }

func newNeighbours() *neighbours { return &neighbours{make(chan netip.AddrPort)} }

// search is what the Server calls instead of listening to the network.
func (n *neighbours) search(ctx context.Context, found func(context.Context, netip.AddrPort)) {
	for {
		select {
		case a := <-n.found:
			found(ctx, a)
		case <-ctx.Done():
			return
		}
	}
}

// join makes a server search among the neighbours.
func (n *neighbours) join(s *Server) { s.searchLAN = n.search }

func withLAN(cfg *Config) { cfg.MaxLAN = DefaultLAN }

func portOf(s *testServer) netip.AddrPort { return netip.MustParseAddrPort(s.Addr().String()) }

// slotsInLAN returns the addresses that have a slot.
func slotsInLAN(s *Server) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for a := range s.lan {
		list = append(list, a.String())
	}
	slices.Sort(list)
	return list
}

// TestLAN: a node that was found is connected to, once, however often it is heard
// of; its connection counts for nothing else, and its slot is free when it is gone.
func TestLAN(t *testing.T) {
	noLeaks(t)
	near := newNeighbours()
	a := start(t, new(fakechain.Chain), withLAN, near.join)
	b := start(t, new(fakechain.Chain), nil)
	for range 100 {
		near.found <- portOf(b)
	}
	eventually(t, "the connection", func() bool { return a.ConnectedCount() == 1 && b.ConnectedCount() == 1 })
	near.found <- portOf(b)
	if n := a.outboundCount(); n != 0 {
		t.Errorf("%d outbound peers keep it from asking seeds", n)
	}
	a.mine(3, 1)
	eventually(t, "the sync", sameTip(a, b))
	b.stop()
	eventually(t, "the end of the attempts", func() bool { return len(slotsInLAN(a.Server)) == 0 })
}

// TestLANSelf: this node is not dialed again when it has met itself.
func TestLANSelf(t *testing.T) {
	near := newNeighbours()
	a := start(t, new(fakechain.Chain), withLAN, near.join)
	near.found <- portOf(a)
	eventually(t, "the end of the attempt", func() bool { return len(slotsInLAN(a.Server)) == 0 })
	near.found <- portOf(a)
	if n := slotsInLAN(a.Server); len(n) != 0 {
		t.Errorf("%v has a slot", n)
	}
}

// TestLANBoth: two nodes that find each other at a time end up with one connection.
func TestLANBoth(t *testing.T) {
	nearA, nearB := newNeighbours(), newNeighbours()
	a := start(t, new(fakechain.Chain), withLAN, nearA.join)
	b := start(t, new(fakechain.Chain), withLAN, nearB.join)
	go func() { nearA.found <- portOf(b) }()
	nearB.found <- portOf(a)
	eventually(t, "one connection", func() bool {
		return a.ConnectedCount() == 1 && b.ConnectedCount() == 1 && len(slotsInLAN(a.Server))+len(slotsInLAN(b.Server)) == 1
	})
}

// TestLANFlood: of 10,000 nodes that somebody claims there are, few are dialed at a
// time, and few of one machine; the dials are slow.
func TestLANFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		dials := make(map[string]int)
		now, most := 0, 0
		near := newNeighbours()
		cfg := Config{Params: testParams(t, "main"), Chain: new(fakechain.Chain), MaxLAN: DefaultLAN,
			Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
				mu.Lock()
				dials[addr]++
				now++
				most = max(most, now)
				mu.Unlock()
				_ = wait(ctx, time.Second)
				mu.Lock()
				now--
				mu.Unlock()
				return nil, errors.New("nobody there")
			}}
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		near.join(s)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		for i := range 10_000 {
			near.found <- netip.MustParseAddrPort(fmt.Sprintf("10.0.%d.%d:9333", i>>8, i&255))
		}
		synctest.Wait()
		if n := len(slotsInLAN(s)); n != DefaultLAN {
			t.Errorf("%d slots taken", n)
		}
		time.Sleep(time.Hour)
		if n := len(slotsInLAN(s)); n != 0 {
			t.Errorf("%d slots taken for good", n)
		}
		for port := range 100 {
			near.found <- netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(1+port))
		}
		synctest.Wait()
		if n := len(slotsInLAN(s)); n != maxPerLANHost {
			t.Errorf("%d slots for one machine", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		total := 0
		for addr, n := range dials {
			if total += n; n > lanAttempts {
				t.Errorf("%s was dialed %d times", addr, n)
			}
		}
		t.Logf("%d addresses dialed, %d times, %d at once", len(dials), total, most)
		if most > DefaultLAN || len(dials) > DefaultLAN+maxPerLANHost {
			t.Errorf("%d addresses, %d at once", len(dials), most)
		}
	})
}

// TestLANBanned: who is banned is not dialed here either.
func TestLANBanned(t *testing.T) {
	near := newNeighbours()
	a := start(t, new(fakechain.Chain), withLAN, near.join)
	if err := a.Ban("10.9.9.9", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	near.found <- netip.MustParseAddrPort("10.9.9.9:9333")
	if n := slotsInLAN(a.Server); len(n) != 0 {
		t.Errorf("%v has a slot", n)
	}
}

// TestLANOff: with Connect nobody is looked for.
func TestLANOff(t *testing.T) {
	s, err := New(Config{Params: testParams(t, "main"), Chain: new(fakechain.Chain), Connect: []string{"127.0.0.1:1"}, MaxLAN: DefaultLAN})
	if err != nil || s.cfg.MaxLAN != 0 {
		t.Error(s.cfg.MaxLAN, err)
	}
}
