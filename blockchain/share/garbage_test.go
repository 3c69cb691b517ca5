//go:build !race

// The race detector brings allocations of its own.

package share

import "testing"

// TestNoGarbage: what every share goes through allocates nothing.
func TestNoGarbage(t *testing.T) {
	s := fullShare()
	prefix := make([]byte, 7_000)
	s.Link = NewLink(prefix)
	h := hashers.New().(*hasher)
	for name, f := range map[string]func(){
		"transaction": func() { h.resume(&s.Link, &zeroHash, &s.Extranonce, 1) },
		"state":       func() { h.midstate(&s.Link.State, prefix) },
		"prefix":      func() { s.Data.AppendCoinbasePrefix(prefix[:0], 1, nil) },
	} {
		if n := testing.AllocsPerRun(100, f); n >= 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
