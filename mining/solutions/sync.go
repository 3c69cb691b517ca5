package solutions

import (
	"errors"
	"os"
	"runtime"
)

// syncDir makes new names in a directory durable. Windows can't, and has no need to.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
