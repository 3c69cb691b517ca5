//go:build !unix

package bench

import "time"

func allowFiles(int) error { return nil }

func ownTime() (time.Duration, bool) { return 0, false }
