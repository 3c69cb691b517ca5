package stratum

import (
	"net"
	"syscall"
)

// rawConn returns access to the descriptor below a connection on which reads and
// writes can be tried without waiting, or nil: nothing can be tried on a TLS
// connection or on this system.
func rawConn(conn net.Conn) syscall.RawConn {
	c, ok := conn.(syscall.Conn)
	if !ok || !canTry {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// buffered is a connection from which something was read before it came here, to
// see what it speaks. Buffered returns how many bytes of that are left, which Read
// returns first.
type buffered interface{ Buffered() int }

// rawReader returns access to a connection's descriptor for reading, or nil. A
// connection of a kind of its own might hold bytes that the descriptor does not
// have any more, unless it tells how many.
func rawReader(conn net.Conn) syscall.RawConn {
	switch conn.(type) {
	case *net.TCPConn, buffered:
		return rawConn(conn)
	}
	return nil
}
