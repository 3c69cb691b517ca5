package zmq

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
)

// frame encodes a frame as a publisher does.
func frame(flags byte, body []byte) []byte {
	if len(body) < 256 {
		return append([]byte{flags, byte(len(body))}, body...)
	}
	b := binary.BigEndian.AppendUint64([]byte{flags | flagLong}, uint64(len(body)))
	return append(b, body...)
}

// parts encodes a message.
func parts(list ...[]byte) (b []byte) {
	for i, p := range list {
		flags := byte(flagMore)
		if i == len(list)-1 {
			flags = 0
		}
		b = append(b, frame(flags, p)...)
	}
	return b
}

// pubReady is a publisher's READY, as libzmq sends it.
func pubReady(kind string) []byte {
	body := append([]byte("\x05READY\x0bSocket-Type\x00\x00\x00"), byte(len(kind)))
	body = append(body, kind...)
	return frame(flagCommand, append(body, "\x08Identity\x00\x00\x00\x00"...))
}

// seq is the third frame of each of Bitcoin Core's messages.
var seq = []byte{7, 0, 0, 0}

// genesis is a block to publish, and its hash.
func genesis(t testing.TB) ([]byte, chainhash.Hash) {
	t.Helper()
	var buf bytes.Buffer
	if err := chaincfg.MainNetParams.GenesisBlock.Serialize(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes(), *chaincfg.MainNetParams.GenesisHash
}

// display returns a hash as Bitcoin Core publishes it.
func display(h chainhash.Hash) []byte {
	slices.Reverse(h[:])
	return h[:]
}

// pipeEnd is our end of a pipe. Where TCP still hands over what has arrived, a pipe
// refuses deadlines as soon as the other end is closed.
type pipeEnd struct{ net.Conn }

func (e pipeEnd) SetReadDeadline(t time.Time) error {
	if err := e.Conn.SetReadDeadline(t); !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return nil
}

// listen runs serve against a publisher that writes what it is told after a good
// handshake, and returns the events and the end.
func listen(t *testing.T, publish func(conn net.Conn)) (events []Event, err error) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		publish(theirs)
	}()
	err = serve(pipeEnd{ours}, func() {}, func(e Event) { events = append(events, e) })
	ours.Close()
	<-done
	return events, err
}

// handshake is the publisher's side. It checks all that we send.
func handshake(t *testing.T, conn net.Conn) {
	t.Helper()
	expect := func(want []byte) {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	expect(greeting())
	conn.Write(greeting())
	expect([]byte("\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB"))
	conn.Write(pubReady("PUB"))
	expect([]byte("\x00\x0a\x01hashblock\x00\x09\x01rawblock\x00\x09\x01sequence"))
}

// TestEvents publishes each kind of message.
func TestEvents(t *testing.T) {
	raw, hash := genesis(t)
	big := append(slices.Clone(raw), make([]byte, 3_900_000)...)
	events, err := listen(t, func(conn net.Conn) {
		handshake(t, conn)
		conn.Write(parts([]byte(HashBlock), display(hash), seq))
		conn.Write(frame(flagCommand, []byte("\x04PING\x00\x00")))
		conn.Write(parts([]byte(RawBlock), raw, seq))
		conn.Write(parts([]byte(RawBlock), big, seq))
		conn.Write(parts([]byte(Sequence), append(display(hash), 'C'), seq))
		conn.Write(parts([]byte(Sequence), append(display(hash), 'A', 1, 2, 3, 4, 5, 6, 7, 8), seq))
		conn.Write(parts([]byte(Sequence), append(display(hash), 'D'), seq))
		conn.Write(parts([]byte("hashblocks"), []byte("another topic"), seq))
		conn.Write(parts([]byte(HashBlock), display(hash))) // as an old Bitcoin Core
	})
	if !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	var got []string
	for _, e := range events {
		if e.Hash != hash || (e.Header != nil) != (e.Topic == RawBlock) || e.Header != nil && e.Header.BlockHash() != hash {
			t.Errorf("%+v", e)
		}
		got = append(got, e.Topic)
	}
	want := []string{HashBlock, RawBlock, RawBlock, Sequence, Sequence, HashBlock}
	if !slices.Equal(got, want) || events[3].Left || !events[4].Left {
		t.Errorf("%v", got)
	}
}

// TestGarbage: whatever breaks the protocol ends the connection with a reason.
func TestGarbage(t *testing.T) {
	old := greeting()
	old[10] = 2
	curve := greeting()
	copy(curve[12:], "CURVE")
	many := make([][]byte, maxFrames+1)
	hash := make([]byte, 32)
	for _, test := range []struct {
		name  string
		greet []byte // nil: a good handshake
		send  []byte
		want  string
	}{
		{"HTTP", []byte("HTTP/1.1 400 Bad Request\r\nServer: something that isn't a publisher\r\n\r\n"), nil, "doesn't speak ZMTP"},
		{"old", old, nil, "version 2"},
		{"login", curve, nil, "wants a login"},
		{"no READY", greeting(), frame(0, []byte("hello")), "message where READY"},
		{"another command", greeting(), frame(flagCommand, []byte("\x05ERROR\x03bad")), "instead of READY"},
		{"another socket", greeting(), pubReady("REP"), `type "REP"`},
		{"READY cut", greeting(), frame(flagCommand, []byte("\x05READY\x0bSocket")), "cut short"},
		{"READY with a long value", greeting(), frame(flagCommand, []byte("\x05READY\x01A\xff\xff\xff\xff")), "cut short"},
		{"huge READY", greeting(), []byte{flagCommand | flagLong, 0, 0, 0, 0, 0, 0, 3, 0}, "command of 768"},
		{"empty READY", greeting(), frame(flagCommand, nil), "command of 0"},
		{"nameless READY", greeting(), frame(flagCommand, []byte{9, 1}), "without a name"},
		{"flags", nil, []byte{0x80, 0}, "flags 80"},
		{"huge frame", nil, []byte{flagLong, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "frame of 18446744073709551615"},
		{"large frame", nil, append([]byte{flagLong}, binary.BigEndian.AppendUint64(nil, maxBody+1)...), "frame of 4000001"},
		{"many frames", nil, parts(many...), "more than 3 frames"},
		{"command inside", nil, append(frame(flagMore, []byte(HashBlock)), frame(flagCommand, []byte("\x04PING"))...), "inside a message"},
		{"an error", nil, frame(flagCommand, []byte("\x05ERROR\x03bad")), "reports an error"},
		{"no body", nil, parts([]byte(HashBlock)), "without a body"},
		{"short hash", nil, parts([]byte(HashBlock), hash[:31], seq), "hash of 31"},
		{"long hash", nil, parts([]byte(HashBlock), append(hash, 0), seq), "hash of 33"},
		{"short block", nil, parts([]byte(RawBlock), make([]byte, 80), seq), "block of 80"},
		{"short event", nil, parts([]byte(Sequence), hash, seq), "event of 32"},
		{"cut", nil, []byte{0, 200, 1, 2, 3}, "unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := listen(t, func(conn net.Conn) {
				if test.greet == nil {
					handshake(t, conn)
				} else {
					go io.Copy(io.Discard, conn)
					conn.Write(append(slices.Clone(test.greet), make([]byte, max(0, greetingSize-len(test.greet)))...))
				}
				conn.Write(test.send)
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestSilence: a publisher that says nothing is fine after the handshake, and not before
// it or within a message.
func TestSilence(t *testing.T) {
	run := func(name string, publish func(t *testing.T, conn net.Conn), want time.Duration) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := listen(t, func(conn net.Conn) {
					publish(t, conn)
					io.Copy(io.Discard, conn)
				})
				if d := time.Since(start); d != want {
					t.Errorf("%v after %v, want %v", err, d, want)
				}
			})
		})
	}
	run("before the greeting", func(*testing.T, net.Conn) {}, handshakeTimeout)
	run("within a message", func(t *testing.T, conn net.Conn) {
		handshake(t, conn)
		time.Sleep(time.Hour)
		conn.Write([]byte{flagMore, 9, 'h'})
	}, time.Hour+messageTimeout)
}

