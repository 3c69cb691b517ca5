package share

import (
	"fmt"
	"strconv"
)

// Class is the output class of a share: how many payout outputs its coinbase
// may have, chosen by what the mining device can carry. In the share data it is
// one byte, the index into the list of classes.
type Class uint8

// The classes. At worst (P2TR payees only, merged mining and a tag) their
// coinbases have 756 bytes, 1.8 kB, 6.4 kB, 12.6 kB and 50 kB; docs/protocol.md
// does the sum.
const (
	Class12 Class = iota
	Class36
	Class144
	Class288
	Class1152
	classCount
)

// Each class is a multiple of the one before, so that where everybody draws, the
// payees drawn for one class are drawn for the larger ones too.
var classOutputs = [classCount]int{12, 36, 144, 288, maxOutputs}

// maxOutputs is the number of payout outputs of the largest class.
const maxOutputs = 1152

// Outputs returns the greatest number of payout outputs, not counting that of
// the finder and the last, which pays nothing. It is 0 for an invalid class.
func (c Class) Outputs() int {
	if c >= classCount {
		return 0
	}
	return classOutputs[c]
}

// Valid reports whether c is one of the classes.
func (c Class) Valid() bool { return c < classCount }

// String returns the number of outputs.
func (c Class) String() string { return strconv.Itoa(c.Outputs()) }

// ParseClass is the inverse of String.
func ParseClass(s string) (Class, error) {
	for c := range classCount {
		if c.String() == s {
			return c, nil
		}
	}
	return 0, fmt.Errorf("unknown output class %q: choose one of 12, 36, 144, 288, 1152", s)
}

// Classes returns all classes, smallest first.
func Classes() []Class {
	return []Class{Class12, Class36, Class144, Class288, Class1152}
}
