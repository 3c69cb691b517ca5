package peer

import (
	"bytes"
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// slowBudget lets each message wait, and ends the connection at the nth.
type slowBudget struct {
	wait time.Duration
	last int

	mu    sync.Mutex
	sent  []string
	sizes []int
}

func (b *slowBudget) Sent(m message.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, m.Command())
}

func (b *slowBudget) Received(_ message.Message, size int) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sizes = append(b.sizes, size)
	return b.wait, len(b.sizes) != b.last
}

// TestBudget: a message that has to wait holds up all behind it, and what is too much
// ends the connection without being a violation.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		b := &slowBudget{wait: 10 * time.Second, last: 5}
		var times []time.Time
		cfg := Config{
			Conn: ours, Inbound: true, Magic: testMagic, ChainID: testChain, Budget: b,
			Version: func() *message.Version { return testVersion(1) },
			Ready:   func(*Peer) {},
			Handle:  func(*Peer, message.Message) { times = append(times, time.Now()) },
		}
		p := New(cfg)
		done := make(chan error, 1)
		go func() { done <- p.Run(context.Background()) }()
		other := New(Config{
			Conn: theirs, Magic: testMagic, ChainID: testChain,
			Version: func() *message.Version { return testVersion(2) },
			Ready:   func(*Peer) {}, Handle: func(*Peer, message.Message) {},
		})
		go func() { _ = other.Run(context.Background()) }()
		synctest.Wait()
		start := time.Now()
		p.Send(&message.GetAddr{})
		for range 3 {
			other.Send(&message.SetMode{})
		}
		err := <-done
		// The other side's ping and pong come first.
		if got := time.Since(start); got != 40*time.Second || len(times) != 2 || times[1].Sub(times[0]) != 10*time.Second {
			t.Errorf("%d messages handled within %v", len(times), got)
		}
		e, ok := err.(*Error)
		if !ok || e.Reason != ReasonTooMuch || e.Reason.Violation() {
			t.Errorf("ended by %v", err)
		}
		synctest.Wait()
		// The handshake is not charged, in neither direction.
		if want := []string{"ping", "getaddr"}; !slices.Equal(b.sent[:2], want) || !slices.Contains(b.sent, "pong") {
			t.Errorf("told of %v sent, want %v and a pong", b.sent, want)
		}
		ping, setmode := message.HeaderSize+8, message.HeaderSize+1
		if want := []int{ping, ping, setmode, setmode, setmode}; !slices.Equal(b.sizes, want) {
			t.Errorf("charged %v bytes, want %v", b.sizes, want)
		}
	})
}

// TestDecoysCharged: decoys are charged before the message that they came with, and
// once. With nothing charged for them a peer gets the cap on decoys decrypted for each
// message that it has budget for: 2,000 times 1 MiB at once.
func TestDecoysCharged(t *testing.T) {
	s := v2Sender(t)
	var stream []byte
	for range 2 {
		for range 3 {
			stream = append(stream, mustSeal(t, s, make([]byte, 1000), ignoreBit)...)
		}
		stream = append(stream, mustSeal(t, s, pingContents(t, 1), 0)...)
		stream = append(stream, mustSeal(t, s, pingContents(t, 2), 0)...)
	}
	b := &slowBudget{}
	p := &Peer{cfg: Config{Budget: b}, transport: v2Receiver(t, bytes.NewReader(stream))}
	for range 4 {
		m, err := p.next(ReasonIdle)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := p.charge(m); !ok || got != m {
			t.Fatalf("%v becomes %v, %v", m, got, ok)
		}
	}
	const ping, sent = message.HeaderSize + 8, 3 * (1000 + packetOverhead)
	if want := []int{sent, ping, ping, sent, ping, ping}; !slices.Equal(b.sizes, want) {
		t.Errorf("charged %v bytes, want %v", b.sizes, want)
	}
}

// TestDecoysTooMuch: decoys beyond one's patience end the connection, and a wait for
// them holds up the message.
func TestDecoysTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := v2Sender(t)
		stream := append(mustSeal(t, s, nil, ignoreBit), mustSeal(t, s, pingContents(t, 1), 0)...)
		for last, want := range map[int]bool{0: true, 1: false, 2: false} {
			p := &Peer{cfg: Config{Budget: &slowBudget{wait: time.Minute, last: last}}, transport: v2Receiver(t, bytes.NewReader(stream))}
			p.ctx, p.cancel = context.WithCancelCause(t.Context())
			m, err := p.next(ReasonIdle)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if _, got := p.charge(m); got != want {
				t.Errorf("ended with charge %d: %v, want %v", last, got, want)
			}
			if took := time.Since(start); want && took != time.Minute {
				t.Errorf("held back for %v", took)
			}
			p.cancel(nil)
		}
	})
}

// decoyBudget lets decoys wait, and messages not.
type decoyBudget struct{ slowBudget }

