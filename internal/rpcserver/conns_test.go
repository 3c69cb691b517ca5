package rpcserver

import (
	"net"
	"testing"
)

// fakeConn is a connection from an address that is allowed or not.
type fakeConn struct {
	net.Conn
	allowed bool
	closed  bool
}

func (c *fakeConn) RemoteAddr() net.Addr { return fakeAddr(c.allowed) }
func (c *fakeConn) Close() error         { c.closed = true; return nil }

type fakeAddr bool

func (fakeAddr) Network() string { return "tcp" }
func (fakeAddr) String() string  { return "" }

func newTestTable(limit int) *connTable {
	return &connTable{max: limit, allowed: func(a net.Addr) bool { return bool(a.(fakeAddr)) }}
}

func TestConnTable(t *testing.T) {
	table := newTestTable(3)
	open := func(allowed bool) (*fakeConn, *conn) {
		fc := &fakeConn{allowed: allowed}
		return fc, table.add(fc)
	}
	busyFake, busy := open(true)
	busy.setBusy(true)
	oldest, _ := open(true)
	stranger, _ := open(false)

	younger, _ := open(true)
	if !stranger.closed || oldest.closed {
		t.Error("the connection that is not allowed must go first")
	}
	_, last := open(true)
	if !oldest.closed || younger.closed {
		t.Error("the oldest connection must go next")
	}
	for _, c := range table.conns {
		c.setBusy(true)
	}
	if _, c := open(true); c != nil {
		t.Error("a connection was added though all others are busy")
	}
	last.setBusy(false)
	if fc, c := open(true); c == nil || fc.closed {
		t.Error("no room was made")
	}
	table.closeIdle()
	if busyFake.closed || len(table.conns) != 2 {
		t.Errorf("closeIdle left %d connections", len(table.conns))
	}
	busy.Close()
	busy.Close() // a second time does nothing
	if !busyFake.closed || len(table.conns) != 1 {
		t.Errorf("Close left %d connections", len(table.conns))
	}
}
