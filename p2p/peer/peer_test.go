package peer

import (
	"bufio"
	"context"
	"errors"
	"net"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

const testMagic wire.BitcoinNet = 0x0badcafe

var testChain = chainhash.HashH([]byte("test chain"))

func testVersion(nonce uint64) *message.Version {
	return &message.Version{Protocol: 1, Nonce: nonce, UserAgent: "/test:1/", ChainID: testChain, Height: 7}
}

// overV2 makes connect, rawPeer and deafPeer use the v2 transport.
var overV2 bool

// TestOverV2 runs again, over the v2 transport, what does not depend on frames.
func TestOverV2(t *testing.T) {
	overV2 = true
	defer func() { overV2 = false }()
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"HandshakeAndMessages", TestHandshakeAndMessages}, {"HandshakeRefused", TestHandshakeRefused},
		{"OutOfOrder", TestOutOfOrder}, {"UnknownMessages", TestUnknownMessages},
		{"HandshakeTimeout", TestHandshakeTimeout}, {"IdleTimeout", TestIdleTimeout}, {"SilenceTimeout", TestSilenceTimeout},
		{"Ping", TestPing}, {"PongUnasked", TestPongUnasked},
		{"SendOverflowBytes", TestSendOverflowBytes}, {"SendOverflowCount", TestSendOverflowCount},
		{"WriteTimeout", TestWriteTimeout}, {"BackPressure", TestBackPressure},
		{"BackPressureEases", TestBackPressureEases}, {"Disconnect", TestDisconnect},
	} {
		t.Run(test.name, test.run)
	}
}

// end is one side of a connection under test.
type end struct {
	*Peer
	ready    bool
	received []message.Message
	err      error
	done     chan struct{}
}

// testConfig is a configuration that records what the peer receives.
func (e *end) testConfig(conn net.Conn, inbound bool, nonce uint64) Config {
	return Config{
		Conn: conn, Inbound: inbound, Magic: testMagic, ChainID: testChain, V2: overV2,
		Version: func() *message.Version { return testVersion(nonce) },
		Ready:   func(*Peer) { e.ready = true },
		Handle:  func(_ *Peer, m message.Message) { e.received = append(e.received, m) },
	}
}

func (e *end) run(ctx context.Context, cfg Config) {
	e.Peer = New(cfg)
	e.done = make(chan struct{})
	go func() {
		defer close(e.done)
		e.err = e.Run(ctx)
	}()
}

func (e *end) wantReason(t *testing.T, want Reason) {
	t.Helper()
	<-e.done
	var got *Error
	if !errors.As(e.err, &got) || got.Reason != want {
		t.Errorf("connection ended with %v, want %v", e.err, want)
	}
}

// connect runs two peers on the ends of a pipe until their handshake is done.
// The context is the dialer's.
func connect(t *testing.T, ctx context.Context, change func(dialer, listener *Config)) (dialer, listener *end) {
	t.Helper()
	a, b := net.Pipe()
	dialer, listener = new(end), new(end)
	dc, lc := dialer.testConfig(a, false, 1), listener.testConfig(b, true, 2)
	if change != nil {
		change(&dc, &lc)
	}
	dialer.run(ctx, dc)
	listener.run(t.Context(), lc)
	synctest.Wait()
	return dialer, listener
}

func TestHandshakeAndMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		dialer, listener := connect(t, ctx, nil)
		if !dialer.ready || !listener.ready {
			t.Fatal("handshake did not complete")
		}
		if v := listener.Version(); v.UserAgent != "/test:1/" || v.Height != 7 || v.Nonce != 1 {
			t.Errorf("listener learnt %+v", v)
		}
		want := []message.Message{&message.SetMode{Mode: 1}, &message.Inv{IDs: []chainhash.Hash{testChain}}}
		for _, m := range want {
			dialer.Send(m)
		}
		if !listener.SendWait(want[0]) {
			t.Error("SendWait failed on an open connection")
		}
		synctest.Wait()
		if !reflect.DeepEqual(listener.received, want) || len(dialer.received) != 1 {
			t.Errorf("listener received %v, dialer %v", listener.received, dialer.received)
		}
		d, l := dialer.Stats(), listener.Stats()
		if d.BytesOut != l.BytesIn || d.BytesIn != l.BytesOut || d.BytesOut == 0 {
			t.Errorf("bytes don't agree: dialer %+v, listener %+v", d, l)
		}
		// version, verack, ping, pong and the two above
		if d.MessagesOut != 6 || l.MessagesIn != 6 || l.MessagesOut != 5 {
			t.Errorf("messages: dialer %+v, listener %+v", d, l)
		}
		cancel()
		dialer.wantReason(t, ReasonShutdown)
		listener.wantReason(t, ReasonClosed)
	})
}

