//go:build !linux

package lossynet

// Namespaces fails: only Linux has network namespaces.
func Namespaces(int, uint64) (*Network, error) { return nil, ErrUnavailable }
