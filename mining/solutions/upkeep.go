package solutions

import (
	"os"
	"path/filepath"
	"time"

	"github.com/p2poold/p2poold/internal/atomicfile"
)

// probeEvery is how often it is tried whether the directory can be written.
const probeEvery = 5 * time.Minute

// save writes the history if it has changed.
func (j *Journal) save() {
	j.mu.Lock()
	dirty := j.dirty
	j.dirty = false
	j.mu.Unlock()
	if !dirty {
		return
	}
	b, err := formatHistory(j.records())
	if err == nil {
		err = atomicfile.Write(filepath.Join(j.cfg.Dir, historyFile), b)
	}
	if err != nil {
		j.mu.Lock()
		j.dirty = true
		j.mu.Unlock()
		j.fail(err)
	}
}

// probe tries from time to time whether the directory can be written, so that a full or
// read-only disk is known of before it matters, and its repair as well.
func (j *Journal) probe() {
	now, broken := j.cfg.Now(), j.Health() != ""
	if now.Sub(j.lastProbe) < probeEvery && !(broken && now.Sub(j.lastProbe) >= lookInterval) {
		return
	}
	j.lastProbe = now
	const name = "probe"
	err := os.MkdirAll(j.cfg.Dir, dirMode)
	if err == nil {
		// More than a file system keeps in a directory entry.
		err = writeFile(filepath.Join(j.cfg.Dir, name), [][]byte{make([]byte, maxLine)}, true)
	}
	if err == nil {
		err = os.Remove(filepath.Join(j.cfg.Dir, name))
	}
	if err != nil {
		j.fail(err)
		return
	}
	j.mu.Lock()
	j.failure = ""
	j.mu.Unlock()
	j.writeHeld()
}
