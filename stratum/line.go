package stratum

import (
	"bytes"
	"errors"
	"io"
)

// Lines. Clients send well under 1 KiB, most under 200 bytes: a connection
// begins with a small buffer and grows it by what really arrives.
const (
	// MaxLine is the longest line accepted from a client, in bytes without the
	// line feed. Other servers draw the line between 250 bytes and 8 KiB.
	MaxLine = 16 << 10

	firstLineBuffer = 2 << 10
)

// errLineTooLong ends a connection: nothing after such a line can be trusted
// to be the beginning of a message.
var errLineTooLong = errors.New("line longer than 16384 bytes")

// lineReader cuts a stream into lines and never holds more than MaxLine bytes
// and a line feed.
type lineReader struct {
	r          io.Reader
	buf        []byte
	start, end int // unread bytes are buf[start:end]
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: r, buf: make([]byte, firstLineBuffer)}
}

// next returns the next line without its line feed (and carriage return),
// valid until the next call. An unfinished last line is discarded.
func (l *lineReader) next() ([]byte, error) {
	scanned := l.start
	for {
		if n := bytes.IndexByte(l.buf[scanned:l.end], '\n'); n >= 0 {
			line := l.buf[l.start : scanned+n]
			if len(line) > MaxLine {
				return nil, errLineTooLong
			}
			l.start = scanned + n + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		scanned = l.end
		if l.end-l.start > MaxLine {
			return nil, errLineTooLong
		}
		if l.end == len(l.buf) {
			scanned -= l.start
			l.makeRoom()
		}
		n, err := l.r.Read(l.buf[l.end:])
		l.end += n
		if n == 0 && err != nil {
			return nil, err
		}
	}
}

// makeRoom moves the unfinished line to the front, into a buffer of twice the
// size if it fills the present one, and into a small one again after a burst.
func (l *lineReader) makeRoom() {
	pending := l.buf[l.start:l.end]
	dst := l.buf
	switch {
	case len(pending) == len(l.buf):
		dst = make([]byte, min(2*len(l.buf), MaxLine+1))
	case len(l.buf) > firstLineBuffer && len(pending) < firstLineBuffer/2:
		dst = make([]byte, firstLineBuffer)
	}
	l.end = copy(dst, pending)
	l.start, l.buf = 0, dst
}

// buffered reports whether a whole line waits in the buffer, so that the next
// call will not block.
func (l *lineReader) buffered() bool {
	return bytes.IndexByte(l.buf[l.start:l.end], '\n') >= 0
}
