package p2p

import (
	"fmt"
	"sync"
	"time"

	"github.com/decred/slog"

	"github.com/p2poold/p2poold/p2p/budget"
)

const (
	// logRate is how many bytes of lines at info or above the peer network writes in
	// the long run, in bytes per second: 1 MiB an hour, however busy its peers are.
	// The lines of an honest day are a few per connection.
	logRate = float64(1<<20) / 3600
	// logBurst is how many it writes at once: some 500 lines, as of a start with many
	// peers.
	logBurst = 64 << 10
	// logLine is what a line takes besides its text: time, level and subsystem.
	logLine = 40
)

// limitedLog is a logger whose lines at info or above are limited, whoever causes
// them: half of the bytes are for warnings and worse, so that floods at one level
// don't hide what is at the other. What was left out is told with the next line that
// has room. Debug and trace lines pass: whoever asks for them gets them all.
type limitedLog struct {
	slog.Logger

	mu      sync.Mutex // a leaf
	info    lineLimit
	warning lineLimit
}

// lineLimit is the budget of some levels.
type lineLimit struct {
	bytes budget.Bucket
	lost  int // lines since the last one that was written
}

func newLineLimit() lineLimit { return lineLimit{bytes: budget.NewBucket(logRate/2, logBurst/2)} }

// LimitLog returns a logger for lines that peers can cause outside of this package, as
// by their shares: they are limited as its own are. The logger's level is the same.
func LimitLog(log slog.Logger) slog.Logger { return limitLog(log) }

func limitLog(log slog.Logger) *limitedLog {
	return &limitedLog{Logger: log, info: newLineLimit(), warning: newLineLimit()}
}

// Infof implements slog.Logger.
func (l *limitedLog) Infof(format string, params ...any) {
	l.write(&l.info, slog.LevelInfo, l.Logger.Info, format, params)
}

// Warnf implements slog.Logger.
func (l *limitedLog) Warnf(format string, params ...any) {
	l.write(&l.warning, slog.LevelWarn, l.Logger.Warn, format, params)
}

// Errorf implements slog.Logger.
func (l *limitedLog) Errorf(format string, params ...any) {
	l.write(&l.warning, slog.LevelError, l.Logger.Error, format, params)
}

// Criticalf implements slog.Logger.
func (l *limitedLog) Criticalf(format string, params ...any) {
	l.write(&l.warning, slog.LevelCritical, l.Logger.Critical, format, params)
}

// Info implements slog.Logger.
func (l *limitedLog) Info(v ...any) { l.Infof("%s", fmt.Sprint(v...)) }

// Warn implements slog.Logger.
func (l *limitedLog) Warn(v ...any) { l.Warnf("%s", fmt.Sprint(v...)) }

// Error implements slog.Logger.
func (l *limitedLog) Error(v ...any) { l.Errorf("%s", fmt.Sprint(v...)) }

// Critical implements slog.Logger.
func (l *limitedLog) Critical(v ...any) { l.Criticalf("%s", fmt.Sprint(v...)) }

func (l *limitedLog) write(limit *lineLimit, level slog.Level, out func(...any), format string, params []any) {
	if l.Level() > level {
		return
	}
	line := fmt.Sprintf(format, params...)
	l.mu.Lock()
	now, size := time.Now(), float64(logLine+len(line))
	ok, lost := limit.bytes.Holds(now, size), limit.lost
	if ok {
		limit.bytes.Take(now, size)
		limit.lost = 0
	} else {
		limit.lost++
	}
	l.mu.Unlock()
	switch {
	case ok && lost > 0:
		out(fmt.Sprintf("%s (%d lines before this one were left out, too many at once)", line, lost))
	case ok:
		out(line)
	}
}
