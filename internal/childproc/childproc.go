// Package childproc runs the programs that tests and the demo are made of, and
// makes sure that they end with their parent, however it ends.
package childproc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Process is a child process with the end of its output. Its methods are safe
// for concurrent use.
type Process struct {
	cmd  *exec.Cmd
	tail *tailBuffer
	done chan struct{} // closed when the process is gone
	err  error         // how it ended; read after done
}

// Start runs a program with dir as working and home directory. Its output also
// goes to log, unless that is nil.
func Start(path, dir string, args []string, log io.Writer) (*Process, error) {
	p := &Process{tail: new(tailBuffer), done: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), "HOME="+dir)
	var out io.Writer = p.tail
	if log != nil {
		out = io.MultiWriter(log, p.tail)
	}
	// One writer for both makes os/exec use one pipe, so writes don't overlap.
	p.cmd.Stdout, p.cmd.Stderr = out, out
	dieWithParent(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		if p.err = p.cmd.Wait(); p.err == nil {
			p.err = errors.New("exit status 0")
		}
	}()
	return p, nil
}

// Stop ends the process with an interrupt, after the timeout by force.
func (p *Process) Stop(timeout time.Duration) error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.Kill()
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(timeout):
		p.Kill()
		return fmt.Errorf("%s didn't stop within %v and was killed", p.cmd.Path, timeout)
	}
}

// Kill ends the process by force and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails only if it is gone already
	<-p.done
}

// PID returns the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process is gone.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the process ended; it is valid once Done is closed.
func (p *Process) Err() error { return p.err }

// Output returns the last output of the process.
func (p *Process) Output() string { return p.tail.String() }

// maxTail bounds the output kept of a process, in bytes.
const maxTail = 8 << 10

// tailBuffer is an io.Writer that keeps the last maxTail bytes.
type tailBuffer struct {
	mu sync.Mutex
	b  []byte
}

// Write never fails.
func (t *tailBuffer) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if over := len(t.b) - maxTail; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(b), nil
}

// String returns what is kept.
func (t *tailBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
