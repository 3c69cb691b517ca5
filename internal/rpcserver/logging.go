package rpcserver

import (
	"bytes"
	"sync"
	"time"

	"github.com/decred/slog"
)

// throttleInterval is the time between two log lines of one kind that clients
// can cause at will.
const throttleInterval = 10 * time.Second

// throttle lets one event through per throttleInterval and counts the rest.
// Safe for concurrent use.
type throttle struct {
	mu         sync.Mutex
	next       time.Time
	suppressed int
}

// allow reports whether the event may be logged, and how many were not since
// the last that was.
func (t *throttle) allow(now time.Time) (ok bool, suppressed int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Before(t.next) {
		t.suppressed++
		return false, 0
	}
	suppressed, t.suppressed = t.suppressed, 0
	t.next = now.Add(throttleInterval)
	return true, suppressed
}

// httpLog receives the lines of net/http: panics of handlers, which net/http
// has recovered and which are bugs, as errors, and the rest, which clients can
// cause, at debug level.
type httpLog struct{ log slog.Logger }

// Write logs one line.
func (h httpLog) Write(p []byte) (int, error) {
	line := bytes.TrimSpace(p)
	if bytes.Contains(line, []byte("panic serving")) {
		h.log.Errorf("Bug: a command handler panicked: %s", line)
	} else {
		h.log.Debugf("%s", line)
	}
	return len(p), nil
}
