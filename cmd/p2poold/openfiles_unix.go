//go:build unix

package main

import (
	"math"
	"syscall"
)

// openFiles returns how many descriptors the process may have. Go raises the limit to
// what the system allows when a program starts.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return math.MaxInt64
	}
	return uint64(limit.Cur)
}
