package peer

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/peer/peertest"
)

const (
	// framesVariable in the environment is the number of bad frames in TestBadFrames,
	// badFrames that without it.
	framesVariable = "P2POOL_FRAMES"
	badFrames      = 100_000
	// badFramesLimit bounds the wait for the end of all goroutines.
	badFramesLimit = 10 * time.Second
)

// TestBadFrames: bad frames before and after the handshake end connections at worst.
// Whatever they contain, nothing panics, and no goroutine stays behind.
func TestBadFrames(t *testing.T) {
	n := badFrames
	if text := os.Getenv(framesVariable); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", framesVariable, err)
		}
	}
	before := runtime.NumGoroutine()
	begun := time.Now()
	var wg sync.WaitGroup
	var bad batch
	workers := runtime.GOMAXPROCS(0)
	for i := range workers {
		frames := peertest.NewFrames(uint64(i), testMagic, testChain)
		wg.Go(func() {
			for i := range n / workers {
				bad.try(t, frames.Next(), i%2 == 0, i%16 == 1)
			}
		})
	}
	wg.Wait()
	for deadline := time.Now().Add(badFramesLimit); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
	took := time.Since(begun)
	t.Logf("%d bad frames in %v, half of them before the handshake: 0 panics, 0 goroutines left; connections ended: %s; %d frames were messages",
		bad.sent.Load(), took.Round(time.Millisecond), bad.ends(), bad.handled.Load())
	if handled := bad.handled.Load(); handled > bad.sent.Load()/2 {
		t.Errorf("%d of the frames are good", handled)
	}
}

// batch counts what became of bad frames.
type batch struct {
	sent, handled atomic.Int64

	mu      sync.Mutex
	reasons map[Reason]int // why connections ended
}

// ends words why connections ended.
func (b *batch) ends() string {
	var parts []string
	for _, r := range slices.Sorted(maps.Keys(b.reasons)) {
		parts = append(parts, fmt.Sprintf("%s %d", r, b.reasons[r]))
	}
	return strings.Join(parts, ", ")
}

// try sends one frame on a connection of its own, perhaps behind the handshake, and
// hangs up. v2 says whether the listener knows that transport.
func (b *batch) try(t *testing.T, frame []byte, met, v2 bool) {
	b.sent.Add(1)
	if met {
		frame = append(hello(t), frame...)
	}
	err := New(Config{
		Conn: &canned{Reader: bytes.NewReader(frame)}, Inbound: true, Magic: testMagic, ChainID: testChain, V2: v2,
		Version: func() *message.Version { return testVersion(2) },
		Ready:   func(*Peer) {},
		Handle:  func(*Peer, message.Message) { b.handled.Add(1) },
	}).Run(t.Context())
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reasons == nil {
		b.reasons = make(map[Reason]int)
	}
	b.reasons[err.(*Error).Reason]++
}

// hello returns the dialer's part of the handshake.
func hello(t *testing.T) (b []byte) {
	for _, m := range []message.Message{testVersion(1), &message.VerAck{}} {
		var err error
		if b, err = message.AppendFrame(b, testMagic, m); err != nil {
			t.Error(err)
		}
	}
	return b
}

// canned is a connection whose other side has said all that it will, and reads
// everything.
type canned struct{ *bytes.Reader }

func (c *canned) Write(b []byte) (int, error)      { return len(b), nil }
func (c *canned) Close() error                     { return nil }
func (c *canned) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *canned) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *canned) SetDeadline(time.Time) error      { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }
