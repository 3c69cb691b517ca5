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
	// Connected is when New was called.
	Connected time.Time
}

// counters are the parts of Stats that several goroutines touch.
type counters struct {
	bytesIn, bytesOut       atomic.Uint64
	messagesIn, messagesOut atomic.Uint64
	unknown                 atomic.Uint64
	ping                    atomic.Int64 // time.Duration
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
		Connected:   p.connected,
	}
}

// countingReader counts the bytes read from a connection.
type countingReader struct {
	r io.Reader
	n *atomic.Uint64
}

func (c countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(uint64(n))
	return n, err
}
