//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	sys "golang.org/x/sys/unix"
)

// newControl takes over the sockets that the environment names, and the signals for
// reload and restart, which would end the process otherwise. release gives those back.
func newControl(args []string) (c *control, release func(), err error) {
	list, err := inheritedSockets(os.Getenv, os.Getpid())
	if err != nil {
		return nil, nil, err
	}
	for _, name := range []string{envSockets, envPID, envFDs, envNames} {
		os.Unsetenv(name) // they are not for our children
	}
	c = &control{args: args, ports: new(ports), signals: make(chan os.Signal, 4)}
	for _, s := range list {
		l, err := inherit(s)
		if err != nil {
			return nil, nil, err
		}
		c.ports.inherited = append(c.ports.inherited, inheritedPort{s, l})
	}
	signal.Notify(c.signals, controlSignals...)
	return c, func() { signal.Stop(c.signals) }, nil
}

// controlSignals ask for a reload or a restart.
var controlSignals = []os.Signal{syscall.SIGHUP, syscall.SIGUSR2}

func isRestart(sig os.Signal) bool { return sig == syscall.SIGUSR2 }

func canRestart() error { return nil }

// inherit makes a listener of an inherited descriptor.
func inherit(s socket) (net.Listener, error) {
	f := os.NewFile(s.fd, "inherited socket")
	defer f.Close() // the listener has its own descriptor
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d was handed over, but is no TCP socket to listen on: %w", s.fd, err)
	}
	return l, nil
}

// keep makes descriptors of all open ports that stay when those are closed.
func (p *ports) keep() (list []socket, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() {
		if err != nil {
			for _, s := range list {
				sys.Close(int(s.fd))
			}
		}
	}()
	for _, port := range p.open {
		raw, ok := port.Listener.(syscall.Conn)
		if !ok {
			continue
		}
		conn, err := raw.SyscallConn()
		if err != nil {
			return list, err
		}
		// Not by File, whose descriptor makes the socket a blocking one for all.
		var fd int
		var dupErr error
		err = conn.Control(func(open uintptr) {
			fd, dupErr = sys.FcntlInt(open, sys.F_DUPFD_CLOEXEC, firstFD)
		})
		if errors.Is(err, net.ErrClosed) {
			continue
		}
		if err = errors.Join(err, dupErr); err != nil {
			return list, err
		}
		list = append(list, socket{uintptr(fd), port.part, port.addr})
	}
	return list, nil
}

// exec replaces the program, and returns only if that fails.
func (c *control) exec() error {
	for _, s := range c.sockets {
		if _, err := sys.FcntlInt(s.fd, sys.F_SETFD, 0); err != nil {
			return err
		}
	}
	// Signals that are caught would end the new program before it catches them, too; those
	// that are ignored stay so until it does.
	signal.Ignore(controlSignals...)
	env := append(os.Environ(), envSockets+"="+formatSockets(c.sockets, os.Getpid()))
	err := syscall.Exec(programPath, append([]string{os.Args[0]}, c.again()...), env)
	return fmt.Errorf("cannot start %s: %w", programPath, err)
}
