package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/p2poold/p2poold/cmd/internal/appdir"
)

// errLocked is returned by lockFile when another process holds the lock.
var errLocked = errors.New("locked by another process")

// openDataDir creates the directory of this network and pool, readable by its
// owner only, and locks it against a second node. The lock lasts until release
// is called or the process ends, however it ends.
func openDataDir(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot create the data directory: %w; choose another --datadir", err)
	}
	path := filepath.Join(dir, appdir.LockFile)
	release, err = lockFile(path)
	switch {
	case errors.Is(err, errLocked):
		return nil, fmt.Errorf("another p2poold%s is using %s; stop it or choose another --datadir", holder(path), dir)
	case err != nil:
		return nil, fmt.Errorf("cannot lock the data directory: %w", err)
	}
	return release, nil
}

// holder returns " (process 123)" for the process that wrote its number into the
// lock file, the empty string if there is none.
func holder(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	buf := make([]byte, 20) // the digits of any process number
	n, _ := f.Read(buf)
	pid := strings.TrimSpace(string(buf[:n]))
	if pid == "" || strings.Trim(pid, "0123456789") != "" {
		return ""
	}
	return " (process " + pid + ")"
}
