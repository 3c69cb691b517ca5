package peer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// admitted is an admission without limit.
func admitted() error { return nil }

// altered is a connection whose n-th written byte is changed by mask; with mask 0
// the connection ends before it.
type altered struct {
	net.Conn
	n    int
	mask byte
}

func (c *altered) Write(b []byte) (int, error) {
	if c.n >= len(b) {
		c.n -= len(b)
		return c.Conn.Write(b)
	}
	if c.n < 0 {
		return c.Conn.Write(b)
	}
	if c.mask == 0 {
		n, _ := c.Conn.Write(b[:c.n])
		c.Conn.Close()
		return n, io.ErrClosedPipe
	}
	b = bytes.Clone(b)
	b[c.n] ^= c.mask
	c.n = -1
	return c.Conn.Write(b)
}

const (
	testGarbage = 2 // bytes
	testPings   = 2
)

// firstBytes is how much an initiator sends with testGarbage and testPings.
const firstBytes = keySize + testGarbage + terminatorSize + packetOverhead + testPings*(packetOverhead+message.TypeSize+8)

// meet runs a responder against an initiator that sends testPings after its
// handshake and hangs up. It returns how many arrived and how it ended.
func meet(t *testing.T, alter func(net.Conn) net.Conn) (pings int, end error) {
	a, b := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer a.Close()
		conn := alter(a)
		h := handshakeV2{in: bufio.NewReaderSize(conn, readBuffer), out: conn, magic: testMagic, garbage: make([]byte, testGarbage)}
		v2, err := h.initiate()
		for i := 0; i < testPings && err == nil; i++ {
			var packet []byte
			if packet, err = v2.append(nil, &message.Ping{}); err == nil {
				_, err = conn.Write(packet)
			}
		}
	}()
	defer func() {
		b.Close()
		<-done
	}()
	in := bufio.NewReaderSize(b, readBuffer)
	if v1, err := startsAsV1(in, testMagic); v1 || err != nil {
		return 0, err
	}
	h := handshakeV2{in: in, out: b, magic: testMagic, garbage: newGarbage(), admit: admitted}
	v2, err := h.respond()
	for err == nil {
		if _, err = v2.next(); err == nil {
			pings++
		}
	}
	return pings, err
}

// TestV2HandshakeTruncated ends a connection after each byte of its handshake and of
// its first messages.
func TestV2HandshakeTruncated(t *testing.T) {
	const messages = firstBytes - testPings*(packetOverhead+message.TypeSize+8)
	for n := range firstBytes + 1 {
		pings, err := meet(t, func(c net.Conn) net.Conn { return &altered{Conn: c, n: n} })
		want := max(0, n-messages) / (packetOverhead + message.TypeSize + 8)
		if pings != want || readError(err, ReasonIdle).Reason != ReasonClosed {
			t.Errorf("after %d of %d bytes: %d messages, want %d; %v", n, firstBytes, pings, want, err)
		}
	}
}

// TestV2HandshakeBitFlips alters each byte of them: nothing at or behind it is
// believed.
func TestV2HandshakeBitFlips(t *testing.T) {
	const message1 = firstBytes - testPings*(packetOverhead+message.TypeSize+8)
	for n := range firstBytes {
		if n < keySize && n%8 > 1 {
			continue // another key is another key
		}
		synctest.Test(t, func(t *testing.T) {
			pings, err := meet(t, func(c net.Conn) net.Conn {
				// An altered length may leave both waiting.
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				return &altered{Conn: c, n: n, mask: 1 << (n % 8)}
			})
			want := max(0, n-message1) / (packetOverhead + message.TypeSize + 8)
			if pings != want || err == nil {
				t.Errorf("byte %d: %d messages, want %d; %v", n, pings, want, err)
			}
		})
	}
}

// TestV2Garbage: garbage of every length up to the greatest is passed over, and
// memory stays small if it does not end.
func TestV2Garbage(t *testing.T) {
	terminator := testSchedule(t, true).send.terminator[:]
	filler := bytes.Repeat(terminator[:terminatorSize-1], maxGarbage) // nearly the terminator, again and again
	for n := range maxGarbage + 1 {
		r := bufio.NewReader(io.MultiReader(bytes.NewReader(filler[:n]), bytes.NewReader(terminator), bytes.NewReader([]byte("rest"))))
		got, err := readGarbage(r, terminator)
		rest, _ := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, filler[:n]) || string(rest) != "rest" {
			t.Fatalf("%d bytes: %d returned, rest %q, %v", n, len(got), rest, err)
		}
	}
	for _, n := range []int{maxGarbage + 1, maxGarbage + 2, 2 * maxGarbage, 1 << 20} {
		r := bufio.NewReader(io.MultiReader(bytes.NewReader(bytes.Repeat(filler[:1], n)), bytes.NewReader(terminator)))
		var err error
		if m := allocated(func() { _, err = readGarbage(r, terminator) }); err != errTerminator || m > 32<<10 {
			t.Errorf("%d bytes: %v, %d bytes of memory", n, err, m)
		}
	}
}

