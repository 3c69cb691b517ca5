package message

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

const (
	// HeaderSize is the length of a frame before its payload, in bytes: magic 4,
	// command 12, length 4, checksum 4.
	HeaderSize = 4 + commandSize + 4 + checksumSize
	// MaxPayload is the hard cap on every payload, known or not: 1 MiB.
	MaxPayload = 1 << 20

	commandSize  = 12
	checksumSize = 4
	// readStep bounds the memory that one claimed length can cost before its
	// bytes arrive: 64 KiB.
	readStep = 64 << 10
)

// AppendFrame appends the message with its frame to b. It fails only for a
// message that its receiver would have to refuse for its size.
func AppendFrame(b []byte, magic wire.BitcoinNet, m Message) ([]byte, error) {
	size := m.Size()
	if most := min(m.MaxPayload(), MaxPayload); size > most {
		return b, fmt.Errorf("%s of %d bytes cannot be sent, at most %d are allowed", m.Command(), size, most)
	}
	b = slices.Grow(b, HeaderSize+size)
	b = binary.LittleEndian.AppendUint32(b, uint32(magic))
	var command [commandSize]byte
	copy(command[:], m.Command())
	b = append(b, command[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	at := len(b)
	b = m.AppendPayload(append(b, 0, 0, 0, 0))
	copy(b[at:], checksum(b[at+checksumSize:]))
	return b, nil
}

// checksum returns the first four bytes of SHA256d.
func checksum(payload []byte) []byte {
	return chainhash.DoubleHashB(payload)[:checksumSize]
}

// Reader reads frames from a connection. It is for one goroutine.
type Reader struct {
	r     io.Reader
	magic wire.BitcoinNet
	limit int

	reserve func(n int) error // nil: payloads are read at once
}

// NewReader returns a reader of frames with this magic. It reads field by
// field, so r should be buffered.
func NewReader(r io.Reader, magic wire.BitcoinNet) *Reader {
	return &Reader{r: r, magic: magic, limit: MaxPayload}
}

// SetLimit lowers the cap on payloads of all types to n bytes, at most
// MaxPayload. Peers use it for strangers, before the handshake.
func (r *Reader) SetLimit(n int) { r.limit = min(n, MaxPayload) }

// SetReserve has f called with the length of each payload that is not thrown away,
// before any of it is read: it may wait until there is room. Its error ends the
// reading.
func (r *Reader) SetReserve(f func(n int) error) { r.reserve = f }

// header is the frame before its payload.
type header struct {
	command  string
	length   int
	checksum [checksumSize]byte
}

// Next reads one frame and returns its message, an *Unknown if the command is
// not known. A share.RuleError means that the sender broke the protocol, io.EOF
// that the connection ended between frames, any other error comes from the
// connection. After an error the reader is of no more use.
func (r *Reader) Next() (Message, error) {
	h, err := r.header()
	if err != nil {
		return nil, err
	}
	m := newMessage(h.command)
	limit := r.limit
	if m != nil {
		limit = min(limit, m.MaxPayload())
	}
	if h.length > limit {
		return nil, ruleError(ErrPayloadSize, "%s of %d bytes, at most %d are allowed", h.command, h.length, limit)
	}
	if m == nil {
		// The checksum of what is thrown away does not matter.
		if _, err := io.CopyN(io.Discard, r.r, int64(h.length)); err != nil {
			return nil, unexpected(err)
		}
		return &Unknown{Name: h.command, Bytes: h.length}, nil
	}
	if r.reserve != nil {
		if err := r.reserve(h.length); err != nil {
			return nil, err
		}
	}
	payload, err := r.payload(h.length)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(h.checksum[:], checksum(payload)) {
		return nil, ruleError(ErrChecksum, "%s does not match its checksum", h.command)
	}
	if err := decodeInto(m, payload); err != nil {
		return nil, err
	}
	return m, nil
}

// header reads and checks the first 24 bytes of a frame. A foreign magic is
// noticed after four of them, without waiting for the rest.
func (r *Reader) header() (h header, err error) {
	var b [HeaderSize]byte
	if _, err := io.ReadFull(r.r, b[:4]); err != nil {
		return h, err
	}
	if got := binary.LittleEndian.Uint32(b[:4]); got != uint32(r.magic) {
		return h, ruleError(ErrMagic, "frame with magic %08x, this network has %08x", got, uint32(r.magic))
	}
	if _, err := io.ReadFull(r.r, b[4:]); err != nil {
		return h, unexpected(err)
	}
	h.command, err = parseCommand(b[4 : 4+commandSize])
	if err != nil {
		return h, err
	}
	length := binary.LittleEndian.Uint32(b[4+commandSize:])
	if length > MaxPayload {
		return h, ruleError(ErrPayloadSize, "%s of %d bytes, at most %d are allowed", h.command, length, MaxPayload)
	}
	h.length = int(length)
	copy(h.checksum[:], b[HeaderSize-checksumSize:])
	return h, nil
}

// parseCommand accepts lower-case letters and digits followed by zeros only, so
// that a command can be logged as it is.
func parseCommand(b []byte) (string, error) {
	name := bytes.TrimRight(b, "\x00")
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "", ruleError(ErrCommand, "malformed command %q", b)
		}
	}
	if len(name) == 0 {
		return "", ruleError(ErrCommand, "frame without a command")
	}
	return string(name), nil
}

// payload reads n bytes, with memory that follows what has arrived.
func (r *Reader) payload(n int) ([]byte, error) {
	b := make([]byte, 0, min(n, readStep))
	for len(b) < n {
		have, step := len(b), min(n-len(b), readStep)
		b = slices.Grow(b, step)[:have+step]
		if _, err := io.ReadFull(r.r, b[have:]); err != nil {
			return nil, unexpected(err)
		}
	}
	return b, nil
}

// unexpected turns an end of the stream inside a frame into an error of its own.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
