package bitcoinp2p

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/mining"
)

// taker is a node that takes blocks.
type taker struct {
	agent    string
	asks     bool // by getdata, as btcd does
	breaksAt string
}

// serve talks to one sender and returns the block it got.
func (n taker) serve(t *testing.T, conn net.Conn) []byte {
	defer conn.Close()
	r := bufio.NewReader(conn)
	read := func() (command string, payload []byte, err error) {
		var h [headerSize]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return "", nil, err
		}
		command = string(bytes.TrimRight(h[4:16], "\x00"))
		payload = make([]byte, binary.LittleEndian.Uint32(h[16:20]))
		if _, err = io.ReadFull(r, payload); err == nil && !bytes.Equal(encode(wire.MainNet, command, payload)[:headerSize], h[:]) {
			t.Errorf("header %x", h)
		}
		return command, payload, err
	}
	write := func(command string, payload []byte) { conn.Write(encode(wire.MainNet, command, payload)) }
	expect := func(want string) {
		if got, _, err := read(); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	expect(wire.CmdVersion)
	you := wire.NewNetAddressIPPort(net.IPv4(127, 0, 0, 1), 8333, wire.SFNodeNetwork)
	v := wire.NewMsgVersion(you, you, 1, 800_000)
	v.ProtocolVersion, v.UserAgent = protocolVersion, n.agent
	b, err := encodeWire(wire.MainNet, v)
	if err != nil {
		t.Error(err)
	}
	conn.Write(b)
	write("sendaddrv2", nil)
	expect(wire.CmdVerAck)
	write(wire.CmdVerAck, nil)
	write(wire.CmdPing, []byte("12345678"))
	var block []byte
	for {
		command, payload, err := read()
		if err != nil {
			return block
		}
		switch command {
		case n.breaksAt:
			return block
		case wire.CmdInv:
			if n.asks {
				write(wire.CmdGetData, payload)
			}
		case wire.CmdBlock:
			block = payload
		case wire.CmdPing:
			write(wire.CmdPong, payload)
		case wire.CmdPong:
		default:
			t.Errorf("got %q", command)
		}
	}
}

// sendTo sends a block to a node and returns what it got.
func sendTo(t *testing.T, n taker, block []byte) ([]byte, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan []byte, 1)
	go func() {
		conn, err := l.Accept()
		l.Close()
		if err != nil {
			got <- nil
			return
		}
		got <- n.serve(t, conn)
	}()
	err = Send(t.Context(), l.Addr().String(), wire.MainNet, "/test:1/", mining.RawBlock{block[:100], nil, block[100:101], block[101:]})
	return <-got, err
}

// TestSend: a block arrives, asked for or not, and the sender knows it.
func TestSend(t *testing.T) {
	block := bytes.Repeat([]byte{7}, 3_000_000)
	for name, n := range map[string]taker{
		"Core":             {agent: "/Satoshi:28.1.0/"},
		"btcd":             {agent: "/btcwire:0.5.0/btcd:0.26.2/", asks: true},
		"btcd that has it": {agent: "/btcwire:0.5.0/btcd:0.26.2/"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sendTo(t, n, block)
			want := block
			if name == "btcd that has it" {
				want = nil
			}
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	for _, command := range []string{wire.CmdBlock, wire.CmdPing} {
		if _, err := sendTo(t, taker{agent: "/x/", breaksAt: command}, block); err == nil {
			t.Errorf("broken off at %s: no error", command)
		}
	}
}

// TestSendErrors: what can't work ends, and soon.
func TestSendErrors(t *testing.T) {
	for _, size := range []int{0, 80, maxBlock + 1} {
		if err := Send(t.Context(), "127.0.0.1:1", wire.MainNet, "/x/", mining.RawBlock{make([]byte, size)}); !errors.Is(err, errNotABlock) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	for _, block := range []mining.RawBlock{nil, {make([]byte, 79), make([]byte, 300)}} {
		if err := Send(t.Context(), "127.0.0.1:1", wire.MainNet, "/x/", block); !errors.Is(err, errNotABlock) {
			t.Errorf("%d pieces: %v", len(block), err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := Send(ctx, addr, wire.MainNet, "/x/", mining.RawBlock{make([]byte, 81)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent node: %v", err)
	}
	l.Close()
	if err := Send(t.Context(), addr, wire.MainNet, "/x/", mining.RawBlock{make([]byte, 81)}); err == nil {
		t.Error("sent to nobody")
	}
}