func TestHandshakeRefused(t *testing.T) {
	tests := []struct {
		name     string
		change   func(dialer, listener *Config)
		listener Reason
	}{
		{"magic", func(d, l *Config) { d.Magic++; d.V2 = false }, ReasonWrongNetwork},
		{"ChainID", func(d, l *Config) {
			d.Version = func() *message.Version {
				v := testVersion(1)
				v.ChainID[0]++
				return v
			}
		}, ReasonWrongNetwork},
		{"protocol 0", func(d, l *Config) {
			d.Version = func() *message.Version {
				v := testVersion(1)
				v.Protocol = 0
				return v
			}
		}, ReasonHandshake},
		{"self", func(d, l *Config) { l.OwnNonce = func(n uint64) bool { return n == 1 } }, ReasonSelf},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dialer, listener := connect(t, t.Context(), test.change)
				listener.wantReason(t, test.listener)
				dialer.wantReason(t, ReasonClosed)
				if dialer.ready || listener.ready {
					t.Error("Ready was called")
				}
			})
		})
	}
}

// TestOutOfOrder sends what must not come before, or after, the handshake.
func TestOutOfOrder(t *testing.T) {
	version, verack := testVersion(9), &message.VerAck{}
	tests := []struct {
		name string
		send []message.Message
		want Reason
	}{
		{"ping first", []message.Message{&message.Ping{}}, ReasonHandshake},
		{"verack first", []message.Message{verack}, ReasonHandshake},
		{"two versions", []message.Message{version, version}, ReasonHandshake},
		{"inv instead of verack", []message.Message{version, &message.Inv{}}, ReasonHandshake},
		{"7 kB before the handshake", []message.Message{&message.Inv{IDs: make([]chainhash.Hash, 200)}}, ReasonProtocol},
		{"late version", []message.Message{version, verack, version}, ReasonProtocol},
		{"late verack", []message.Message{version, verack, verack}, ReasonProtocol},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, listener := rawPeer(t, nil)
				for _, m := range test.send {
					conn.send(m)
				}
				if overV2 && test.want == ReasonProtocol && len(test.send) == 1 {
					test.want = ReasonEncryption // of packets, the length proves no fault
				}
				listener.wantReason(t, test.want)
			})
		})
	}
}

// rawConn is the far end of a pipe, in the hands of the test.
type rawConn struct {
	net.Conn
	transport
	t *testing.T
}

// newRawConn agrees on a transport and does no more.
func newRawConn(t *testing.T, conn net.Conn) rawConn {
	t.Helper()
	in := bufio.NewReaderSize(conn, readBuffer)
	if !overV2 {
		return rawConn{conn, newV1(in, testMagic), t}
	}
	h := handshakeV2{in: in, out: conn, magic: testMagic, garbage: newGarbage()}
	v2, err := h.initiate()
	if err != nil {
		t.Fatal(err)
	}
	v2.setLimit(message.MaxPayload)
	return rawConn{conn, v2, t}
}

// encode returns a message as it goes over the wire next.
func (c rawConn) encode(m message.Message) []byte {
	c.t.Helper()
	b, err := c.append(nil, m)
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

// send writes a message; errors show on the other side.
func (c rawConn) send(m message.Message) {
	c.t.Helper()
	_, _ = c.Write(c.encode(m))
}

// sendUnknown writes a message of a type that nobody knows.
func (c rawConn) sendUnknown() {
	c.t.Helper()
	var b []byte
	if v2, ok := c.transport.(*v2Transport); ok {
		b, _ = v2.seal(nil, append([]byte("\x00newthing\x00\x00\x00\x00"), 1, 2, 3), nil, 0)
	} else {
		b = c.encode(&message.Ping{})
		copy(b[4:], "newthing")
	}
	_, _ = c.Write(b)
}

// rawPeer runs an inbound peer against a connection that the test writes to and
// that swallows what the peer sends.
func rawPeer(t *testing.T, change func(*Config)) (rawConn, *end) {
	a, b := net.Pipe()
	e := new(end)
	cfg := e.testConfig(b, true, 2)
	if change != nil {
		change(&cfg)
	}
	e.run(t.Context(), cfg)
	conn := newRawConn(t, a)
	go func() {
		buf := make([]byte, 4096)
		for {
			if _, err := a.Read(buf); err != nil {
				return
			}
		}
	}()
	return conn, e
}

func TestUnknownMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, e := rawPeer(t, nil)
		conn.sendUnknown()
		conn.send(testVersion(9))
		conn.send(&message.VerAck{})
		conn.sendUnknown()
		conn.send(&message.SetMode{})
		synctest.Wait()
		if got := e.Stats().Unknown; got != 2 || len(e.received) != 1 {
			t.Errorf("%d unknown messages counted, %d others received", got, len(e.received))
		}
		conn.Close()
		e.wantReason(t, ReasonClosed)

		// A stranger may not go on for ever.
		conn, e = rawPeer(t, nil)
		for range maxEarlyUnknown + 1 {
			conn.sendUnknown()
		}
		e.wantReason(t, ReasonHandshake)
	})
}

func TestGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, e := rawPeer(t, nil)
		conn.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		e.wantReason(t, ReasonWrongNetwork)

		conn, e = rawPeer(t, nil)
		conn.send(testVersion(9))
		conn.send(&message.VerAck{})
		b, _ := message.AppendFrame(nil, testMagic, &message.Inv{IDs: make([]chainhash.Hash, 3)})
		b[message.HeaderSize] ^= 1
		conn.Write(b)
		e.wantReason(t, ReasonProtocol)
		var rule *Error
		if !errors.As(e.err, &rule) || !rule.Reason.Violation() || !errors.Is(e.err, message.ErrChecksum) {
			t.Errorf("%v does not tell what the peer did", e.err)
		}
	})
}

// since checks that d has gone by on the bubble's clock since start.
func since(t *testing.T, start time.Time, d time.Duration) {
	t.Helper()
	if got := time.Since(start); got != d {
		t.Errorf("ended after %v, want %v", got, d)
	}
}

func TestHandshakeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, e := rawPeer(t, nil)
		e.wantReason(t, ReasonHandshake)
		since(t, start, HandshakeTimeout)

		// Half a handshake, and a byte of the next message now and then.
		start = time.Now()
		conn, e := rawPeer(t, nil)
		conn.send(testVersion(9))
		b := conn.encode(&message.VerAck{})
		for _, c := range b {
			time.Sleep(10 * time.Second)
			conn.Write([]byte{c})
		}
		e.wantReason(t, ReasonHandshake)
		since(t, start, time.Duration(len(b))*10*time.Second)
	})
}

func TestIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		conn, e := rawPeer(t, nil)
		conn.send(testVersion(9))
		conn.send(&message.VerAck{})
		time.Sleep(time.Minute)
		conn.send(&message.SetMode{}) // keeps it alive
		frame := conn.encode(&message.SetMode{})
		for i := range IdleTimeout / time.Minute { // part of a frame does not
			time.Sleep(time.Minute)
			conn.Write(frame[i : i+1])
		}
		e.wantReason(t, ReasonIdle)
		since(t, start, time.Minute+IdleTimeout)
	})
}

func TestSilenceTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		conn, e := rawPeer(t, nil)
		conn.send(testVersion(9))
		conn.send(&message.VerAck{})
		time.Sleep(time.Minute)
		conn.Write([]byte{0xfe, 0xca}) // a sign of life
		e.wantReason(t, ReasonIdle)
		since(t, start, time.Minute+SilenceTimeout)
	})
}

// TestBusyIsNotSilent: while this side works on a message, and doesn't read, the other
// is not to blame for silence.
func TestBusyIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		dialer, listener := connect(t, ctx, func(d, l *Config) {
			l.Handle = func(*Peer, message.Message) { time.Sleep(SilenceTimeout + WriteTimeout/8) }
		})
		dialer.Send(&message.SetMode{})
		time.Sleep(time.Hour)
		select {
		case <-listener.Done():
			t.Error("the busy side has ended the connection")
		default:
		}
		cancel()
		<-dialer.done
		<-listener.done
	})
}

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		dialer, listener := connect(t, ctx, func(d, l *Config) {
			d.Conn = slowConn{d.Conn, 150 * time.Millisecond}
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		for _, e := range []*end{dialer, listener} {
			// Both sides ping at once, so a pong may wait for a ping's write.
			if got := e.Stats().Ping; got < 150*time.Millisecond || got > 300*time.Millisecond {
				t.Errorf("ping %v", got)
			}
			if least := e.Stats().MinPing; least < 150*time.Millisecond || least > e.Stats().Ping {
				t.Errorf("shortest ping %v", least)
			}
		}
		// version, verack, 121 pings and as many pongs: one at once, then every 30 s
		if got := dialer.Stats().MessagesOut; got < 242 || got > 244 {
			t.Errorf("%d messages in an hour", got)
		}
		cancel()
		<-dialer.done
		<-listener.done
	})
}

// slowConn delays every write.
type slowConn struct {
	net.Conn
	delay time.Duration
}

func (c slowConn) Write(b []byte) (int, error) {
	time.Sleep(c.delay)
	return c.Conn.Write(b)
}

// TestPongUnasked: a pong nobody asked for changes nothing.
func TestPongUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, e := rawPeer(t, nil)
		conn.send(testVersion(9))
		conn.send(&message.VerAck{})
		time.Sleep(time.Second)
		conn.send(&message.Pong{Nonce: 12345})
		synctest.Wait()
		if e.Stats().Ping != 0 {
			t.Error("an invented pong counts")
		}
		conn.Close()
		<-e.done
	})
}
