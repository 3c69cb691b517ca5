package peer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"reflect"
	"runtime"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// testSchedule returns the same keys every time.
func testSchedule(t testing.TB, initiator bool) *keySchedule {
	t.Helper()
	keys, err := newKeySchedule(bytes.Repeat([]byte{7}, secretSize), initiator, testMagic)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// v2Sender is the sending half of a connection whose receiving half is v2Receiver.
func v2Sender(t testing.TB) *v2Transport { return newV2(nil, testSchedule(t, true)) }

func v2Receiver(t testing.TB, r io.Reader) *v2Transport {
	return newV2(bufio.NewReaderSize(r, readBuffer), testSchedule(t, false))
}

func mustSeal(t testing.TB, s *v2Transport, contents []byte, header byte) []byte {
	t.Helper()
	b, err := s.seal(nil, contents, nil, header)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pingContents(t testing.TB, nonce uint64) []byte {
	t.Helper()
	b, err := message.AppendContents(nil, &message.Ping{Nonce: nonce})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestV2Rekey: keys change after 224 packets in each direction; a thousand packets
// of many sizes arrive.
func TestV2Rekey(t *testing.T) {
	s := v2Sender(t)
	var stream []byte
	var want []message.Message
	for i := range 1000 {
		var m message.Message = &message.Ping{Nonce: uint64(i)}
		if i%50 == 0 {
			m = bigMessage(64 * (i + 1))
		}
		want = append(want, m)
		var err error
		if stream, err = s.append(stream, m); err != nil {
			t.Fatal(err)
		}
	}
	r := v2Receiver(t, bytes.NewReader(stream))
	for i, m := range want {
		if got, err := r.next(); err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("message %d: %v, %v", i, got, err)
		}
	}
	if _, err := r.next(); err != io.EOF {
		t.Errorf("ended with %v", err)
	}
	if cap(s.plain) > packetStep || cap(r.packet) > packetStep {
		t.Errorf("buffers of %d and %d bytes are kept", cap(s.plain), cap(r.packet))
	}
}

// TestV2BitFlips: each single bit that is altered ends the connection, at the packet
// it is in.
func TestV2BitFlips(t *testing.T) {
	s := v2Sender(t)
	var stream []byte
	var ends []int
	for i := range 3 {
		var err error
		if stream, err = s.append(stream, &message.Ping{Nonce: uint64(i)}); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, len(stream))
	}
	for bit := range len(stream) * 8 {
		b := bytes.Clone(stream)
		b[bit/8] ^= 1 << (bit % 8)
		// A length made longer waits for more, which never authenticates.
		r := v2Receiver(t, io.MultiReader(bytes.NewReader(b), bytes.NewReader(make([]byte, 2*message.MaxPayload))))
		good := 0
		for bit/8 >= ends[good] {
			good++
		}
		for range good {
			if _, err := r.next(); err != nil {
				t.Fatalf("bit %d: %v before it", bit, err)
			}
		}
		if m, err := r.next(); !errors.Is(err, errAltered) && !errors.Is(err, errLength) {
			t.Fatalf("bit %d: %v, %v", bit, m, err)
		}
	}
}

// TestV2Order: packets that are lost, repeated or swapped end the connection.
func TestV2Order(t *testing.T) {
	s := v2Sender(t)
	var p [3][]byte
	for i := range p {
		p[i] = mustSeal(t, s, pingContents(t, uint64(i)), 0)
	}
	for name, stream := range map[string][]byte{
		"lost": append(bytes.Clone(p[1]), p[2]...), "swapped": append(bytes.Clone(p[1]), p[0]...),
		"repeated": append(bytes.Clone(p[0]), p[0]...),
	} {
		r := v2Receiver(t, io.MultiReader(bytes.NewReader(stream), bytes.NewReader(make([]byte, 2*message.MaxPayload))))
		var err error
		for range 2 {
			if _, err = r.next(); err != nil {
				break
			}
		}
		if !errors.Is(err, errAltered) && !errors.Is(err, errLength) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestV2Truncated ends the stream after every byte.
func TestV2Truncated(t *testing.T) {
	s := v2Sender(t)
	one := mustSeal(t, s, pingContents(t, 1), 0)
	stream := append(one, mustSeal(t, s, pingContents(t, 2), 0)...)
	for n := range stream {
		r := v2Receiver(t, bytes.NewReader(stream[:n]))
		var err error
		for err == nil {
			_, err = r.next()
		}
		want := io.ErrUnexpectedEOF
		if n == 0 || n == len(stream)/2 {
			want = io.EOF
		}
		if err != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// allocated returns the bytes that f allocates, garbage included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// claim is the encrypted length field of a packet of which nothing else comes.
func claim(t testing.TB, n int) []byte {
	t.Helper()
	b, err := v2Sender(t).send.length.Crypt([]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestV2ClaimedLength: memory follows what arrives, whatever length a peer claims.
func TestV2ClaimedLength(t *testing.T) {
	const most = message.TypeSize + message.MaxPayload
	tests := []struct {
		name           string
		claim, arrives int
		limit          int // of the payload
		want           error
		memory         uint64
	}{
		{"16 MiB", 1<<24 - 1, 1 << 20, message.MaxPayload, errLength, 4 << 10},
		{"one too many", most + 1, 1 << 20, message.MaxPayload, errLength, 4 << 10},
		{"the greatest, and silence", most, 0, message.MaxPayload, io.ErrUnexpectedEOF, 4 * packetStep},
		{"the greatest, and 100 kB", most, 100_000, message.MaxPayload, io.ErrUnexpectedEOF, 8 * 100_000},
		{"8 kB from a stranger", 8192, 8192, handshakePayload, errLength, 4 << 10},
	}
	for _, test := range tests {
		r := v2Receiver(t, io.MultiReader(bytes.NewReader(claim(t, test.claim)), bytes.NewReader(make([]byte, test.arrives))))
		r.setLimit(test.limit)
		var err error
		got := allocated(func() { _, err = r.next() })
		t.Logf("%s: %d bytes allocated", test.name, got)
		if !errors.Is(err, test.want) || got > test.memory {
			t.Errorf("%s: %v after %d bytes of memory, want %v and at most %d", test.name, err, got, test.want, test.memory)
		}
	}
}

// TestV2Largest: the largest messages pass, larger ones are not sent.
func TestV2Largest(t *testing.T) {
	s := v2Sender(t)
	list := &message.ShareTxn{Raw: make([][]byte, 985)}
	for i := range list.Raw {
		list.Raw[i] = make([]byte, share.MaxEncodedSize)
	}
	if list.Size() > list.MaxPayload() || list.Size() < list.MaxPayload()*99/100 {
		t.Fatalf("%d bytes are not nearly %d", list.Size(), list.MaxPayload())
	}
	b, err := s.append(nil, list)
	if err != nil {
		t.Fatal(err)
	}
	unknown := append([]byte("\x00newthing\x00\x00\x00\x00"), make([]byte, message.MaxPayload)...)
	b = append(b, mustSeal(t, s, unknown, 0)...)
	r := v2Receiver(t, bytes.NewReader(b))
	if m, err := r.next(); err != nil || !reflect.DeepEqual(m, list) {
		t.Errorf("not received as sent: %v", err)
	}
	if m, err := r.next(); err != nil || m.Size() != message.MaxPayload || m.Command() != "newthing" {
		t.Errorf("unknown message: %v", err)
	}
	tooMany := &message.Inv{IDs: make([]chainhash.Hash, 3000)}
	if b, err := s.append([]byte("x"), tooMany); err == nil || string(b) != "x" {
		t.Errorf("%d bytes sent, %v", len(b), err)
	}
}

// TestV2Decoys: decoys and reserved flags are ignored, up to as many bytes as one
// message may have.
func TestV2Decoys(t *testing.T) {
	s := v2Sender(t)
	var stream []byte
	for range 5 {
		for _, size := range []int{0, 1, 1000} {
			stream = append(stream, mustSeal(t, s, make([]byte, size), ignoreBit)...)
		}
		stream = append(stream, mustSeal(t, s, pingContents(t, 1), 0x7f)...) // reserved flags
	}
	limit := message.TypeSize + handshakePayload
	for rest := limit; rest >= packetOverhead; rest -= packetOverhead {
		stream = append(stream, mustSeal(t, s, nil, ignoreBit)...)
	}
	stream = append(stream, mustSeal(t, s, pingContents(t, 1), 0)...)
	for range limit/packetOverhead + 1 {
		stream = append(stream, mustSeal(t, s, nil, 0xff)...)
	}
	stream = append(stream, mustSeal(t, s, pingContents(t, 1), 0)...)
	r := v2Receiver(t, bytes.NewReader(stream))
	r.setLimit(handshakePayload)
	for i := range 6 {
		if m, err := r.next(); err != nil || m.Command() != message.CmdPing {
			t.Fatalf("message %d: %v, %v", i, m, err)
		}
	}
	_, err := r.next()
	if rule, ok := errors.AsType[share.RuleError](err); !ok || rule.Kind != ErrDecoys {
		t.Errorf("too many decoys: %v", err)
	}
}

// TestV2Contents: what a peer wrote itself is its own fault.
func TestV2Contents(t *testing.T) {
	tests := []struct {
		name     string
		contents []byte
		want     share.ErrorKind
	}{
		{"empty", nil, message.ErrCommand},
		{"half a type", []byte("\x00ping"), message.ErrCommand},
		{"capitals", []byte("\x00PING\x00\x00\x00\x00\x00\x00\x00\x00"), message.ErrCommand},
		{"short payload", pingContents(t, 1)[:message.TypeSize+7], message.ErrTruncated},
		{"long payload", append(pingContents(t, 1), 0), message.ErrPayloadSize},
	}
	for _, test := range tests {
		r := v2Receiver(t, bytes.NewReader(mustSeal(t, v2Sender(t), test.contents, 0)))
		_, err := r.next()
		if rule, ok := errors.AsType[share.RuleError](err); !ok || rule.Kind != test.want {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}
