package message

// VerAck accepts the other side's version. It has no payload.
type VerAck struct{}

// Command returns "verack".
func (m *VerAck) Command() string { return CmdVerAck }

// MaxPayload returns 0.
func (m *VerAck) MaxPayload() int { return 0 }

// Size returns 0.
func (m *VerAck) Size() int { return 0 }

// AppendPayload appends nothing.
func (m *VerAck) AppendPayload(b []byte) []byte { return b }

func (m *VerAck) decode(*decoder) {}