// TestV2Lengths shakes hands with garbage of the lengths around the limits, in both
// directions.
func TestV2Lengths(t *testing.T) {
	for _, n := range []int{0, 1, terminatorSize - 1, terminatorSize, maxGarbage - terminatorSize, maxGarbage, maxGarbage + 1} {
		a, b := net.Pipe()
		ends := make(chan error, 2)
		var ids [2][secretSize]byte
		for i, conn := range []net.Conn{a, b} {
			go func() {
				defer conn.Close()
				h := handshakeV2{in: bufio.NewReaderSize(conn, readBuffer), out: conn, magic: testMagic, garbage: make([]byte, n), admit: admitted}
				shake := h.initiate
				if i == 1 {
					shake = h.respond
					startsAsV1(h.in, testMagic)
				}
				v2, err := shake()
				if err == nil {
					ids[i] = v2.session
				}
				ends <- err
			}()
		}
		errs := []error{<-ends, <-ends}
		if n <= maxGarbage && (errors.Join(errs...) != nil || ids[0] != ids[1] || ids[0] == [secretSize]byte{}) {
			t.Errorf("%d bytes: %v, session ids %x and %x", n, errs, ids[0], ids[1])
		}
		if n > maxGarbage && errs[0] != errTerminator && errs[1] != errTerminator {
			t.Errorf("%d bytes: %v", n, errs)
		}
	}
}

// TestV2VersionPacket: decoys may come before the version packet, and its contents
// mean nothing yet; the first packet must authenticate the garbage.
func TestV2VersionPacket(t *testing.T) {
	tests := []struct {
		name string
		send func(s *v2Transport, garbage []byte) ([]byte, error)
		want error
	}{
		{"with contents", func(s *v2Transport, g []byte) ([]byte, error) { return s.seal(nil, make([]byte, 1000), g, 0) }, nil},
		{"behind decoys", func(s *v2Transport, g []byte) ([]byte, error) {
			b, err := s.seal(nil, make([]byte, 5), g, ignoreBit)
			if err == nil {
				b, err = s.seal(b, nil, nil, ignoreBit)
			}
			if err == nil {
				b, err = s.seal(b, nil, nil, 0)
			}
			return b, err
		}, nil},
		{"other garbage", func(s *v2Transport, g []byte) ([]byte, error) { return s.seal(nil, nil, g[1:], 0) }, errAltered},
		{"garbage too late", func(s *v2Transport, g []byte) ([]byte, error) {
			b, err := s.seal(nil, nil, nil, ignoreBit)
			if err == nil {
				b, err = s.seal(b, nil, g, 0)
			}
			return b, err
		}, errAltered},
		{"too long", func(s *v2Transport, g []byte) ([]byte, error) {
			return s.seal(nil, make([]byte, message.TypeSize+handshakePayload+1), g, 0)
		}, errLength},
	}
	key, err := newKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		a, b := net.Pipe()
		end := make(chan error, 1)
		go func() {
			defer b.Close()
			h := handshakeV2{in: bufio.NewReaderSize(b, readBuffer), out: b, magic: testMagic, admit: admitted}
			startsAsV1(h.in, testMagic)
			_, err := h.respond()
			end <- err
		}()
		garbage := []byte("garbage")
		a.Write(append(key.public[:], garbage...))
		var theirs [keySize]byte
		if _, err := io.ReadFull(a, theirs[:]); err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, a)
		keys, err := key.derive(&theirs, true, testMagic)
		if err != nil {
			t.Fatal(err)
		}
		packets, err := test.send(newV2(nil, keys), garbage)
		if err != nil {
			t.Fatal(err)
		}
		a.Write(append(keys.send.terminator[:], packets...))
		if err := <-end; err != test.want {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		a.Close()
	}
}

