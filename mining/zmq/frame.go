package zmq

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	greetingSize = 64
	// maxCommand bounds a command's body. A READY has some 30 bytes; the properties
	// that a publisher may add are short too.
	maxCommand = 512
	// maxBody bounds a message's frames. The largest is a raw block, of at most
	// 4,000,000 bytes (BIP 141).
	maxBody = 4_000_000
	// keptBody is how much of a frame is kept: a block header.
	keptBody = 80
	// maxFrames is how many frames a message of Bitcoin Core has.
	maxFrames = 3
)

// The flags of a frame.
const (
	flagMore    = 1 << 0
	flagLong    = 1 << 1
	flagCommand = 1 << 2
	flagsKnown  = flagMore | flagLong | flagCommand
)

// greeting is what both sides of a connection begin with: the signature, version 3.0, the
// mechanism NULL and the role in it, which has no meaning.
func greeting() []byte {
	g := make([]byte, greetingSize)
	g[0], g[9] = 0xff, 0x7f
	g[10] = 3
	copy(g[12:], "NULL")
	return g
}

// checkGreeting looks at the other side's. Later versions talk as 3.0 to one of 3.0.
func checkGreeting(g []byte) error {
	switch {
	case g[0] != 0xff || g[9] != 0x7f:
		return errors.New("it doesn't speak ZMTP")
	case g[10] < 3:
		return fmt.Errorf("it speaks version %d of ZMTP, not 3", g[10])
	case string(g[12:17]) != "NULL\x00":
		return errors.New("it wants a login, which Bitcoin Core's doesn't")
	}
	return nil
}

// appendFrame appends a frame with a short body.
func appendFrame(dst []byte, flags byte, body ...byte) []byte {
	return append(append(dst, flags, byte(len(body))), body...)
}

// ready is the command that makes us a subscriber.
func ready() []byte {
	body := append([]byte{5}, "READY"...)
	body = append(append(body, 11), "Socket-Type"...)
	body = append(append(body, 0, 0, 0, 3), "SUB"...)
	return appendFrame(nil, flagCommand, body...)
}

// subscribe is the message that asks for a topic.
func subscribe(topic string) []byte {
	return appendFrame(nil, 0, append([]byte{1}, topic...)...)
}

// reader reads frames.
type reader struct {
	br   *bufio.Reader
	kept [maxFrames][keptBody]byte
}

// header reads a frame's flags and the size of its body.
func (r *reader) header() (flags byte, size uint64, err error) {
	if flags, err = r.br.ReadByte(); err != nil {
		return 0, 0, err
	}
	if flags&^byte(flagsKnown) != 0 {
		return 0, 0, fmt.Errorf("frame with flags %02x", flags)
	}
	if flags&flagLong == 0 {
		short, err := r.br.ReadByte()
		return flags, uint64(short), noEOF(err)
	}
	var long [8]byte
	_, err = io.ReadFull(r.br, long[:])
	return flags, binary.BigEndian.Uint64(long[:]), noEOF(err)
}

// command reads the rest of a command frame and returns its name.
func (r *reader) command(size uint64) (name, data []byte, err error) {
	if size < 1 || size > maxCommand {
		return nil, nil, fmt.Errorf("command of %d bytes", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r.br, body); err != nil {
		return nil, nil, noEOF(err)
	}
	n := int(body[0])
	if n >= len(body) {
		return nil, nil, errors.New("command without a name")
	}
	return body[1 : 1+n], body[1+n:], nil
}

// message is the kept part of a message's frames, valid until the next is read, and
// their sizes.
type message struct {
	frames [maxFrames][]byte
	sizes  [maxFrames]int
	count  int
}

// next reads a message. Commands in between are passed over, but for an error that the
// other side reports.
func (r *reader) next() (m message, err error) {
	for {
		flags, size, err := r.header()
		if err != nil {
			return m, err
		}
		if flags&flagCommand != 0 {
			if m.count > 0 || flags&flagMore != 0 {
				return m, errors.New("command inside a message")
			}
			if name, data, err := r.command(size); err != nil {
				return m, err
			} else if string(name) == "ERROR" {
				return m, fmt.Errorf("it reports an error: %.100q", data)
			}
			continue
		}
		switch {
		case size > maxBody:
			return m, fmt.Errorf("frame of %d bytes", size)
		case m.count == maxFrames:
			return m, fmt.Errorf("message of more than %d frames", maxFrames)
		}
		kept := r.kept[m.count][:min(size, keptBody)]
		if _, err := io.ReadFull(r.br, kept); err != nil {
			return m, noEOF(err)
		}
		m.frames[m.count], m.sizes[m.count] = kept, int(size)
		m.count++
		// The header of a raw block is known before the block has been read; but the
		// news is a millisecond older at most, and to wait keeps this simple.
		if _, err := r.br.Discard(int(size) - len(kept)); err != nil {
			return m, noEOF(err)
		}
		if flags&flagMore == 0 {
			return m, nil
		}
	}
}

// noEOF makes an end inside a frame an error of its own.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
