package bitcoindtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// process is a child process with the end of its output.
type process struct {
	cmd  *exec.Cmd
	tail *tailBuffer
	done chan struct{} // closed when the process is gone
	err  error         // how it ended; read after done
}

// startProcess runs a program with dir as working and home directory.
func startProcess(path, dir string, args []string) (*process, error) {
	p := &process{tail: new(tailBuffer), done: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), "HOME="+dir)
	p.cmd.Stdout, p.cmd.Stderr = p.tail, p.tail
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

// stop ends the process with an interrupt, after the timeout by force.
func (p *process) stop(timeout time.Duration) error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.kill()
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(timeout):
		p.kill()
		return fmt.Errorf("%s didn't stop within %v and was killed", p.cmd.Path, timeout)
	}
}

// kill ends the process by force and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only if it is gone already
	<-p.done
}

// output returns the last output of the process.
func (p *process) output() string { return p.tail.String() }

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
