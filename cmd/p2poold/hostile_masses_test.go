package main

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p"
	"github.com/p2poold/p2poold/p2p/peer"
	"github.com/p2poold/p2poold/p2p/peer/peertest"
)

const (
	// tcpFramesVariable in the environment is the number of bad frames in
	// TestBadFramesOverTCP, tcpFrames that without it.
	tcpFramesVariable = "P2POOL_TCP_FRAMES"
	tcpFrames         = 10_000
	// halfOpen is the number of connections in TestHalfOpen that never finish their
	// handshake.
	halfOpen = 1_000
	// hurry is how many times shorter the deadlines of attackers' connections are in
	// TestHalfOpen, but for a run with siegeVariable set.
	hurry = 60
	// pingLimit bounds an honest peer's 99th percentile: while bad frames come, and
	// half-open connections.
	pingLimitFrames = 100 * time.Millisecond
	pingLimitOpen   = 200 * time.Millisecond
)

// numberFrom returns a number from the environment, or the usual one.
func numberFrom(t *testing.T, variable string, usual int) int {
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// steadyPings sends pings by one stranger after the other, as each may send so many at
// once, until stop is closed.
func (s *siege) steadyPings(t *testing.T, stop <-chan struct{}) (trips []time.Duration) {
	const each, over = 40, time.Second
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	for ctx.Err() == nil {
		p, err := s.newProber()
		if err != nil {
			t.Error(err)
			return trips
		}
		some, err := p.run(ctx, each, over)
		p.conn.Close()
		if trips = append(trips, some...); err != nil {
			t.Error(err)
			return trips
		}
	}
	return trips
}

// TestBadFramesOverTCP: bad frames from all sides, before and after the handshake,
// disturb nobody else. The victim knows v1 only: with v2, whatever does not begin like
// a frame is a key, and of those it takes 40 a second.
func TestBadFramesOverTCP(t *testing.T) {
	noLeaks(t)
	s := newSiege(t, func(_ *siege, cfg *p2p.Config) { cfg.V1Only = true })
	s.ally(t)
	n := numberFrom(t, tcpFramesVariable, tcpFrames)
	const workers, groups = 4, 200
	honest := s.honestPeers()
	before := runtime.NumGoroutine()
	stop := make(chan struct{})
	trips := make(chan []time.Duration, 1)
	go func() { trips <- s.steadyPings(t, stop) }()

	begun := time.Now()
	var wg, all sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tally := new(tally)
	for w := range workers {
		frames := peertest.NewFrames(uint64(100+w), s.params.Magic, s.params.ChainID, s.oldShares(3)...)
		rng := rand.New(rand.NewPCG(uint64(w), 3))
		wg.Go(func() {
			for i := range n / workers {
				f := &foe{siege: s, ctx: ctx, host: hostAt(w*groups+i%groups, 1), tally: tally, wg: &all, rng: rng}
				if err := f.throw(frames.Next(), i%2 == 1); err != nil && ctx.Err() == nil {
					t.Errorf("frame %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	close(stop)
	pings := <-trips
	if p99 := rank(pings, 0.99); p99 > pingLimitFrames && !raceDetector {
		t.Errorf("p99 of an honest peer's ping is %v", p99)
	}
	if _, err := s.deliver(s.victim, s.honest...); err != nil {
		t.Error(err)
	}
	if got := s.honestPeers(); len(got) != len(honest) || got[0] != honest[0] {
		t.Errorf("honest connections %v, before %v", got, honest)
	}
	s.aftermath(before)
	t.Logf("%d bad frames over TCP in %v: 0 panics, 0 goroutines left; an honest peer's pings p99 %s; %s",
		n, took.Round(time.Millisecond), ms(rank(pings, 0.99)), describe(s.journal.endings(hostNone)))
}

// throw sends one frame on a connection of its own, perhaps behind the handshake, says
// that it was the last, and waits for the victim to hang up.
func (f *foe) throw(frame []byte, met bool) error {
	l, err := f.dial()
	if err != nil {
		return err
	}
	defer l.Close()
	if met {
		if err := l.introduce(); err != nil {
			return nil // no room just now
		}
	}
	l.Write(frame)
	f.tally.messages.Add(1)
	l.Conn.(*net.TCPConn).CloseWrite()
	_ = l.SetReadDeadline(time.Now().Add(patience))
	_, err = io.Copy(io.Discard, l)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the victim does not hang up")
	}
	return nil
}

// TestHalfOpen: connections that never finish their handshake are closed within a
// minute, and disturb nobody else. The minute is a second here.
func TestHalfOpen(t *testing.T) {
	noLeaks(t)
	s := newSiege(t, func(s *siege, cfg *p2p.Config) { cfg.MaxInbound = halfOpen + p2p.DefaultMaxInbound })
	s.ally(t)
	s.door.hurry = hurry
	if os.Getenv(siegeVariable) != "" {
		s.door.hurry = 1
	}
	limit := peer.HandshakeTimeout / time.Duration(s.door.hurry)
	before := runtime.NumGoroutine()
	start := spent(true)
	stop := make(chan struct{})
	trips := make(chan []time.Duration, 1)
	go func() { trips <- s.steadyPings(t, stop) }()

	var wg sync.WaitGroup
	var mu sync.Mutex
	var lives []time.Duration
	for i := range halfOpen {
		f := &foe{siege: s, ctx: t.Context(), host: hostAt(i/p2p.MaxPendingPerGroup, 1+i%p2p.MaxPendingPerGroup), tally: new(tally), rng: newRand()}
		l, err := f.dial()
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer l.Close()
			begun := time.Now()
			l.Write(f.frames(f.version())[:i%100]) // nothing, or a part of the first message
			io.Copy(io.Discard, l)
			mu.Lock()
			defer mu.Unlock()
			lives = append(lives, time.Since(begun))
		})
	}
	heap := spent(true).live - start.live
	wg.Wait()
	close(stop)
	pings := <-trips
	if longest := rank(lives, 1); longest > limit+time.Second {
		t.Errorf("a half-open connection lived for %v", longest)
	}
	if p99 := rank(pings, 0.99); p99 > pingLimitOpen && !raceDetector {
		t.Errorf("p99 of an honest peer's ping is %v", p99)
	}
	if _, err := s.deliver(s.victim, s.honest...); err != nil {
		t.Error(err)
	}
	if n := s.journal.endings(hostNone)[string(peer.ReasonHandshake)]; n != halfOpen {
		t.Errorf("%d of %d connections ended for %q", n, halfOpen, peer.ReasonHandshake)
	}
	s.until("all goroutines are gone", patience, func() bool { return runtime.NumGoroutine() <= before })
	t.Logf("%d half-open connections with a handshake timeout of %v: closed after %v in the median, %v at most; heap +%s; an honest peer's pings p99 %s; %s",
		halfOpen, limit, rank(lives, 0.5).Round(time.Millisecond), rank(lives, 1).Round(time.Millisecond), inMiB(heap),
		ms(rank(pings, 0.99)), describe(s.journal.endings(hostNone)))
}
