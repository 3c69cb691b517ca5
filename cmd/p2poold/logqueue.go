package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// maxLogQueue bounds the bytes that wait for one output of the log, 1 MiB: some
	// 10,000 lines of 100 bytes. That is as much as peers can have written in an hour
	// at info (see p2p.LimitLog). Each line takes 24 bytes of memory more, and a queue takes
	// any only while its output is slow.
	maxLogQueue = 1 << 20

	// logFlushTime is how long the end of the program waits for one output. A disk
	// writes a full queue in a tenth of a second; a terminal that has been stopped
	// may never take it.
	logFlushTime = 5 * time.Second

	// logCloseTime is how long it then waits for the compression of the last log file:
	// 10 MiB by default, which a small board compresses in some two seconds; at
	// 50 MB/s, twenty seconds do for the greatest size.
	logCloseTime = 20 * time.Second
)

// logQueue stands between the loggers and one output, which may stop to take
// anything for any time: a terminal after Ctrl-S, a pipe that is full because its
// reader hangs, a disk that hangs. Log lines are written under locks and on the way of
// found blocks, so Write never waits for the output. What finds no room is dropped and
// counted; the output tells of it once it goes on. Lines keep their order. Safe for
// concurrent use.
type logQueue struct {
	out io.Writer
	now func() time.Time // for the line about lost ones

	mu    sync.Mutex
	lines [][]byte      // that wait, oldest first
	size  int           // bytes of lines, and of the one that is being written
	lost  int           // lines dropped behind those
	idle  chan struct{} // closed when the output has everything; nil: it has
}

func newLogQueue(out io.Writer) *logQueue { return &logQueue{out: out, now: time.Now} }

// Write queues a line, which it copies. It never fails. While lines are lost all are,
// so that the gap is one.
func (q *logQueue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lost > 0 || q.size > 0 && q.size+len(p) > maxLogQueue {
		q.lost++
		return len(p), nil
	}
	q.lines = append(q.lines, bytes.Clone(p))
	q.size += len(p)
	if q.idle == nil {
		q.idle = make(chan struct{})
		go q.drain()
	}
	return len(p), nil
}

// drain writes until nothing waits. A goroutine of its own for each output, and none
// while there is nothing to write: no output can stop another.
func (q *logQueue) drain() {
	for {
		line := q.next()
		if line == nil {
			return
		}
		q.out.Write(line) // an output that fails must not end the others
		q.mu.Lock()
		q.size -= len(line)
		q.mu.Unlock()
	}
}

// next takes the oldest line off the queue, or if there is none the one about those
// that were lost. nil ends drain.
func (q *logQueue) next() []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case len(q.lines) > 0:
		line := q.lines[0]
		q.lines[0], q.lines = nil, q.lines[1:]
		return line
	case q.lost > 0:
		line := fmt.Appendf(nil, "%s [WRN] %s: %d lines were lost: this output of the log did not go on\n",
			q.now().Format(logTimeFormat), subsysMain, q.lost)
		q.lost = 0
		q.size += len(line)
		return line
	}
	q.lines = nil
	close(q.idle)
	q.idle = nil
	return nil
}

// logTimeFormat is the time at the beginning of log lines, slog's.
const logTimeFormat = "2006-01-02 15:04:05.000"

// waiting returns a channel that is closed once the output has all lines so far, nil if
// it has.
func (q *logQueue) waiting() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.idle
}

// flush waits until the output has all lines, at most logFlushTime, and tells whether
// it does.
func (q *logQueue) flush() bool {
	idle := q.waiting()
	return idle == nil || within(logFlushTime, idle)
}

// within waits for a channel to be closed, but not longer than d, and tells whether it
// was.
func within(d time.Duration, closed <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-closed:
		return true
	case <-timer.C:
		return false
	}
}
