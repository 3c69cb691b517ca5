package bitcoinp2p

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

const magic = wire.MainNet

// fakeNode is the other end of a connection.
type fakeNode struct {
	*testing.T
	conn net.Conn
	got  chan message // closed at the end of the connection
}

// newFakeNode reads all the time, as a pipe holds up whoever writes until it is read.
func newFakeNode(t *testing.T, conn net.Conn) *fakeNode {
	n := &fakeNode{T: t, conn: conn, got: make(chan message, 1000)}
	go func() {
		defer close(n.got)
		r := reader{br: bufio.NewReader(conn), magic: magic}
		for {
			m, err := r.next()
			if err != nil {
				return
			}
			n.got <- m
		}
	}()
	return n
}

// expect takes the next message and checks its command.
func (n *fakeNode) expect(command string) message {
	m := <-n.got
	if m.command != command {
		n.Errorf("got %q, want %q", m.command, command)
	}
	return m
}

// hangUp waits for the end of the connection.
func (n *fakeNode) hangUp() {
	for range n.got {
	}
}

func (n *fakeNode) send(msg wire.Message) {
	b, err := encodeWire(magic, msg)
	if err != nil {
		n.Error(err)
	}
	n.conn.Write(b)
}

func (n *fakeNode) sendRaw(command string, payload []byte) {
	n.conn.Write(encode(magic, command, payload))
}

// version is what Bitcoin Core would send.
func version() *wire.MsgVersion {
	you := wire.NewNetAddressIPPort(net.IPv4(127, 0, 0, 1), 8333, wire.SFNodeNetwork)
	v := wire.NewMsgVersion(you, you, 1, 800_000)
	v.ProtocolVersion = protocolVersion
	return v
}

// shake is the node's side of a good handshake, with what real nodes put in between.
func (n *fakeNode) shake(compact bool) {
	n.expect(wire.CmdVersion)
	n.send(version())
	n.sendRaw("wtxidrelay", nil)
	n.sendRaw("sendaddrv2", nil)
	n.expect(wire.CmdVerAck)
	n.send(wire.NewMsgVerAck())
	n.expect(wire.CmdSendHeaders)
	if compact {
		n.expect(sendcmpct)
	}
	n.expect(wire.CmdGetHeaders)
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

// listen runs serve against a node.
func listen(t *testing.T, compact bool, node func(n *fakeNode)) (events []Event, ups int, err error) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		node(newFakeNode(t, theirs))
	}()
	err = serve(t.Context(), pipeEnd{ours}, &Config{
		Magic: magic, UserAgent: "/test:1/", Compact: compact,
		Tip: func() chainhash.Hash { return chainhash.Hash{1} },
		Up:  func() { ups++ },
		On:  func(e Event) { events = append(events, e) },
	})
	ours.Close()
	<-done
	return events, ups, err
}

// header is a block to announce.
var header = chaincfg.MainNetParams.GenesisBlock.Header

// compactBlock is one as far as it is looked at, with a long tail.
func compactBlock(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := header.Serialize(&buf); err != nil {
		t.Fatal(err)
	}
	return append(buf.Bytes(), make([]byte, 50_000)...)
}

func headers(list ...*wire.BlockHeader) *wire.MsgHeaders {
	msg := wire.NewMsgHeaders()
	msg.Headers = append(msg.Headers, list...)
	return msg
}

func inv(kind wire.InvType, hash chainhash.Hash) *wire.MsgInv {
	msg := wire.NewMsgInv()
	msg.InvList = append(msg.InvList, wire.NewInvVect(kind, &hash))
	return msg
}

// TestAnnouncements announces blocks in each way, among messages that are none of ours.
func TestAnnouncements(t *testing.T) {
	older := header
	older.Nonce++
	events, ups, err := listen(t, true, func(n *fakeNode) {
		n.shake(true)
		n.send(headers()) // nothing newer
		n.send(headers(&older, &header))
		n.sendRaw(cmpctblock, compactBlock(t))
		n.send(inv(wire.InvTypeTx, chainhash.Hash{7}))
		n.send(inv(wire.InvTypeBlock, chainhash.Hash{8}))
		n.expect(wire.CmdGetHeaders)
		n.sendRaw(wire.CmdTx, make([]byte, 300_000))
		n.sendRaw("whatsthis", make([]byte, 3_000_000))
		n.sendRaw(wire.CmdInv, make([]byte, 1_000_000)) // dropped unread
		n.send(wire.NewMsgPing(77))
		if m := n.expect(wire.CmdPong); len(m.payload) != 8 || m.payload[0] != 77 {
			t.Errorf("pong %v", m.payload)
		}
	})
	if !errors.Is(err, io.EOF) || ups != 1 || len(events) != 3 {
		t.Fatalf("%d events, up %d times, %v", len(events), ups, err)
	}
	if e := events[0]; e.Hash != header.BlockHash() || *e.Header != header || e.Compact {
		t.Errorf("headers: %+v", e)
	}
	if e := events[1]; e.Hash != header.BlockHash() || *e.Header != header || !e.Compact {
		t.Errorf("compact block: %+v", e)
	}
	if e := events[2]; e.Hash != (chainhash.Hash{8}) || e.Header != nil {
		t.Errorf("inv: %+v", e)
	}

	events, _, _ = listen(t, false, func(n *fakeNode) {
		n.shake(false)
		n.sendRaw(cmpctblock, compactBlock(t))
	})
	if len(events) != 0 {
		t.Errorf("a compact block nobody asked for: %+v", events)
	}
}

