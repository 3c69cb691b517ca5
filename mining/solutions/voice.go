package solutions

import (
	"fmt"
	"sync"
)

// maxLines bounds the lines that wait for a log that hangs. A round that settles all of
// maxLooks blocks says as many.
const maxLines = 2 * maxLooks

// voice writes log lines beside those who have something to say: the log is a file, most
// likely on the disk that hangs, or a terminal that somebody has stopped, and a block must
// wait for neither. The lines keep their order.
type voice struct {
	mu       sync.Mutex
	lines    []func()
	lost     int
	speaking bool
	done     sync.WaitGroup
}

// say has a line written by write, a method of the logger. It never waits.
func (v *voice) say(write func(...any), format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.lines) >= maxLines {
		v.lost++
		return
	}
	if v.lost > 0 {
		line += fmt.Sprintf(" (%d lines before this one were left out)", v.lost)
		v.lost = 0
	}
	v.lines = append(v.lines, func() { write(line) })
	if !v.speaking {
		v.speaking = true
		v.done.Go(v.speak)
	}
}

// speak writes the lines that there are.
func (v *voice) speak() {
	for {
		v.mu.Lock()
		lines := v.lines
		v.lines = nil
		v.speaking = len(lines) > 0
		v.mu.Unlock()
		if len(lines) == 0 {
			return
		}
		for _, line := range lines {
			line()
		}
	}
}
