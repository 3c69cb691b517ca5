package bitcoind

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/p2poold/p2poold/mining"
)

// sink is an HTTP node that notes when bytes of a block arrive. It is made of a bare
// connection, so that nothing of net/http's server is measured.
type sink struct {
	net.Listener
	first, last chan time.Time
}

func newSink(tb testing.TB, size int) *sink {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &sink{Listener: l, first: make(chan time.Time, 1), last: make(chan time.Time, 1)}
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn, size)
		}
	}()
	return s
}

// serve takes requests with bodies of the given size.
func (s *sink) serve(conn net.Conn, size int) {
	defer conn.Close()
	buf := make([]byte, 1<<20)
	const reply = `{"result":null,"error":null,"id":1}`
	for {
		var head []byte
		for !bytes.Contains(head, []byte("\r\n\r\n")) {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			if len(head) == 0 {
				s.first <- time.Now()
			}
			head = append(head, buf[:n]...)
		}
		got := len(head) - bytes.Index(head, []byte("\r\n\r\n")) - 4
		for got < size {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			got += n
		}
		s.last <- time.Now()
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(reply), reply)
	}
}

// BenchmarkSubmit measures from the call of SubmitBlock with a block of 4 MB to the
// arrival of the first and of the last of 8 MB of digits at the node.
func BenchmarkSubmit(b *testing.B) {
	block := make([]byte, 4_000_000)
	size := len(submitHead) + 2*len(block) + len(submitTail)
	for _, warm := range []bool{true, false} {
		b.Run(map[bool]string{true: "warm", false: "new connection"}[warm], func(b *testing.B) {
			s := newSink(b, size)
			c, err := New(Config{URL: "http://u:p@" + s.Addr().String(), Params: &chaincfg.RegressionNetParams})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			var first, last, worst time.Duration
			for b.Loop() {
				if !warm {
					c.lanes.closeIdle()
				}
				start := time.Now()
				if err := c.SubmitBlock(context.Background(), mining.RawBlock{block}, nil); err != nil {
					b.Fatal(err)
				}
				d := (<-s.first).Sub(start)
				first, worst = first+d, max(worst, d)
				last += (<-s.last).Sub(start)
			}
			c.lanes.closeIdle()
			b.ReportMetric(float64(first.Microseconds())/float64(b.N), "µs-first")
			b.ReportMetric(float64(worst.Microseconds()), "µs-first-worst")
			b.ReportMetric(float64(last.Microseconds())/float64(b.N), "µs-last")
		})
	}
}
