package rpcserver

import (
	"context"
	"net"
	"sync"
)

// connTable keeps the number of open connections bounded without letting idle
// or half-open ones keep others out: when it is full, a connection that is not
// executing a command makes room, first one from an address that is not allowed
// anyway, then the oldest. A thousand half-open connections therefore cost a
// well-behaved client nothing.
//
// Safe for concurrent use.
type connTable struct {
	max     int
	allowed func(net.Addr) bool

	mu    sync.Mutex
	conns []*conn // oldest first, at most max
}

// conn is a connection in the table. The table's mutex guards busy.
type conn struct {
	net.Conn
	table   *connTable
	allowed bool          // its client address may use the server
	busy    bool          // authenticated and executing, must not be evicted
	closed  chan struct{} // closed by Close
	once    sync.Once
}

// trackedListener adds the connections it accepts to a table.
type trackedListener struct {
	net.Listener
	table *connTable
}

// Accept returns the next connection for which there is room.
func (l *trackedListener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.table.add(nc); c != nil {
			return c, nil
		}
		nc.Close()
	}
}

// add enters a new connection, evicting another if need be. It returns nil if
// every connection is busy.
func (t *connTable) add(nc net.Conn) *conn {
	c := &conn{Conn: nc, table: t, allowed: t.allowed(nc.RemoteAddr()), closed: make(chan struct{})}
	t.mu.Lock()
	var victim *conn
	if len(t.conns) >= t.max {
		if victim = t.victim(); victim == nil {
			t.mu.Unlock()
			return nil
		}
		t.remove(victim)
	}
	t.conns = append(t.conns, c)
	t.mu.Unlock()
	if victim != nil {
		victim.Close()
	}
	return c
}

// victim picks the connection to evict, nil if all are busy. It MUST be called
// with t.mu held.
func (t *connTable) victim() *conn {
	var oldest *conn
	for _, c := range t.conns {
		switch {
		case c.busy:
		case !c.allowed:
			return c
		case oldest == nil:
			oldest = c
		}
	}
	return oldest
}

// remove takes c out of the table. It MUST be called with t.mu held.
func (t *connTable) remove(c *conn) {
	for i := range t.conns {
		if t.conns[i] == c {
			t.conns = append(t.conns[:i], t.conns[i+1:]...)
			return
		}
	}
}

// closeIdle closes every connection that is not executing a command.
func (t *connTable) closeIdle() {
	t.mu.Lock()
	var idle []*conn
	for _, c := range t.conns {
		if !c.busy {
			idle = append(idle, c)
		}
	}
	t.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}

// setBusy marks the connection as executing a command, or as no longer doing
// so.
func (c *conn) setBusy(busy bool) {
	c.table.mu.Lock()
	c.busy = busy
	c.table.mu.Unlock()
}

// Close closes the connection and gives its place back.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.table.mu.Lock()
		c.table.remove(c)
		c.table.mu.Unlock()
	})
	return c.Conn.Close()
}

// connKey is the context key under which a request finds its connection.
type connKey struct{}

func withConn(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, nc)
}

// requestConn returns the request's connection, nil outside a Server.
func requestConn(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}
