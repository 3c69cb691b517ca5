package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A restart replaces the program by the one that is installed now, in the same process, so
// that whoever started it notices nothing. The sockets to listen on stay open meanwhile:
// who connects waits in the kernel's queue instead of being refused. Nothing else could
// run side by side with the old program, as only one can have the database open.

// errRestart is what the node ends with when it is to be started again.
var errRestart = errors.New("restart")

const (
	// checkTimeout bounds the check of the new program, which reads a few files and tries
	// ports.
	checkTimeout = 10 * time.Second
	// checkDelay is how long what it has started may keep its output open after it.
	checkDelay = time.Second
)

// control is how the process is told to go on from outside of the node.
type control struct {
	args    []string // the program's
	ports   *ports
	signals chan os.Signal // of reloadSignals and restartSignals
	sockets []socket       // for the program that takes over; set by prepare
}

// listener returns what a part listens with.
func (c *control) listener(part string, fresh listenFunc) listenFunc {
	if c == nil {
		return fresh
	}
	return c.ports.listener(part, fresh)
}

// programPath is where the program was started from, with its symbolic links, so that
// what is installed in its place is found.
var programPath, errProgramPath = func() (string, error) {
	path := os.Args[0]
	if !strings.ContainsRune(path, filepath.Separator) {
		var err error
		if path, err = exec.LookPath(path); err != nil {
			return os.Executable()
		}
	}
	return filepath.Abs(path)
}()

// again are the arguments to go on with: what was done once is not repeated.
func (c *control) again() []string {
	return slices.DeleteFunc(slices.Clone(c.args), func(arg string) bool {
		return arg == "--reindex" || strings.HasPrefix(arg, "--reindex=")
	})
}

// check has the installed program look at the arguments and the conf file, and at what a
// start with them needs.
func (c *control) check(ctx context.Context) error {
	if errProgramPath != nil {
		return errProgramPath
	}
	return c.checkWith(ctx, programPath)
}

// checkWith has the program at path do so.
func (c *control) checkWith(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append(c.again(), "--checkconfig")...)
	cmd.Env = append(os.Environ(), envHeld+"="+formatSockets(c.ports.held(), os.Getpid()))
	cmd.WaitDelay = checkDelay
	out, err := cmd.CombinedOutput()
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) { // its own exit code was 0
		return fmt.Errorf("%s would not start: %w: %s", path, err, strings.TrimSpace(string(out[:min(len(out), 1000)])))
	}
	return nil
}

// restart makes the node end with errRestart, unless the program that would follow it
// finds a fault with the configuration: then nothing happens but that it is told.
func (n *node) restart(ctx context.Context) error {
	c := n.cfg.control
	if c == nil {
		return errNoRestart
	}
	n.restartMu.Lock()
	defer n.restartMu.Unlock()
	if n.restarting {
		return nil
	}
	if err := canRestart(); err != nil {
		return err
	}
	if err := c.check(ctx); err != nil {
		return err
	}
	sockets, err := c.ports.keep()
	if err != nil {
		return fmt.Errorf("cannot keep the ports open: %w", err)
	}
	n.restarting, c.sockets = true, sockets
	n.logs.logger(subsysMain).Infof("Restarting %s; %d ports stay open", programPath, len(sockets))
	n.stop()
	return nil
}

// restarts reports whether the node has ended to be started again.
func (n *node) restarts() bool {
	n.restartMu.Lock()
	defer n.restartMu.Unlock()
	return n.restarting
}

// errNoRestart is the answer where the program cannot replace itself.
var errNoRestart = errors.New("a restart with open ports is not possible here; stop the node and start it")

// runSignals does what signals ask for.
func (n *node) runSignals(ctx context.Context) error {
	if n.cfg.control == nil {
		return nil
	}
	log := n.logs.logger(subsysMain)
	for {
		select {
		case <-ctx.Done():
			return nil
		case sig := <-n.cfg.control.signals:
			if isRestart(sig) {
				if err := n.restart(ctx); err != nil {
					log.Errorf("No restart: %v", err)
				}
				continue
			}
			if _, err := n.reload(); err != nil {
				log.Errorf("Nothing is changed: %v", err)
			}
		}
	}
}
