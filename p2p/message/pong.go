package message

import "encoding/binary"

// Pong answers a ping (BIP 31).
type Pong struct {
	Nonce uint64 // of the ping
}

// Command returns "pong".
func (m *Pong) Command() string { return CmdPong }

// MaxPayload returns 8.
func (m *Pong) MaxPayload() int { return nonceSize }

// Size returns 8.
func (m *Pong) Size() int { return nonceSize }

// AppendPayload appends the payload to b.
func (m *Pong) AppendPayload(b []byte) []byte {
	return binary.LittleEndian.AppendUint64(b, m.Nonce)
}

func (m *Pong) decode(d *decoder) { m.Nonce = d.uint64() }
