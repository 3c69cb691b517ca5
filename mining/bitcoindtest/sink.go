package bitcoindtest

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"
)

// Sink is a node that takes every block, and notes when its bytes arrive: for benchmarks.
// It is made of bare connections, so that nothing of net/http's server is measured.
type Sink struct {
	// First and Last tell when the first and the last byte of a call have arrived. A call
	// waits for whoever doesn't take them.
	First, Last <-chan time.Time

	listener    net.Listener
	first, last chan time.Time
}

// sinkBuffer is how much a [Sink] reads at a time, in bytes.
const sinkBuffer = 1 << 20

// NewSink starts a Sink, which ends with the test.
func NewSink(tb TB) *Sink {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("sink: %v", err)
	}
	s := &Sink{listener: l, first: make(chan time.Time, 1), last: make(chan time.Time, 1)}
	s.First, s.Last = s.first, s.last
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

// Addr returns host:port.
func (s *Sink) Addr() string { return s.listener.Addr().String() }

// URL returns the address with user and password.
func (s *Sink) URL() string { return "http://" + FakeUser + ":" + FakePass + "@" + s.Addr() }

// serve answers calls until the connection ends.
func (s *Sink) serve(conn net.Conn) {
	defer conn.Close()
	const reply = `{"result":null,"error":null,"id":1}`
	r := bufio.NewReaderSize(conn, sinkBuffer)
	for {
		if _, err := r.Peek(1); err != nil {
			return
		}
		s.first <- time.Now()
		request, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if _, err := r.Discard(int(request.ContentLength)); err != nil { // the body, without copying it
			return
		}
		s.last <- time.Now()
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(reply), reply)
	}
}

// Arrivals is how long the first and the last bytes of calls took to the node.
type Arrivals struct{ First, Last []time.Duration }

// Note waits for a call that began at start.
func (a *Arrivals) Note(s *Sink, start time.Time) {
	a.First, a.Last = append(a.First, (<-s.First).Sub(start)), append(a.Last, (<-s.Last).Sub(start))
}

// Report gives median, 99th percentile and the worst of them, in milliseconds, to a
// testing.B's ReportMetric.
func (a *Arrivals) Report(metric func(value float64, unit string)) {
	for name, list := range map[string][]time.Duration{"first": a.First, "last": a.Last} {
		list = slices.Sorted(slices.Values(list))
		for unit, i := range map[string]int{"p50": len(list) / 2, "p99": (len(list)*99+99)/100 - 1, "max": len(list) - 1} {
			metric(list[i].Seconds()*1000, name+"-"+unit+"-ms")
		}
	}
}
