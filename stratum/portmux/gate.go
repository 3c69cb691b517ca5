package portmux

import (
	"context"
	"net"
	"runtime"
)

// gate bounds how much of the machine TLS handshakes take: one computes for a third of a
// millisecond, and thousands of miners may come at once. All but one processor, but at
// least one, may work on them.
//
// A handshake computes between two reads. It has a turn only then, never while it waits
// for its client, so that slow clients keep nobody out.
type gate chan struct{}

func newGate() gate { return make(gate, max(1, runtime.GOMAXPROCS(0)-1)) }

// gated is the connection under TLS. During the handshake its reader takes turns.
type gated struct {
	*Conn
	gate gate
	ctx  context.Context // of the handshake; nil when it is over
	turn bool
}

// Read implements net.Conn.
func (g *gated) Read(b []byte) (int, error) {
	if g.ctx == nil {
		return g.Conn.Read(b)
	}
	g.yield()
	n, err := g.Conn.Read(b)
	if err != nil {
		return n, err
	}
	select {
	case g.gate <- struct{}{}:
		g.turn = true
		return n, nil
	case <-g.ctx.Done():
		return n, g.ctx.Err()
	}
}

// Write implements net.Conn.
func (g *gated) Write(b []byte) (int, error) {
	if g.ctx != nil {
		g.yield() // the client may not read
	}
	return g.Conn.Write(b)
}

// Close implements net.Conn.
func (g *gated) Close() error { return g.socket.Close() }

// yield ends a turn.
func (g *gated) yield() {
	if g.turn {
		g.turn = false
		<-g.gate
	}
}

// done ends the handshake.
func (g *gated) done() {
	g.yield()
	g.ctx = nil
}

var _ net.Conn = (*gated)(nil)
