package message

import "encoding/binary"

// AddrMe announces the sender itself: it accepts connections on this port of the
// address that the receiver sees it at. A node need not know its own address for
// that, and cannot announce somebody else's.
type AddrMe struct {
	Port uint16 // not 0
}

// Command returns "addrme".
func (m *AddrMe) Command() string { return CmdAddrMe }

// MaxPayload returns 2.
func (m *AddrMe) MaxPayload() int { return 2 }

// Size returns 2.
func (m *AddrMe) Size() int { return 2 }

// AppendPayload appends the payload to b.
func (m *AddrMe) AppendPayload(b []byte) []byte {
	return binary.LittleEndian.AppendUint16(b, m.Port)
}

func (m *AddrMe) decode(d *decoder) {
	if m.Port = d.uint16(); m.Port == 0 {
		d.fail(ErrField, "port 0")
	}
}
