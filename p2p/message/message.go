package message

import (
	"github.com/p2poold/p2poold/blockchain/share"
)

// ProtocolVersion is the version of the peer protocol that this package speaks.
const ProtocolVersion = 1

// Message is one wire message. The set is closed: only this package implements
// it.
type Message interface {
	// Command returns the name of the message on the wire, 1 to 12 bytes.
	Command() string
	// MaxPayload returns the greatest payload, in bytes, that the type may have.
	MaxPayload() int
	// Size returns the payload's exact length in bytes.
	Size() int
	// AppendPayload appends the payload to b.
	AppendPayload(b []byte) []byte

	// decode reads the fields; the caller checks for trailing bytes.
	decode(d *decoder)
}

// extensible marks a message whose payload may end in fields that this version
// of the protocol does not know.
type extensible interface{ allowsTail() }

// Commands of the messages.
const (
	CmdVersion    = "version"
	CmdVerAck     = "verack"
	CmdPing       = "ping"
	CmdPong       = "pong"
	CmdInv        = "inv"
	CmdGetShares  = "getshares"
	CmdShares     = "shares"
	CmdNotFound   = "notfound"
	CmdGetLocator = "getlocator"
	CmdSetMode    = "setmode"
	CmdGetAddr    = "getaddr"
	CmdAddr       = "addr"
	CmdAddrMe     = "addrme"

	CmdCmpctShare  = "cmpctshare"
	CmdGetShareTxn = "getsharetxn"
	CmdShareTxn    = "sharetxn"
	CmdBlock       = "block"
)

// newMessage returns an empty message of the command, nil if it is unknown.
func newMessage(command string) Message {
	switch command {
	case CmdVersion:
		return new(Version)
	case CmdVerAck:
		return new(VerAck)
	case CmdPing:
		return new(Ping)
	case CmdPong:
		return new(Pong)
	case CmdInv:
		return new(Inv)
	case CmdGetShares:
		return new(GetShares)
	case CmdShares:
		return new(Shares)
	case CmdNotFound:
		return new(NotFound)
	case CmdGetLocator:
		return new(GetLocator)
	case CmdSetMode:
		return new(SetMode)
	case CmdGetAddr:
		return new(GetAddr)
	case CmdAddr:
		return new(Addr)
	case CmdAddrMe:
		return new(AddrMe)
	case CmdCmpctShare:
		return new(CmpctShare)
	case CmdGetShareTxn:
		return new(GetShareTxn)
	case CmdShareTxn:
		return new(ShareTxn)
	case CmdBlock:
		return new(Block)
	}
	return nil
}

// Decode decodes the payload of a command. The message may alias payload. An
// unknown command and every malformed payload give a share.RuleError.
func Decode(command string, payload []byte) (Message, error) {
	m := newMessage(command)
	if m == nil {
		return nil, ruleError(ErrCommand, "unknown command %q", command)
	}
	if err := decodeInto(m, payload); err != nil {
		return nil, err
	}
	return m, nil
}

func decodeInto(m Message, payload []byte) error {
	if len(payload) > m.MaxPayload() {
		return ruleError(ErrPayloadSize, "%s of %d bytes, at most %d are allowed", m.Command(), len(payload), m.MaxPayload())
	}
	d := decoder{b: payload, what: m.Command()}
	m.decode(&d)
	if _, tail := m.(extensible); !tail && d.err == nil && len(d.b) != 0 {
		d.fail(ErrTrailingBytes, "%d bytes follow the last field", len(d.b))
	}
	return d.err
}

// Unknown stands for a received message whose command this version does not
// know. Its payload was read and dropped; it is never sent.
type Unknown struct {
	Name  string // command
	Bytes int    // payload length
}

// Command returns the command as received.
func (m *Unknown) Command() string { return m.Name }

// MaxPayload is the hard cap, as nothing is known about the type.
func (m *Unknown) MaxPayload() int { return MaxPayload }

// Size returns the length of the dropped payload in bytes.
func (m *Unknown) Size() int { return m.Bytes }

// AppendPayload appends nothing: an unknown message cannot be passed on.
func (m *Unknown) AppendPayload(b []byte) []byte { return b }

func (m *Unknown) decode(d *decoder) { d.b = nil }

// Kinds of the rules that a frame or payload can break. Every one of them comes
// wrapped in a share.RuleError.
const (
	ErrMagic         share.ErrorKind = "ErrMagic"         // frame of another network
	ErrCommand       share.ErrorKind = "ErrCommand"       // malformed command
	ErrPayloadSize   share.ErrorKind = "ErrPayloadSize"   // payload above the cap
	ErrChecksum      share.ErrorKind = "ErrChecksum"      // payload does not match its checksum
	ErrTruncated     share.ErrorKind = "ErrTruncated"     // payload ends before its last field
	ErrTrailingBytes share.ErrorKind = "ErrTrailingBytes" // bytes follow the last field
	ErrVarInt        share.ErrorKind = "ErrVarInt"        // varint not in its shortest form
	ErrCount         share.ErrorKind = "ErrCount"         // count or length outside of its bounds
	ErrField         share.ErrorKind = "ErrField"         // field with a value that is not allowed
)
