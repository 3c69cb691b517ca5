package message

// GetAddr asks for addresses of nodes. It has no payload, and is answered once in
// a connection.
type GetAddr struct{}

// Command returns "getaddr".
func (m *GetAddr) Command() string { return CmdGetAddr }

// MaxPayload returns 0.
func (m *GetAddr) MaxPayload() int { return 0 }

// Size returns 0.
func (m *GetAddr) Size() int { return 0 }

// AppendPayload appends nothing.
func (m *GetAddr) AppendPayload(b []byte) []byte { return b }

func (m *GetAddr) decode(*decoder) {}
