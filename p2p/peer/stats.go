package peer

import (
	"io"
	"sync/atomic"
	"time"
)

// Stats is a snapshot of a connection's counters.
type Stats struct {
	BytesIn, BytesOut       uint64
	MessagesIn, MessagesOut uint64
	// Unknown counts received messages of unknown commands.
	Unknown uint64
	// Ping is the latest round trip; 0 until the first pong.
	Ping time.Duration
	// MinPing is the shortest round trip so far; 0 until the first pong.
	MinPing time.Duration
	// Connected is when New was called.
	Connected time.Time
	// Introduced is when the exchange of version messages began: behind the v2
	// handshake, if there is one. Zero: not yet.
	Introduced time.Time
	// LastRecv and LastSend are when bytes last came and went; zero: never.
	LastRecv, LastSend time.Time
}

// counters are the parts of Stats that several goroutines touch.
type counters struct {
	bytesIn, bytesOut       traffic
	messagesIn, messagesOut atomic.Uint64
	inPer, outPer           perMessage
	unknown                 atomic.Uint64
	ping, minPing           atomic.Int64 // time.Duration
	introduced              atomic.Int64 // Unix nanoseconds; 0: not yet
}

// Stats returns the current counters.
func (p *Peer) Stats() Stats {
	return Stats{
		BytesIn:     p.count.bytesIn.Load(),
		BytesOut:    p.count.bytesOut.Load(),
		MessagesIn:  p.count.messagesIn.Load(),
		MessagesOut: p.count.messagesOut.Load(),
		Unknown:     p.count.unknown.Load(),
		Ping:        time.Duration(p.count.ping.Load()),
		MinPing:     time.Duration(p.count.minPing.Load()),
		Connected:   p.connected,
		Introduced:  timeOf(p.count.introduced.Load()),
		LastRecv:    p.count.bytesIn.Last(),
		LastSend:    p.count.bytesOut.Last(),
	}
}

// traffic counts the bytes of one direction and remembers when the latest went
// by.
type traffic struct {
	bytes atomic.Uint64
	last  atomic.Int64 // Unix nanoseconds; 0: never
}

// Add counts n bytes as going by now.
func (t *traffic) Add(n uint64) {
	if n > 0 {
		t.bytes.Add(n)
		t.last.Store(time.Now().UnixNano())
	}
}

// Load returns the bytes so far.
func (t *traffic) Load() uint64 { return t.bytes.Load() }

// Last returns when the latest bytes went by, the zero time if none did.
func (t *traffic) Last() time.Time { return timeOf(t.last.Load()) }

// timeOf returns a time in Unix nanoseconds, the zero time for 0.
func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// countingWriter counts the bytes written to a connection.
type countingWriter struct {
	w io.Writer
	n *traffic
}

func (c countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n.Add(uint64(n))
	return n, err
}

// countingReader counts the bytes read from a connection.
type countingReader struct {
	r io.Reader
	n *traffic
}

func (c countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(uint64(n))
	return n, err
}
