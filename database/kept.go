package database

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	badSuffix  = ".bad-"  // what Rebuild has replaced
	leftSuffix = ".left-" // what Pair has replaced
	// keptOfKind is how many replaced databases of either kind are kept, 120 MB each: the
	// last one, and the one before in case that what replaced it was no better.
	keptOfKind = 2
	keptFormat = "20060102-150405"
)

// keptName matches the names that keptAs gives.
var keptName = regexp.MustCompile(`^(.+)(\.bad-|\.left-)(\d{8}-\d{6})(?:-(\d{1,6}))?$`)

// keptAs returns a name that is free for what is replaced at path.
func (e *engine) keptAs(path, suffix string, now time.Time) (kept string, err error) {
	stamp := path + suffix + now.Format(keptFormat)
	kept = stamp
	for n := 2; ; n++ {
		if there, err := e.disk.exists(kept); err != nil || !there {
			return kept, err
		}
		kept = fmt.Sprintf("%s-%d", stamp, n)
	}
}

// DeleteOlder deletes what Rebuild or Adopt had kept before kept, which one of them has
// just returned, of the same kind and but for the newest one. It returns the folders that
// are gone, also when it fails. Folders with other names are nobody's to delete but the
// user's. kept may be "".
func DeleteOlder(kept string) (deleted []string, err error) {
	return newEngine().deleteOlder(kept)
}

func (e *engine) deleteOlder(kept string) (deleted []string, err error) {
	dir, own := filepath.Dir(kept), keptName.FindStringSubmatch(filepath.Base(kept))
	if own == nil {
		return nil, nil
	}
	names, err := e.disk.names(dir)
	if err != nil {
		return nil, err
	}
	type folder struct {
		name, stamp string
		n           int
	}
	var others []folder
	for _, name := range names {
		m := keptName.FindStringSubmatch(name)
		if m == nil || m[1] != own[1] || m[2] != own[2] || m[0] == own[0] {
			continue
		}
		n, _ := strconv.Atoi(m[4]) // none: the first of its second
		others = append(others, folder{name, m[3], n})
	}
	slices.SortFunc(others, func(a, b folder) int { // the newest first
		if c := strings.Compare(b.stamp, a.stamp); c != 0 {
			return c
		}
		return b.n - a.n
	})
	for _, o := range others[min(len(others), keptOfKind-1):] {
		path := filepath.Join(dir, o.name)
		if failed := e.disk.removeAll(path); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		deleted = append(deleted, path)
	}
	return deleted, err
}
