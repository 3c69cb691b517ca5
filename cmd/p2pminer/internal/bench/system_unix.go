//go:build unix

package bench

import (
	"fmt"
	"syscall"
	"time"
)

// spareFiles are descriptors for other things than connections.
const spareFiles = 32

// allowFiles raises the limit of open files to what the connections need.
func allowFiles(connections int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil // then connecting will tell
	}
	need := uint64(connections + spareFiles)
	if uint64(limit.Cur) >= need {
		return nil
	}
	raised := limit
	raised.Cur = max(raised.Max, raised.Cur)
	if uint64(raised.Max) < need {
		raised.Cur, raised.Max = asLimit(need, raised.Cur), asLimit(need, raised.Max) // the superuser may
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
		return fmt.Errorf("%d connections need %d open files, and the limit is %d: raise it with ulimit -n, as superuser (%w)",
			connections, need, limit.Max, err)
	}
	return nil
}

// asLimit converts to the type of the limit, which depends on the system.
func asLimit[T int64 | uint64](n uint64, _ T) T { return T(n) }

// ownTime is the processor time that this process has used.
func ownTime() (time.Duration, bool) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}
