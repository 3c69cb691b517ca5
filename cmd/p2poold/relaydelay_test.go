//go:build unix

package main

import (
	"context"
	"net"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/peer"
)

// listener is a bare connection to a node that notes when it was sent which share.
type listener struct {
	*peer.Peer
	mu   sync.Mutex
	seen map[chainhash.Hash]time.Time
	more int // shares that came again
}

// listen connects to a node over loopback until the end of the test.
func (n *joinNode) listen() *listener {
	n.net.Helper()
	conn, err := net.Dial("tcp", n.addr())
	if err != nil {
		n.net.Fatal(err)
	}
	l := &listener{seen: make(map[chainhash.Hash]time.Time)}
	ready := make(chan struct{})
	l.Peer = peer.New(peer.Config{
		Conn: conn, Magic: n.net.params.Magic, ChainID: n.net.params.ChainID, V2: true,
		Version: func() *message.Version {
			return &message.Version{
				Protocol: message.ProtocolVersion, Services: message.ServiceV2, Nonce: uint64(conn.LocalAddr().(*net.TCPAddr).Port),
				ChainID: n.net.params.ChainID, Mode: message.LowLatency,
			}
		},
		Ready:  func(*peer.Peer) { close(ready) },
		Handle: func(_ *peer.Peer, m message.Message) { l.take(m) },
	})
	done := make(chan error, 1)
	go func() { done <- l.Run(context.Background()) }()
	n.net.Cleanup(func() {
		l.Disconnect(peer.ReasonShutdown, nil)
		<-done
	})
	select {
	case <-ready:
	case err := <-done:
		n.net.Fatalf("no handshake: %v", err)
	}
	return l
}

func (l *listener) take(m message.Message) {
	now := time.Now()
	shares, ok := m.(*message.Shares)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, raw := range shares.Raw {
		s, err := share.Decode(raw)
		if err != nil {
			panic(err)
		}
		if _, again := l.seen[s.ID()]; again {
			l.more++
		}
		l.seen[s.ID()] = now
	}
}

func (l *listener) when(id chainhash.Hash) (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.seen[id]
	return at, ok
}

// delays sends new shares by one peer of the node and returns how long each took to
// every other one: two ways over loopback, and between them judging, storing and
// queueing.
func delays(t testing.TB, peers, shares int) (list []time.Duration) {
	net := newJoinNet(t, 100)
	n := net.start(t.TempDir())
	n.mine(200)
	all := make([]*listener, peers)
	for i := range all {
		all[i] = n.listen()
	}
	for range shares {
		s := net.build(n.chain, n.chain.Tip(), true)
		net.now.Add(int64(net.params.ShareInterval/time.Second) + slow)
		id := s.ID()
		msg := &message.Shares{Raw: [][]byte{s.Encode()}}
		sent := time.Now()
		all[0].Send(msg)
		for _, l := range all[1:] {
			net.until("the share at every peer", patience, func() bool { _, ok := l.when(id); return ok })
			at, _ := l.when(id)
			list = append(list, at.Sub(sent))
		}
	}
	for _, l := range all {
		if l.more > 0 {
			t.Errorf("%d shares came twice", l.more)
		}
	}
	if _, ok := all[0].when(n.chain.Tip().ID); ok {
		t.Error("the sender got its own share back")
	}
	slices.Sort(list)
	return list
}

// TestRelay: a new share reaches every other peer, once.
func TestRelay(t *testing.T) {
	noLeaks(t)
	list := delays(t, 10, 5)
	t.Logf("p50 %v, p99 %v", list[len(list)/2], list[len(list)*99/100])
}

// BenchmarkRelayDelay is the time from sending a new share to one of 50 peers' until
// the others have it.
func BenchmarkRelayDelay(b *testing.B) {
	const peers, shares = 50, 200
	for b.Loop() {
		list := delays(b, peers, shares)
		for _, p := range []struct {
			name string
			part int
		}{{"ms-p50", 500}, {"ms-p99", 990}, {"ms-p99.9", 999}} {
			b.ReportMetric(float64(list[len(list)*p.part/1000].Microseconds())/1000, p.name)
		}
	}
}

// BenchmarkIdlePeers is the CPU time that 125 peers cost who have nothing to say,
// their own ends of the connections included.
func BenchmarkIdlePeers(b *testing.B) {
	const peers, idle = 114, 20 * time.Second // the inbound slots; 11 more cost the same each
	net := newJoinNet(b, 100)
	n := net.start(b.TempDir())
	n.mine(10)
	for range peers {
		n.listen()
	}
	time.Sleep(time.Second)
	runtime.GC()
	for b.Loop() {
		before := cpuTime(b)
		time.Sleep(idle)
		used := cpuTime(b) - before
		b.ReportMetric(100*used.Seconds()/idle.Seconds()*125/peers, "%-core")
	}
}

// cpuTime returns what the process has used of all cores.
func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
