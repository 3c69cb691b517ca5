package message

import (
	"fmt"
	"slices"
)

// TypeSize is the length of a message's type in the contents of a packet of the
// v2 transport, in bytes: a zero and the command, which is BIP 324's long form.
const TypeSize = 1 + commandSize

// AppendContents appends the message as the contents of a v2 packet to b: its
// type and its payload. It fails only for a message that its receiver would have
// to refuse for its size.
//
// BIP 324 gives the one-byte types 1 to 255 to frequent messages. This version
// of the protocol uses none: twelve bytes matter little beside a share.
func AppendContents(b []byte, m Message) ([]byte, error) {
	size := m.Size()
	if most := min(m.MaxPayload(), MaxPayload); size > most {
		return b, fmt.Errorf("%s of %d bytes cannot be sent, at most %d are allowed", m.Command(), size, most)
	}
	b = slices.Grow(b, TypeSize+size)
	var kind [TypeSize]byte
	copy(kind[1:], m.Command())
	return m.AppendPayload(append(b, kind[:]...)), nil
}

// ParseContents reads a message from the contents of a v2 packet, an *Unknown if
// its type is not known; a one-byte type never is. The message may alias b.
// Every error is a share.RuleError.
func ParseContents(b []byte) (Message, error) {
	if len(b) > 0 && b[0] != 0 {
		return &Unknown{Name: fmt.Sprintf("#%d", b[0]), Bytes: len(b) - 1}, nil
	}
	if len(b) < TypeSize {
		return nil, ruleError(ErrCommand, "packet of %d bytes has no message type", len(b))
	}
	command, err := parseCommand(b[1:TypeSize])
	if err != nil {
		return nil, err
	}
	payload := b[TypeSize:]
	m := newMessage(command)
	if m == nil {
		return &Unknown{Name: command, Bytes: len(payload)}, nil
	}
	if err := decodeInto(m, payload); err != nil {
		return nil, err
	}
	return m, nil
}
