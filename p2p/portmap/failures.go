package portmap

import "strings"

// failures are the errors of several attempts, on one line.
type failures []error

// Error returns the texts.
func (f failures) Error() string {
	list := make([]string, len(f))
	for i, err := range f {
		list[i] = err.Error()
	}
	return strings.Join(list, "; ")
}

// Unwrap is for errors.Is and errors.AsType.
func (f failures) Unwrap() []error { return f }
