package stratum

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

// Lines. Clients send well under 1 KiB, most under 200 bytes.
const (
	// MaxLine is the longest line accepted from a client, in bytes without the
	// line feed. Other servers draw the line between 250 bytes and 8 KiB.
	MaxLine = 16 << 10

	// firstLineBuffer is the size of the buffers that connections share. Who is in
	// the middle of a longer line gets a larger one of its own.
	firstLineBuffer = 2 << 10
)

// lineBuffers are the buffers that no connection needs at the moment.
var lineBuffers = sync.Pool{New: func() any { return new([firstLineBuffer]byte) }}

// errLineTooLong ends a connection: nothing after such a line can be trusted
// to be the beginning of a message.
var errLineTooLong = errors.New("line longer than 16384 bytes")

// lineReader cuts a stream into lines and never holds more than MaxLine bytes
// and a line feed. While it waits for a line to begin it holds no buffer, if the
// connection can tell that something has arrived before it is read.
type lineReader struct {
	r     io.Reader
	ahead buffered        // nil, or r with what was read before
	raw   syscall.RawConn // nil: there is r only
	try   func(fd uintptr) (done bool)
	n     int   // bytes that try has read
	err   error // of try

	buf        []byte
	start, end int // unread bytes are buf[start:end]
}

func newLineReader(r io.Reader) *lineReader {
	l := &lineReader{r: r}
	if conn, ok := r.(net.Conn); ok {
		l.raw = rawReader(conn)
	}
	l.ahead, _ = r.(buffered)
	l.try = func(fd uintptr) (done bool) { // kept, lest each read allocates it
		l.acquire()
		if l.n, done, l.err = tryRead(fd, l.buf[l.end:]); !done && l.start == l.end {
			l.release()
		}
		return done // or wait until something arrives
	}
	return l
}

// next returns the next line without its line feed (and carriage return),
// valid until the next call. An unfinished last line is discarded.
func (l *lineReader) next() ([]byte, error) {
	for scanned := 0; ; {
		unread := l.buf[l.start:l.end]
		if n := bytes.IndexByte(unread[scanned:], '\n'); n >= 0 {
			line := unread[:scanned+n]
			if len(line) > MaxLine {
				return nil, errLineTooLong
			}
			l.start += len(line) + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		if len(unread) > MaxLine {
			return nil, errLineTooLong
		}
		scanned = len(unread)
		if n, err := l.fill(); n == 0 && err != nil {
			return nil, err
		}
	}
}

// fill waits for bytes and appends them to those that are unread.
func (l *lineReader) fill() (n int, err error) {
	switch {
	case l.start == l.end:
		l.release()
	case l.end == len(l.buf):
		l.makeRoom()
	}
	if l.raw == nil || l.ahead != nil && l.ahead.Buffered() > 0 {
		l.acquire()
		n, err = l.r.Read(l.buf[l.end:])
	} else if err = l.raw.Read(l.try); err == nil {
		n, err = l.n, l.err
	}
	l.end += n
	return n, err
}

// acquire makes sure that there is a buffer.
func (l *lineReader) acquire() {
	if l.buf == nil {
		l.buf = lineBuffers.Get().(*[firstLineBuffer]byte)[:]
	}
}

// release gives the buffer, in which nothing is unread, to the next connection.
func (l *lineReader) release() {
	if len(l.buf) == firstLineBuffer {
		lineBuffers.Put((*[firstLineBuffer]byte)(l.buf))
	}
	l.buf, l.start, l.end = nil, 0, 0
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
