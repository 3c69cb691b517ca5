//go:build unix

package database

import (
	"errors"
	"syscall"
)

// isLocked recognises a failed flock(2), LevelDB's way of keeping others out.
func isLocked(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EWOULDBLOCK)
}
