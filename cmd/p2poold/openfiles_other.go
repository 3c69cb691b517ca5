//go:build !unix

package main

import "math"

// openFiles returns how many descriptors the process may have: Windows has no limit.
func openFiles() uint64 { return math.MaxInt64 }
