package message

import "encoding/binary"

// nonceSize is the payload of ping and pong in bytes.
const nonceSize = 8

// Ping asks for a pong with the same nonce (BIP 31).
type Ping struct {
	Nonce uint64 // random, so that an answer cannot be sent ahead
}

// Command returns "ping".
func (m *Ping) Command() string { return CmdPing }

// MaxPayload returns 8.
func (m *Ping) MaxPayload() int { return nonceSize }

// Size returns 8.
func (m *Ping) Size() int { return nonceSize }

// AppendPayload appends the payload to b.
func (m *Ping) AppendPayload(b []byte) []byte {
	return binary.LittleEndian.AppendUint64(b, m.Nonce)
}

func (m *Ping) decode(d *decoder) { m.Nonce = d.uint64() }
