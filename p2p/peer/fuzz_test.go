package peer

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	"github.com/p2poold/p2poold/p2p/message"
)

// FuzzV2Receive feeds the receiving side. The input is a list of steps, each an
// operation, an argument and a length, with the bytes it is about: packets properly
// sealed with contents of the input's choice, decoys, flipped bits, raw bytes.
func FuzzV2Receive(f *testing.F) {
	f.Add([]byte("\x00\x00\x15\x00ping\x00\x00\x00\x00\x00\x00\x00\x0012345678"))
	f.Add([]byte("\x01\x80\x03abc\x00\x00\x0d\x00verack\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x01\x05\x02\x07\x00"))
	f.Add([]byte("\x03\x00\x10aaaaaaaaaaaaaaaa"))
	f.Fuzz(func(t *testing.T, input []byte) {
		s := v2Sender(t)
		var stream []byte
		for len(input) >= 3 {
			op, arg, n := input[0], input[1], min(int(input[2]), len(input)-3)
			data := input[3 : 3+n]
			input = input[3+n:]
			switch op % 4 {
			case 0, 1:
				stream = append(stream, mustSeal(t, s, data, arg)...)
			case 2:
				if len(stream) > 0 {
					stream[len(stream)-1-int(arg)%len(stream)] ^= 1 << (n % 8)
				}
			case 3:
				stream = append(stream, data...)
			}
		}
		r := v2Receiver(t, bytes.NewReader(stream))
		r.setLimit(handshakePayload)
		for {
			m, err := r.next()
			if err != nil {
				readError(err, ReasonIdle)
				return
			}
			if m.Size() > handshakePayload+message.TypeSize {
				t.Fatalf("%s of %d bytes", m.Command(), m.Size())
			}
		}
	})
}

// FuzzV2Respond feeds a stranger's bytes to a listener: no input gets through the
// handshake, for nobody has the keys.
func FuzzV2Respond(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(make([]byte, keySize+maxGarbage+terminatorSize))
	f.Add(v1Prefix(testMagic))
	f.Add(append(v1Prefix(testMagic+1), make([]byte, 100)...))
	f.Fuzz(func(t *testing.T, input []byte) {
		in := bufio.NewReaderSize(bytes.NewReader(input), readBuffer)
		v1, err := startsAsV1(in, testMagic)
		if v1 != bytes.HasPrefix(input, v1Prefix(testMagic)) {
			t.Fatalf("v1 is %v for %x", v1, input)
		}
		if v1 || err != nil {
			return
		}
		h := handshakeV2{in: in, out: io.Discard, magic: testMagic, admit: admitted}
		if _, err := h.respond(); err == nil {
			t.Fatalf("%x completes the handshake", input)
		}
	})
}