func (b *decoyBudget) Received(m message.Message, size int) (time.Duration, bool) {
	wait, ok := b.slowBudget.Received(m, size)
	if m != decoys {
		wait = 0
	}
	return wait, ok
}

// TestDecoysBeforeWelcome: a message that needn't wait is handled, however long the decoys
// before it have to, and what comes behind it is read after that.
func TestDecoysBeforeWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := v2Sender(t)
		var stream []byte
		for _, size := range []int{100, largeSize, 100} {
			contents, err := message.AppendContents(nil, largeMessage(size))
			if err != nil {
				t.Fatal(err)
			}
			stream = append(stream, mustSeal(t, s, make([]byte, 1000), ignoreBit)...)
			stream = append(stream, mustSeal(t, s, contents, 0)...)
		}
		start := time.Now()
		var times []time.Duration
		p := &Peer{transport: v2Receiver(t, bytes.NewReader(stream))}
		p.cfg = Config{
			Budget: &decoyBudget{slowBudget{wait: time.Minute}}, Large: NewLarge(),
			Handle: func(*Peer, message.Message) { times = append(times, time.Since(start)) },
		}
		p.ctx, p.cancel = context.WithCancelCause(t.Context())
		p.read()
		if want := []time.Duration{0, time.Minute, 2 * time.Minute}; !slices.Equal(times, want) {
			t.Errorf("handled after %v, want %v", times, want)
		}

		p = &Peer{cfg: p.cfg, transport: v2Receiver(t, bytes.NewReader(stream))}
		p.ctx, p.cancel = context.WithCancelCause(t.Context())
		m, err := p.next(ReasonIdle)
		if err != nil {
			t.Fatal(err)
		}
		p.arrival.place = p.newPlace() // as a large one has
		if got, ok := p.charge(m); !ok || got != m {
			t.Errorf("a large message that needn't wait becomes %v, %v", got, ok)
		}
	})
}

// TestBudgetShutdown: a wait ends with the connection.
func TestBudgetShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		cfg := Config{
			Conn: ours, Inbound: true, Magic: testMagic, ChainID: testChain, Budget: &slowBudget{wait: time.Hour},
			Version: func() *message.Version { return testVersion(1) },
			Ready:   func(*Peer) {}, Handle: func(*Peer, message.Message) {},
		}
		p := New(cfg)
		done := make(chan error, 1)
		go func() { done <- p.Run(context.Background()) }()
		cfg.Conn, cfg.Inbound, cfg.Budget = theirs, false, nil
		cfg.Version = func() *message.Version { return testVersion(2) }
		other := New(cfg)
		go func() { _ = other.Run(context.Background()) }()
		time.Sleep(time.Second)
		p.Disconnect(ReasonRequested, nil)
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("it waits on")
		}
		other.Disconnect(ReasonRequested, nil)
	})
}

// TestPerMessage: bytes are counted by type with their frames, on both transports,
// and are nearly all the bytes there are.
func TestPerMessage(t *testing.T) {
	for _, v2 := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			cfg := func(conn net.Conn, nonce uint64) Config {
				return Config{
					Conn: conn, Inbound: nonce == 1, Magic: testMagic, ChainID: testChain, V2: v2,
					Version: func() *message.Version { return testVersion(nonce) },
					Ready:   func(*Peer) {}, Handle: func(*Peer, message.Message) {},
				}
			}
			a, b := New(cfg(ours, 1)), New(cfg(theirs, 2))
			for _, p := range []*Peer{a, b} {
				go func() { _ = p.Run(context.Background()) }()
			}
			synctest.Wait()
			b.Send(&message.SetMode{})
			b.Send(&message.SetMode{})
			synctest.Wait()
			in, _ := a.BytesPerMessage()
			_, out := b.BytesPerMessage()
			frame := message.HeaderSize
			if v2 {
				frame = packetOverhead + message.TypeSize
			}
			if !maps.Equal(in, out) || in[message.CmdSetMode] != uint64(2*(frame+1)) || in[message.CmdPing] != uint64(frame+8) {
				t.Errorf("v2 %v: %v received, %v sent", v2, in, out)
			}
			var sum uint64
			for _, n := range in {
				sum += n
			}
			if total := a.Stats().BytesIn; total < sum || !v2 && total != sum {
				t.Errorf("v2 %v: %d bytes in messages, %d in all", v2, sum, total)
			}
			a.Disconnect(ReasonRequested, nil)
			b.Disconnect(ReasonRequested, nil)
		})
	}
	var c perMessage
	for _, name := range []string{"new", "newer"} {
		c.add(&message.Unknown{Name: name}, 5)
	}
	if got := c.copy(); len(got) != 1 || got[OtherMessages] != 10 {
		t.Errorf("unknown messages: %v", got)
	}
}
