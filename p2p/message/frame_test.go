package message

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Bitcoin mainnet's magic, whose verack frame is printed in many places.
const magic = wire.MainNet

func frame(t testing.TB, m Message) []byte {
	t.Helper()
	b, err := AppendFrame(nil, magic, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFrameVectors(t *testing.T) {
	tests := []struct {
		msg  Message
		want string
	}{
		{&VerAck{}, "f9beb4d9 76657261636b000000000000 00000000 5df6e0e2"},
		{&Ping{Nonce: 0x0102030405060708}, "f9beb4d9 70696e670000000000000000 08000000 3b5a7513 0807060504030201"},
	}
	for _, test := range tests {
		if got := frame(t, test.msg); !bytes.Equal(got, unhex(test.want)) {
			t.Errorf("%s: %x, want %s", test.msg.Command(), got, test.want)
		}
	}
}

func TestReader(t *testing.T) {
	var stream []byte
	for _, v := range vectors {
		stream = append(stream, frame(t, v.msg)...)
	}
	for name, r := range map[string]io.Reader{
		"whole":       bytes.NewReader(stream),
		"by the byte": iotest.OneByteReader(bytes.NewReader(stream)),
	} {
		frames := NewReader(r, magic)
		for _, v := range vectors {
			got, err := frames.Next()
			if err != nil || !reflect.DeepEqual(got, v.msg) {
				t.Fatalf("%s: %s: %+v, %v", name, v.name, got, err)
			}
		}
		if _, err := frames.Next(); err != io.EOF {
			t.Errorf("%s: after the last frame: %v", name, err)
		}
	}
}

// TestFrameTruncated cuts a frame at every offset.
func TestFrameTruncated(t *testing.T) {
	whole := frame(t, vectors[0].msg)
	for n := 1; n < len(whole); n++ {
		_, err := NewReader(bytes.NewReader(whole[:n]), magic).Next()
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("frame cut to %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

func TestFrameRefused(t *testing.T) {
	change := func(at int, with ...byte) []byte {
		b := frame(t, &Ping{Nonce: 7})
		copy(b[at:], with)
		return b
	}
	tests := []struct {
		name string
		b    []byte
		kind share.ErrorKind
	}{
		{"foreign magic, noticed at once", []byte{1, 2, 3, 4}, ErrMagic},
		{"no command", change(4, make([]byte, 12)...), ErrCommand},
		{"upper case", change(4, 'P'), ErrCommand},
		{"letter behind a zero", change(15, 'x'), ErrCommand},
		{"control character", change(5, 0x1b), ErrCommand},
		{"length above the cap of all", change(16, 1, 0, 0x10, 0), ErrPayloadSize},
		{"length above the type's cap", change(16, 9), ErrPayloadSize},
		{"length of 4 GiB", change(16, 0xff, 0xff, 0xff, 0xff), ErrPayloadSize},
		{"checksum", change(20, 0), ErrChecksum},
		{"payload", change(24, 8), ErrChecksum},
	}
	for _, test := range tests {
		_, err := NewReader(bytes.NewReader(test.b), magic).Next()
		if rule, ok := errors.AsType[share.RuleError](err); !ok || rule.Kind != test.kind {
			t.Errorf("%s: %v, want %v", test.name, err, test.kind)
		}
	}
}

func TestUnknownCommand(t *testing.T) {
	b := frame(t, &Ping{Nonce: 1})
	copy(b[4:], "newthing")
	b = append(b, frame(t, &Ping{Nonce: 2})...)
	r := NewReader(bytes.NewReader(b), magic)
	if m, err := r.Next(); err != nil || !reflect.DeepEqual(m, &Unknown{Name: "newthing", Bytes: 8}) {
		t.Fatalf("%+v, %v", m, err)
	}
	if m, err := r.Next(); err != nil || !reflect.DeepEqual(m, &Ping{Nonce: 2}) {
		t.Fatalf("after an unknown message: %+v, %v", m, err)
	}
}

func TestSetLimit(t *testing.T) {
	r := NewReader(bytes.NewReader(frame(t, &Inv{IDs: repeat(hashOf(1), 200)})), magic)
	r.SetLimit(4096)
	if _, err := r.Next(); !errors.Is(err, ErrPayloadSize) {
		t.Errorf("6 kB before the handshake: %v", err)
	}
}

func TestAppendFrameOversize(t *testing.T) {
	if _, err := AppendFrame(nil, magic, &Inv{IDs: repeat(hashOf(1), MaxInv+1)}); err == nil {
		t.Error("an inv that nobody would accept was encoded")
	}
}

// TestClaimedLength checks that memory follows the bytes that arrive: a frame
// that claims the greatest length and sends nothing costs one step.
func TestClaimedLength(t *testing.T) {
	long := &ShareTxn{Raw: [][]byte{make([]byte, 100)}}
	b := frame(t, long)[:HeaderSize]
	binary.LittleEndian.PutUint32(b[16:], uint32(long.MaxPayload()))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rounds = 100
	for range rounds {
		if _, err := NewReader(bytes.NewReader(b), magic).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if perFrame := (after.TotalAlloc - before.TotalAlloc) / rounds; perFrame > readStep+4096 {
		t.Errorf("a claimed length costs %d bytes", perFrame)
	}
}

// TestLongPayload reads a payload of many steps.
func TestLongPayload(t *testing.T) {
	raw := []byte(strings.Repeat("s", 850))
	m := &ShareTxn{}
	for range 1100 {
		m.Raw = append(m.Raw, raw)
	}
	got, err := NewReader(bytes.NewReader(frame(t, m)), magic).Next()
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Fatal("a message of 935 kB does not survive", err)
	}
}