// TestGarbage: whatever breaks the protocol ends the connection with a reason.
func TestGarbage(t *testing.T) {
	old := version()
	old.ProtocolVersion = 70001
	raw := func(command string, size uint32, payload ...byte) []byte {
		b := encode(magic, command, payload)
		binary.LittleEndian.PutUint32(b[16:], size)
		return b
	}
	wrongSum := encode(magic, wire.CmdPing, make([]byte, 8))
	wrongSum[20]++
	for _, test := range []struct {
		name   string
		before bool // the handshake
		send   func(n *fakeNode)
		want   string
	}{
		{"HTTP", true, func(n *fakeNode) { io.WriteString(n.conn, "HTTP/1.1 400 Bad Request\r\n\r\n") }, "another network"},
		{"another network", true, func(n *fakeNode) { n.conn.Write(encode(wire.TestNet4, wire.CmdVerAck, nil)) }, "another network"},
		{"old", true, func(n *fakeNode) { n.send(old) }, "knows no sendheaders"},
		{"no version", true, func(n *fakeNode) { n.send(wire.NewMsgPing(1)) }, "before the version"},
		{"two versions", true, func(n *fakeNode) { n.send(version()); n.expect(wire.CmdVerAck); n.send(version()) }, "two versions"},
		{"empty version", true, func(n *fakeNode) { n.sendRaw(wire.CmdVersion, nil) }, "version: "},
		{"long version", true, func(n *fakeNode) { n.sendRaw(wire.CmdVersion, make([]byte, 400)) }, "version of 400 bytes"},
		{"the end", true, func(n *fakeNode) {}, "unexpected EOF"},
		{"huge", false, func(n *fakeNode) { n.conn.Write(raw("x", 1<<31)) }, "message of 2147483648"},
		{"large", false, func(n *fakeNode) { n.conn.Write(raw("x", maxMessage+1)) }, "message of 4000001"},
		{"checksum", false, func(n *fakeNode) { n.conn.Write(wrongSum) }, "wrong checksum"},
		{"long headers", false, func(n *fakeNode) { n.conn.Write(raw(wire.CmdHeaders, 162_004)) }, "headers of 162004"},
		{"wrong count", false, func(n *fakeNode) { n.sendRaw(wire.CmdHeaders, make([]byte, 82)) }, "another length"},
		{"endless count", false, func(n *fakeNode) { n.sendRaw(wire.CmdHeaders, bytes.Repeat([]byte{0xff}, 9)) }, "another length"},
		{"empty headers", false, func(n *fakeNode) { n.sendRaw(wire.CmdHeaders, nil) }, "EOF"},
		{"inv count", false, func(n *fakeNode) { n.sendRaw(wire.CmdInv, []byte{2, 1, 2}) }, "another length"},
		{"short ping", false, func(n *fakeNode) { n.sendRaw(wire.CmdPing, []byte{1}) }, "ping of 1"},
		{"short compact block", false, func(n *fakeNode) { n.sendRaw(cmpctblock, make([]byte, 79)) }, "block of 79"},
		{"cut", false, func(n *fakeNode) { n.conn.Write(raw("x", 100, 1, 2)) }, "unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := listen(t, true, func(n *fakeNode) {
				if test.before {
					n.expect(wire.CmdVersion)
				} else {
					n.shake(true)
				}
				test.send(n)
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestSilence: a node that answers pings stays, one that doesn't is given up.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		const answered = 10
		listen(t, false, func(n *fakeNode) {
			n.shake(false)
			for range answered {
				n.sendRaw(wire.CmdPong, n.expect(wire.CmdPing).payload)
			}
			n.hangUp()
		})
		if d := time.Since(start); d != answered*pingEvery+silence {
			t.Errorf("given up after %v", d)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, ups, _ := listen(t, false, func(n *fakeNode) { n.hangUp() })
		if d := time.Since(start); d != handshakeTimeout || ups != 0 {
			t.Errorf("given up after %v, up %d times", d, ups)
		}
	})
}

// TestListen goes over a real connection and ends with the context.
func TestListen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		n := newFakeNode(t, conn)
		n.shake(false)
		n.send(headers(&header))
		n.hangUp()
	}()
	ctx, cancel := context.WithCancel(t.Context())
	err = Listen(ctx, Config{
		Addr: l.Addr().String(), Magic: magic, Tip: func() chainhash.Hash { return chainhash.Hash{} },
		Up: func() {}, On: func(Event) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-done
	if err := Listen(t.Context(), Config{Addr: "127.0.0.1:1"}); err == nil {
		t.Error("connected to nobody")
	}
}

// FuzzStream reads whatever may come.
func FuzzStream(f *testing.F) {
	for _, msg := range []wire.Message{version(), headers(&header), inv(wire.InvTypeBlock, chainhash.Hash{1}), wire.NewMsgPing(1)} {
		b, err := encodeWire(magic, msg)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(slices.Concat(b, b[:len(b)-1]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := reader{br: bufio.NewReader(bytes.NewReader(data)), magic: magic}
		for {
			m, err := r.next()
			if err != nil {
				break
			}
			if len(m.payload) > limits[wire.CmdHeaders] {
				t.Fatalf("%s of %d bytes kept", m.command, len(m.payload))
			}
		}
		// The payloads, whose checksums would stop the fuzzer.
		if h, ok, err := lastHeader(data); err == nil && ok && len(data) < blockHeader {
			t.Fatalf("%+v", h)
		}
		if _, ok, err := lastBlock(data); err == nil && ok && len(data) < invEntrySize {
			t.Fatal("a block from nowhere")
		}
	})
}