// TestTransports connects all kinds of nodes.
func TestTransports(t *testing.T) {
	tests := []struct {
		name             string
		dialer, listener bool // know v2
		session          bool
		dialerEnds       Reason // "" if they come together
	}{
		{"both", true, true, true, ""},
		{"v1 dialer", false, true, false, ""},
		{"neither", false, false, false, ""},
		{"v1 listener", true, false, false, ReasonNoV2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dialer, listener := connect(t, t.Context(), func(d, l *Config) { d.V2, l.V2 = test.dialer, test.listener })
				if dialer.ready != (test.dialerEnds == "") || listener.ready != dialer.ready {
					t.Errorf("ready: %v and %v", dialer.ready, listener.ready)
				}
				if id := dialer.SessionID(); (id != nil) != test.session || !bytes.Equal(id, listener.SessionID()) {
					t.Errorf("session ids %x and %x", id, listener.SessionID())
				}
				if test.dialerEnds != "" {
					dialer.wantReason(t, test.dialerEnds)
					listener.wantReason(t, ReasonWrongNetwork)
					return
				}
				dialer.Disconnect(ReasonRequested, nil)
				listener.wantReason(t, ReasonClosed)
				<-dialer.done
			})
		})
	}
}

// TestV2WrongNetwork: nodes of different pools don't understand one another. Only
// those on v1 notice why.
func TestV2WrongNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		dialer, listener := connect(t, t.Context(), func(d, l *Config) { d.V2, l.V2, d.Magic = true, true, d.Magic+1 })
		<-dialer.done
		<-listener.done
		if dialer.ready || listener.ready || dialer.SessionID() != nil || listener.SessionID() != nil {
			t.Error("the handshake completes")
		}
		for _, e := range []*end{dialer, listener} {
			// Much garbage gives it away, little leaves both waiting for more.
			rule, ok := errors.AsType[*Error](e.err)
			if !ok || rule.Reason != ReasonHandshake && rule.Reason != ReasonEncryption && rule.Reason != ReasonClosed {
				t.Errorf("ended with %v", e.err)
			}
		}
		if d := time.Since(start); d > HandshakeTimeout {
			t.Errorf("ended after %v", d)
		}

		for _, step := range []int{1, 1000} { // all at once, or byte by byte
			a, b := net.Pipe()
			e := new(end)
			cfg := e.testConfig(b, true, 2)
			cfg.V2 = true
			e.run(t.Context(), cfg)
			answer := make(chan int64)
			go func() {
				n, _ := io.Copy(io.Discard, a)
				answer <- n
			}()
			frame, _ := message.AppendFrame(nil, testMagic+1, testVersion(1))
			for len(frame) > 0 {
				n := min(step, len(frame))
				if _, err := a.Write(frame[:n]); err != nil {
					break
				}
				frame = frame[n:]
			}
			e.wantReason(t, ReasonWrongNetwork)
			if n := <-answer; step > 1 && n != 0 {
				t.Errorf("a key was made: %d bytes in answer", n)
			}
		}
	})
}

// TestV2Silence: only a listener that hangs up without a word is taken for one
// that does not know v2.
func TestV2Silence(t *testing.T) {
	tests := []struct {
		name   string
		answer int // bytes
		hangUp bool
		want   Reason
	}{
		{"hangs up", 0, true, ReasonNoV2},
		{"says nothing", 0, false, ReasonHandshake},
		{"half a key", keySize / 2, true, ReasonClosed},
		{"half a key, then nothing", keySize / 2, false, ReasonHandshake},
		{"garbage for ever", 1 << 20, false, ReasonEncryption},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			e := new(end)
			cfg := e.testConfig(a, false, 1)
			cfg.V2 = true
			e.run(t.Context(), cfg)
			in := bufio.NewReaderSize(b, readBuffer)
			if _, err := in.Peek(keySize); err != nil {
				t.Fatal(err)
			}
			go io.Copy(io.Discard, in)
			b.Write(bytes.Repeat([]byte{3}, test.answer))
			if test.hangUp {
				b.Close()
			}
			e.wantReason(t, test.want)
			b.Close()
		})
	}
}

// TestV2Slowloris: half handshakes of every kind end in time, however slowly they
// go on, and leave nothing behind.
func TestV2Slowloris(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var ends []*end
		for i := range 200 {
			a, b := net.Pipe()
			e := new(end)
			cfg := e.testConfig(b, true, uint64(i))
			cfg.V2 = true
			e.run(t.Context(), cfg)
			ends = append(ends, e)
			go io.Copy(io.Discard, a)
			go func() {
				defer a.Close()
				if i%3 == 0 {
					a.Write(v1Prefix(testMagic)[:i%v1PrefixSize])
				} else {
					a.Write(bytes.Repeat([]byte{byte(i)}, i%(keySize+30)))
				}
				for { // a byte now and then keeps nothing alive
					time.Sleep(time.Second)
					if _, err := a.Write([]byte{1}); err != nil {
						return
					}
				}
			}()
		}
		for _, e := range ends {
			e.wantReason(t, ReasonHandshake)
		}
		since(t, start, HandshakeTimeout)
		time.Sleep(time.Second) // the strangers notice
	})
}

