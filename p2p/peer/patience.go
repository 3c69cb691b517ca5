package peer

import (
	"net"
	"time"
)

// patientConn reads from a connection until a time, and gives up before if nothing
// arrives for SilenceTimeout. Time spent without reading, on what was read before,
// doesn't count. It is for the reader goroutine.
type patientConn struct {
	net.Conn
	until time.Time // zero: the deadline is set by others
}

// Read implements io.Reader. If the deadline can't be set, reading fails as well.
func (c *patientConn) Read(b []byte) (int, error) {
	if !c.until.IsZero() {
		by := time.Now().Add(SilenceTimeout)
		if c.until.Before(by) {
			by = c.until
		}
		_ = c.SetReadDeadline(by)
	}
	return c.Conn.Read(b)
}
