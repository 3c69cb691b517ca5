package main

import (
	"io"
	"net"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// line is an attacker's end of a connection, with plain frames.
type line struct {
	net.Conn
	f    *foe
	r    *message.Reader
	stop func() bool // forgets the connection before the attack ends
}

// Close implements net.Conn.
func (l *line) Close() error {
	l.stop()
	return l.Conn.Close()
}

// Write implements net.Conn.
func (l *line) Write(b []byte) (n int, err error) {
	for err == nil && n < len(b) {
		var m int
		piece := b[n:]
		if l.f.rate > 0 {
			piece = piece[:min(len(piece), l.f.rate/100)]
		}
		m, err = l.Conn.Write(piece)
		n += m
		l.f.tally.bytes.Add(int64(m))
		l.pace(m)
	}
	return n, err
}

// Read implements net.Conn.
func (l *line) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	l.pace(n)
	return n, err
}

// pace takes the time that so many bytes need on the attacker's link.
func (l *line) pace(n int) {
	if l.f.rate > 0 {
		_ = l.f.pause(time.Duration(n) * time.Second / time.Duration(l.f.rate))
	}
}

// introduce does the handshake. It closes the connection if that fails.
func (l *line) introduce(change ...func(*message.Version)) error {
	v := l.f.version()
	for _, c := range change {
		c(v)
	}
	_, err := l.Write(l.f.frames(v))
	if err == nil {
		_, err = l.r.Next()
	}
	if err == nil {
		_, err = l.Write(l.f.frames(&message.VerAck{}))
	}
	if err == nil {
		_, err = l.r.Next()
	}
	if err != nil {
		l.Close()
	}
	return err
}

// send sends messages.
func (l *line) send(msgs ...message.Message) error {
	b := l.f.frames(msgs...)
	_, err := l.Write(b)
	if err == nil {
		l.f.tally.messages.Add(int64(len(msgs)))
	}
	return err
}

// flood sends the same n messages again and again until the connection ends. What
// comes back is thrown away.
func (l *line) flood(frames []byte, n int) error {
	l.drain()
	return l.pour(frames, n)
}

// pour is flood without reading anything.
func (l *line) pour(frames []byte, n int) error {
	defer l.Close()
	for {
		written, err := l.Write(frames)
		l.f.tally.messages.Add(int64(n) * int64(written) / int64(len(frames)))
		if err != nil {
			return err
		}
	}
}

// drain reads and drops all that comes.
func (l *line) drain() {
	l.f.wg.Go(func() { io.Copy(io.Discard, l) })
}

// listen gives each message to handle until the connection ends.
func (l *line) listen(handle func(message.Message) error) error {
	defer l.Close()
	for {
		m, err := l.r.Next()
		if err == nil {
			err = handle(m)
		}
		if err != nil {
			return err
		}
	}
}

// nothing is what a silent attacker does with a message.
func nothing(message.Message) error { return nil }

// frames encodes messages for the v1 transport.
func (s *siege) frames(msgs ...message.Message) (b []byte) {
	for _, m := range msgs {
		var err error
		if b, err = message.AppendFrame(b, s.params.Magic, m); err != nil {
			panic(err) // a mistake of the test
		}
	}
	return b
}

// rawFrame is a frame of any command, with any claim about its length and without a
// right checksum.
func (s *siege) rawFrame(command string, claim uint32, payload []byte) []byte {
	b := make([]byte, message.HeaderSize)
	magic := s.frames(&message.VerAck{})[:4]
	copy(b, magic)
	copy(b[4:], command)
	for i := range 4 {
		b[16+i] = byte(claim >> (8 * i))
	}
	return append(b, payload...)
}
