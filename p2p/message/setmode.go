package message

// RelayMode says how a node wants to hear of new shares. A link uses the lower
// of its two sides' modes.
type RelayMode uint8

// The relay modes.
const (
	LowBandwidth RelayMode = 0 // inv first; the share when asked for
	LowLatency   RelayMode = 1 // the share at once
)

// String returns "low-bandwidth" or "low-latency".
func (m RelayMode) String() string {
	if m == LowBandwidth {
		return "low-bandwidth"
	}
	return "low-latency"
}

// SetMode changes the sender's relay mode.
type SetMode struct {
	Mode RelayMode
}

// Command returns "setmode".
func (m *SetMode) Command() string { return CmdSetMode }

// MaxPayload returns 1.
func (m *SetMode) MaxPayload() int { return 1 }

// Size returns 1.
func (m *SetMode) Size() int { return 1 }

// AppendPayload appends the payload to b.
func (m *SetMode) AppendPayload(b []byte) []byte { return append(b, byte(m.Mode)) }

func (m *SetMode) decode(d *decoder) { m.Mode = relayMode(d) }

// relayMode reads a mode and refuses those that protocol version 1 lacks.
func relayMode(d *decoder) RelayMode {
	mode := RelayMode(d.uint8())
	if mode > LowLatency {
		d.fail(ErrField, "unknown relay mode %d", uint8(mode))
	}
	return mode
}
