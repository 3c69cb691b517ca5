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
	// admit waits until more may be read and returns an earlier deadline, or the zero
	// time; arrived is told what was. Both may be nil.
	admit   func() (time.Time, error)
	arrived func(n int)
}

// Read implements io.Reader. If the deadline can't be set, reading fails as well.
func (c *patientConn) Read(b []byte) (int, error) {
	if c.until.IsZero() {
		return c.Conn.Read(b)
	}
	by := c.until
	if c.admit != nil {
		sooner, err := c.admit()
		if err != nil {
			return 0, err
		}
		if !sooner.IsZero() {
			by = sooner // its own steps bound it, after a wait that must not count
		}
	}
	if silent := time.Now().Add(SilenceTimeout); silent.Before(by) {
		by = silent
	}
	_ = c.SetReadDeadline(by)
	n, err := c.Conn.Read(b)
	if c.arrived != nil {
		c.arrived(n)
	}
	return n, err
}