// TestListen goes over a real connection and ends with the context.
func TestListen(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:1", "tcp://", "tcp://:1", "tcp://host", "ipc:///tmp/x", "http://a:1"} {
		if err := Listen(t.Context(), addr, nil, nil); err == nil || CheckAddr(addr) == nil {
			t.Errorf("%s taken", addr)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, hash := genesis(t)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		handshake(t, conn)
		conn.Write(parts([]byte(HashBlock), display(hash), seq))
		io.Copy(io.Discard, conn)
		conn.Close()
	}()
	ctx, cancel := context.WithCancel(t.Context())
	ups := 0
	err = Listen(ctx, "tcp://"+l.Addr().String(), func() { ups++ }, func(e Event) {
		if e.Hash != hash {
			t.Errorf("%+v", e)
		}
		cancel()
	})
	if !errors.Is(err, context.Canceled) || ups != 1 {
		t.Errorf("%v, up %d times", err, ups)
	}
}

// TestMemory: what a publisher claims costs nothing.
func TestMemory(t *testing.T) {
	raw, _ := genesis(t)
	one := parts([]byte(RawBlock), append(raw, make([]byte, 3_900_000)...), seq)
	r := &reader{br: bufio.NewReaderSize(bytes.NewReader(bytes.Repeat(one, 20)), bufferSize)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		m, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := m.event(); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<10 {
		t.Errorf("20 blocks of 3.9 MB took %d bytes of memory", used)
	}
}

// FuzzStream reads whatever may come after the greeting.
func FuzzStream(f *testing.F) {
	raw, hash := genesis(f)
	f.Add(append(pubReady("PUB"), parts([]byte(HashBlock), display(hash), seq)...))
	f.Add(append(pubReady("XPUB"), parts([]byte(RawBlock), raw, seq)...))
	f.Add(append(pubReady("PUB"), parts([]byte(Sequence), append(display(hash), 'C'), seq)...))
	f.Add([]byte{flagLong | flagMore, 0, 0, 0, 0, 0, 0x3d, 9, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &reader{br: bufio.NewReaderSize(bytes.NewReader(data), bufferSize)}
		if flags, size, err := r.header(); err == nil && flags&flagCommand != 0 {
			if name, rest, err := r.command(size); err == nil {
				_ = checkReady(string(name), rest) // must not panic
			}
		}
		for {
			m, err := r.next()
			if err != nil {
				return
			}
			if e, ok, err := m.event(); err == nil && ok && e.Header != nil && e.Header.BlockHash() != e.Hash {
				t.Fatalf("%+v", e)
			}
		}
	})
}
