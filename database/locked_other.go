//go:build !unix

package database

import "strings"

// isLocked recognises the refusal to open a file that another process has open.
func isLocked(err error) bool {
	return strings.Contains(err.Error(), "used by another process")
}
