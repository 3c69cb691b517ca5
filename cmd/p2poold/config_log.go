package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/p2poold/p2poold/cmd/internal/appdir"
)

// Upper ends of the log options.
const (
	maxLogSize  = 1024   // MiB
	maxLogFiles = 10_000 // the rotation looks at each of them
)

// validateLog completes the log directory and checks levels and limits.
func (c *config) validateLog() error {
	l := &c.Log
	if _, err := parseLevels(l.Level); err != nil {
		return c.invalid("debuglevel", err)
	}
	switch {
	case l.NoFile && l.Dir != "":
		return c.invalid("nofilelogging", errors.New("--logdir asks for the contrary; remove one of them"))
	case l.MaxSize < 1 || l.MaxSize > maxLogSize:
		return c.invalid("maxlogsize", fmt.Errorf("it must be from 1 to %d MiB", maxLogSize))
	case l.MaxFiles < 0 || l.MaxFiles > maxLogFiles:
		return c.invalid("maxlogfiles", fmt.Errorf("it must be from 0 to %d", maxLogFiles))
	case l.Dir == "":
		l.Dir = filepath.Join(c.netDir, appdir.LogDir)
		return nil
	}
	var err error
	if l.Dir, err = appdir.Expand(l.Dir); err != nil {
		return c.invalid("logdir", err)
	}
	return nil
}
