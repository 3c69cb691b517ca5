// Package atomicfile replaces small files so that whenever the machine stops they have
// the old content or the new one. It is stateless; two writers of one file must not be
// at work at the same time.
package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// Write replaces a file, which its owner alone may read, by way of another next to it
// with ".new" behind its name. The new content is durable when it returns nil.
func Write(path string, content []byte) error {
	// One name for all attempts: a crash leaves at most one file behind.
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes new, renamed and removed entries of a folder survive a loss of power.
func SyncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // NTFS journals its directories and refuses the call
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
