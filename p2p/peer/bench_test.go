package peer

import (
	"bufio"
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// loop carries messages from a sender to a receiver in memory.
type loop struct {
	send, recv transport
	wire       bytes.Buffer
	frames     []byte
}

func newLoop(b *testing.B, v2 bool) *loop {
	l := new(loop)
	in := bufio.NewReaderSize(&l.wire, readBuffer)
	if v2 {
		l.send, l.recv = newV2(nil, testSchedule(b, true)), newV2(in, testSchedule(b, false))
	} else {
		l.send, l.recv = newV1(nil, testMagic), newV1(in, testMagic)
	}
	return l
}

func (l *loop) carry(b *testing.B, m message.Message) {
	var err error
	if l.frames, err = l.send.append(l.frames[:0], m); err != nil {
		b.Fatal(err)
	}
	l.wire.Write(l.frames)
	if _, err := l.recv.next(); err != nil {
		b.Fatal(err)
	}
}

// benchMessages are the extremes: a full answer of a sync, and a ping.
func benchMessages() map[string]message.Message {
	list := &message.Shares{Raw: make([][]byte, 140)}
	for i := range list.Raw {
		list.Raw[i] = make([]byte, share.MaxEncodedSize)
	}
	return map[string]message.Message{"128kB": list, "ping": &message.Ping{Nonce: 1}}
}

// BenchmarkTransport is the cost of sending and receiving a message, without the
// network.
func BenchmarkTransport(b *testing.B) {
	for name, m := range benchMessages() {
		for _, v2 := range []bool{false, true} {
			b.Run(name+map[bool]string{false: "/v1", true: "/v2"}[v2], func(b *testing.B) {
				l := newLoop(b, v2)
				b.SetBytes(int64(m.Size()))
				b.ReportAllocs()
				for b.Loop() {
					l.carry(b, m)
				}
			})
		}
	}
}

// BenchmarkTransportRatio is v2's cost over v1's, both measured side by side.
func BenchmarkTransportRatio(b *testing.B) {
	for name, m := range benchMessages() {
		b.Run(name, func(b *testing.B) {
			v1, v2 := newLoop(b, false), newLoop(b, true)
			var spent [2]float64
			for b.Loop() {
				for i, l := range []*loop{v1, v2} {
					spent[i] -= seconds()
					l.carry(b, m)
					spent[i] += seconds()
				}
			}
			b.ReportMetric(spent[1]/spent[0], "v2/v1")
		})
	}
}

// BenchmarkExchange is what an inbound handshake costs before anything is known
// about the peer; ExchangesPerSecond rests on it.
func BenchmarkExchange(b *testing.B) {
	theirs, err := newKeyPair()
	if err != nil {
		b.Fatal(err)
	}
	hello := append(theirs.public[:], make([]byte, maxGarbage+terminatorSize)...)
	for b.Loop() {
		h := handshakeV2{in: bufio.NewReaderSize(bytes.NewReader(hello), readBuffer), out: io.Discard, magic: testMagic,
			garbage: newGarbage(), admit: admitted}
		if _, err := h.respond(); err != errTerminator {
			b.Fatal(err)
		}
	}
}

var benchStart = time.Now()

func seconds() float64 { return time.Since(benchStart).Seconds() }