// TestLimiter: strangers wait for their turn, and those who would wait too long are
// refused.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		count := func(window time.Duration) (served, refused int) {
			deadline := time.Now().Add(window)
			results := make(chan error, 5000)
			for range cap(results) {
				go func() { results <- l.wait(nil) }()
			}
			for range cap(results) {
				switch err := <-results; {
				case err != nil:
					refused++
				case !time.Now().After(deadline):
					served++
				}
			}
			return served, refused
		}
		for range 2 {
			served, refused := count(10 * time.Second)
			if want := exchangeBurst + 10*ExchangesPerSecond; served != want {
				t.Errorf("%d exchanges in ten seconds, want %d", served, want)
			}
			if most := exchangeBurst + int(maxExchangeWait/time.Second)*ExchangesPerSecond; 5000-refused != most {
				t.Errorf("%d in all, want %d", 5000-refused, most)
			}
			time.Sleep(time.Minute)
		}
		if err := (*Limiter)(nil).wait(nil); err != nil {
			t.Errorf("no limiter: %v", err)
		}
	})
}

// TestLimiterLeavers: whoever leaves before his turn does not keep others from theirs.
func TestLimiterLeavers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Limiter
		gone := make(chan struct{})
		for range 1000 {
			go l.wait(gone)
		}
		synctest.Wait()
		close(gone)
		synctest.Wait()
		start := time.Now()
		if err := l.wait(nil); err != nil || time.Since(start) > time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestLimitedHandshakes: peers that come all at once are all served, in turn; v1 and
// outbound ones do not wait, and a stop does not either.
func TestLimitedHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := new(Limiter)
		var ends []*end
		for range exchangeBurst + 20 {
			dialer, listener := connect(t, t.Context(), func(d, c *Config) { d.V2, c.V2, c.Exchanges, d.Exchanges = true, true, l, l })
			ends = append(ends, dialer, listener)
		}
		dialer, _ := connect(t, t.Context(), func(d, c *Config) { c.V2, c.Exchanges = true, l })
		if !dialer.ready {
			t.Error("v1 has to wait")
		}
		since(t, start, 0)
		time.Sleep(20 * time.Second / ExchangesPerSecond)
		synctest.Wait()
		for _, e := range ends {
			if !e.ready {
				t.Fatal("somebody still waits")
			}
		}
		for _, delay := range []int{ExchangesPerSecond, 100 * ExchangesPerSecond} {
			stop := make(chan struct{})
			for range delay {
				go l.wait(stop)
			}
			synctest.Wait()
			dialer, listener := connect(t, t.Context(), func(d, c *Config) { d.V2, c.V2, c.Exchanges = true, true, l })
			if delay == ExchangesPerSecond {
				listener.Disconnect(ReasonRequested, nil)
				listener.wantReason(t, ReasonRequested)
			} else {
				listener.wantReason(t, ReasonBusy)
			}
			<-dialer.done
			close(stop)
			synctest.Wait()
		}
		for _, e := range ends {
			e.Disconnect(ReasonRequested, nil)
		}
		dialer.Disconnect(ReasonRequested, nil)
		synctest.Wait()
	})
}

// TestV2Misbehaviour: after a v2 handshake, what a peer wrote itself counts as its
// fault and what anybody may have altered does not.
func TestV2Misbehaviour(t *testing.T) {
	overV2 = true
	defer func() { overV2 = false }()
	tests := []struct {
		name string
		send func(*v2Transport) []byte
		want Reason
		kind share.ErrorKind
	}{
		{"decoys", func(s *v2Transport) (b []byte) {
			for range 3 {
				b = append(b, mustSeal(t, s, make([]byte, message.MaxPayload/2), ignoreBit)...)
			}
			return b
		}, ReasonProtocol, ErrDecoys},
		{"malformed", func(s *v2Transport) []byte { return mustSeal(t, s, nil, 0) }, ReasonProtocol, message.ErrCommand},
		{"altered", func(s *v2Transport) []byte {
			b := mustSeal(t, s, pingContents(t, 1), 0)
			b[len(b)-1] ^= 1
			return b
		}, ReasonEncryption, ""},
		{"16 MiB", func(s *v2Transport) []byte {
			b, _ := s.send.length.Crypt([]byte{255, 255, 255})
			return b
		}, ReasonEncryption, ""},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			conn, e := rawPeer(t, nil)
			conn.send(testVersion(9))
			conn.send(&message.VerAck{})
			conn.Write(test.send(conn.transport.(*v2Transport)))
			e.wantReason(t, test.want)
			rule, _ := errors.AsType[share.RuleError](e.err)
			if rule.Kind != test.kind || test.want.Violation() != (test.kind != "") {
				t.Errorf("%s: %v", test.name, e.err)
			}
		})
	}
}
