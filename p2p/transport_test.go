package p2p

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/peer"
)

// v1Only makes start build nodes without the v2 transport.
var v1Only bool

// TestOverV1 runs again, over the v1 transport, what nodes do with each other.
func TestOverV1(t *testing.T) {
	v1Only = true
	defer func() { v1Only = false }()
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"SyncRelayRestart", TestSyncRelayRestart}, {"Peers", TestPeers}, {"Reconnect", TestReconnect},
		{"SelfConnection", TestSelfConnection}, {"SelfAddNode", TestSelfAddNode},
		{"MaxInbound", TestMaxInbound}, {"SlowValidation", TestSlowValidation},
		{"JoinPruned", TestJoinPruned}, {"InvalidInBatch", TestInvalidInBatch},
	} {
		t.Run(test.name, test.run)
	}
}

// overTransport is a change of the configuration.
func overTransport(v1 bool, more ...func(*Config)) func(*Config) {
	return func(cfg *Config) {
		cfg.V1Only = v1
		for _, change := range more {
			change(cfg)
		}
	}
}

// TestMixedTransports: nodes with and without v2 sync with each other in all
// combinations.
func TestMixedTransports(t *testing.T) {
	noLeaks(t)
	for _, dialerV1 := range []bool{false, true} {
		for _, listenerV1 := range []bool{false, true} {
			t.Run(fmt.Sprintf("dialer v1 %v, listener v1 %v", dialerV1, listenerV1), func(t *testing.T) {
				full := new(fakechain.Chain)
				full.Extend(100, 1)
				a := start(t, full, overTransport(listenerV1))
				b := start(t, new(fakechain.Chain), overTransport(dialerV1, dialing(a)))
				eventually(t, "synced", sameTip(a, b))
				b.mine(1, 2)
				eventually(t, "relayed", sameTip(a, b))
				in, out := a.Peers()[0], b.Peers()[0]
				v2 := !dialerV1 && !listenerV1
				if (in.SessionID != nil) != v2 || string(in.SessionID) != string(out.SessionID) {
					t.Errorf("session ids %x and %x", in.SessionID, out.SessionID)
				}
				if b.v1Nodes.has(a.Addr().String()) != (listenerV1 && !dialerV1) {
					t.Error("the address is remembered wrongly")
				}
				b.stop()
				a.stop()
			})
		}
	}
}

// TestFallbackOnce: a node that knows v1 only costs one more dial, the first time.
// One that hangs up on both is not taken for one.
func TestFallbackOnce(t *testing.T) {
	a := start(t, new(fakechain.Chain), overTransport(true))
	var dials atomic.Int32
	b := start(t, new(fakechain.Chain), func(cfg *Config) {
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	})
	addr := a.Addr().String()
	for want := int32(2); want <= 4; want++ {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- b.dialAndRun(ctx, addr, link{ready: b.readyNamed}).err
		}()
		eventually(t, "connected", func() bool { return a.ConnectedCount() == 1 && b.ConnectedCount() == 1 })
		if dials.Load() != want {
			t.Errorf("%d dials, want %d", dials.Load(), want)
		}
		cancel()
		<-done
		eventually(t, "gone", func() bool { return a.ConnectedCount() == 0 && b.ConnectedCount() == 0 })
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	before := dials.Load()
	d := b.dialAndRun(t.Context(), l.Addr().String(), link{ready: b.readyNamed})
	if d.err == nil || dials.Load() != before+2 || b.v1Nodes.has(l.Addr().String()) {
		t.Errorf("%d dials, %v", dials.Load()-before, d.err)
	}
}

// TestFallbackBusy: a node that knows v2 and only had no time for it is asked for
// v2 again.
func TestFallbackBusy(t *testing.T) {
	a := start(t, new(fakechain.Chain), nil)
	var dials atomic.Int32
	b := start(t, new(fakechain.Chain), dialing(a), func(s *Server) {
		s.cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials.Add(1) > 1 {
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			ours, theirs := net.Pipe()
			theirs.Close()
			return ours, nil
		}
	})
	eventually(t, "connected", func() bool { return a.ConnectedCount() == 1 && b.ConnectedCount() == 1 })
	if b.Peers()[0].SessionID != nil || b.v1Nodes.has(a.Addr().String()) || dials.Load() != 2 {
		t.Errorf("it is remembered as v1, or not tried: %d dials", dials.Load())
	}
}

func TestV1Memory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n v1Nodes
		for i := range 3 * maxV1Nodes {
			n.add(fmt.Sprint(i))
		}
		if len(n.until) != maxV1Nodes || !n.has(fmt.Sprint(3*maxV1Nodes-1)) {
			t.Errorf("%d addresses", len(n.until))
		}
		n.add("a")
		time.Sleep(v1Memory)
		if !n.has("a") || n.has("b") {
			t.Error("forgotten early")
		}
		time.Sleep(time.Nanosecond)
		if n.has("a") {
			t.Error("not forgotten")
		}
	})
}

// TestHalfV2Handshakes: strangers that stop within a v2 handshake hold their group's
// slots and no more, and don't keep an honest peer out once one of them is gone.
func TestHalfV2Handshakes(t *testing.T) {
	noLeaks(t)
	a := start(t, new(fakechain.Chain), nil)
	half := make([]net.Conn, MaxPendingPerGroup)
	for i := range half {
		half[i] = dial(t, a)
		half[i].Write(make([]byte, 1+i*63))
		// A key comes in answer to the first byte that is not v1's.
		if _, err := io.ReadFull(half[i], make([]byte, 64)); err != nil {
			t.Fatalf("no key in answer: %v", err)
		}
	}
	if n, _ := io.Copy(io.Discard, dial(t, a)); n != 0 {
		t.Errorf("a connection over the limit got %d bytes", n)
	}
	half[0].Close()
	eventually(t, "room", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.callers.list) < MaxPendingPerGroup
	})
	b := start(t, new(fakechain.Chain), dialing(a))
	eventually(t, "an honest peer", func() bool { return a.ConnectedCount() == 1 && b.ConnectedCount() == 1 })
	if b.Peers()[0].SessionID == nil {
		t.Error("not over v2")
	}
}

// TestV2Off: a node without v2 treats a v2 handshake like any garbage.
func TestV2Off(t *testing.T) {
	a := start(t, new(fakechain.Chain), overTransport(true))
	conn := dial(t, a)
	conn.Write(make([]byte, 64))
	if n, _ := io.Copy(io.Discard, conn); n != 0 {
		t.Errorf("%d bytes in answer", n)
	}
	if s := a.services(); s != 0 {
		t.Errorf("services %x", s)
	}
	_, err := a.runPeer(t.Context(), dial(t, a), link{})
	if e, ok := err.(*peer.Error); !ok || e.Reason != peer.ReasonSelf {
		t.Errorf("%v", err)
	}
}
