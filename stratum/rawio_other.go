//go:build !unix

package stratum

import "errors"

// canTry says that tryRead and tryWrite do not work here.
const canTry = false

func tryRead(uintptr, []byte) (n int, ready bool, err error) { return 0, true, errors.ErrUnsupported }

func tryWrite(uintptr, []byte) (n int, err error) { return 0, errors.ErrUnsupported }
