package stratum

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// serve runs one connection until it ends, in the goroutine that reads and
// executes.
func (s *Server) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	extranonce1, err := s.extranonces.take()
	if err != nil {
		conn.Close()
		return
	}
	out := newOutbox(conn, s.queues)
	sess := newSession(&s.deps, out, extranonce1, acceptedAt(conn)) // whose end releases the extranonce
	sess.peer = peerOf(conn)
	if s.add(sess) {
		err = readLines(ctx, conn, sess)
		s.remove(sess)
	}
	if failure := out.finish(); failure != nil {
		err = failure
	}
	sess.close(time.Now())
	s.cfg.Log.Debugf("Connection from %v closed: %v", conn.RemoteAddr(), err)
}

// readLines feeds a session from its connection until one of them ends. Answers to lines
// that came together go out together, and those to the end of a login with the first job. None
// waits for what has not come. A lone submission is answered without that detour.
func readLines(ctx context.Context, conn io.Reader, sess *session) error {
	lines := newLineReader(conn)
	corked := false
	for first := true; ; first = false {
		line, err := lines.next()
		if err != nil {
			if errors.Is(err, errLineTooLong) {
				sess.out.send(appendReply(nil, []byte("null"), resultNull, &stratumError{codeOther, err.Error()}))
			}
			return err
		}
		if first && !mayBeStratum(line) {
			return errNotJSON // a web browser or a port scanner
		}
		more := lines.buffered()
		if more || !sess.ready { // which the reader alone changes
			sess.out.cork()
			corked = true
		}
		delay, err := sess.handle(ctx, line, time.Now())
		if err != nil {
			return err // finish writes the answers
		}
		if !more {
			sess.flush(time.Now())
		}
		if corked && (!more || delay > 0) {
			sess.out.uncork()
			corked = false
		}
		if delay > 0 {
			if err := pause(ctx, delay); err != nil {
				return err
			}
		}
	}
}

// mayBeStratum reports whether a first line can be the beginning of a session.
func mayBeStratum(line []byte) bool {
	i := skipSpace(line, 0)
	return i == len(line) || line[i] == '{'
}

// pause waits, or returns early when ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
