//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package main

import "os"

// newControl has nothing to take over: sockets are not inherited here, and there are no
// signals.
func newControl(args []string) (c *control, release func(), err error) {
	return &control{args: args, ports: new(ports)}, func() {}, nil
}

func isRestart(os.Signal) bool { return false }

func canRestart() error { return errNoRestart }

func (p *ports) keep() ([]socket, error) { return nil, errNoRestart }

func (c *control) exec() error { return errNoRestart }
