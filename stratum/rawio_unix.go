//go:build unix

package stratum

import (
	"errors"
	"io"
	"syscall"
)

// canTry says that tryRead and tryWrite work. Descriptors of package net do not
// block.
const canTry = true

// tryRead reads what has arrived. ready is false if that is nothing.
func tryRead(fd uintptr, b []byte) (n int, ready bool, err error) {
	for {
		n, err := syscall.Read(int(fd), b)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, false, nil
		case err != nil:
			return 0, true, err
		case n == 0 && len(b) > 0:
			return 0, true, io.EOF
		default:
			return n, true, nil
		}
	}
}

// tryWrite writes as much as the system takes at once, perhaps nothing.
func tryWrite(fd uintptr, b []byte) (n int, err error) {
	for {
		n, err := syscall.Write(int(fd), b)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, nil
		default:
			return max(n, 0), err
		}
	}
}
