package database

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// inode is a file or folder of a simDisk.
type inode struct {
	// Of a file: what was written, and what of it was synced. The bytes are never
	// changed, but may be appended to.
	data, synced []byte
	// Of a folder: its entries, what they were at its last sync, and what was done
	// to them since.
	entries, durable map[string]*inode
	pending          []entryChange
}

// entryChange is one atomic change of a folder's entries: creation, removal, or a
// rename, which is both.
type entryChange struct {
	remove, add string // names, "" for none
	inode       *inode // added
}

func newFolder() *inode {
	return &inode{entries: make(map[string]*inode), durable: make(map[string]*inode)}
}

func (n *inode) isFolder() bool { return n.entries != nil }

func apply(entries map[string]*inode, c entryChange) {
	delete(entries, c.remove)
	if c.add != "" {
		entries[c.add] = c.inode
	}
}

// change changes a folder's entries, not durably.
func (n *inode) change(c entryChange) {
	apply(n.entries, c)
	n.pending = append(n.pending, c)
}

// simDisk is a disk in memory that knows what a crash may leave of it. Paths are
// names, all in the folder ".".
type simDisk struct {
	mu   sync.Mutex
	root *inode
	// before is called ahead of each operation, with the lock held. If syncs, the
	// operation makes something durable.
	before func(syncs bool)
	// fail, if not nil, decides whether a file's creation, write or sync fails.
	fail func() error
}

func newSimDisk() *simDisk { return &simDisk{root: newFolder()} }

// step begins an operation; the returned function ends it.
func (d *simDisk) step(syncs bool) (end func()) {
	d.mu.Lock()
	if d.before != nil {
		d.before(syncs)
	}
	return d.mu.Unlock
}

// trouble returns the error that an operation is to fail with.
func (d *simDisk) trouble() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail == nil {
		return nil
	}
	return d.fail()
}

func notThere(path string) error { return &os.PathError{Op: "open", Path: path, Err: syscall.ENOENT} }

func (d *simDisk) exists(path string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.root.entries[path] != nil, nil
}

func (d *simDisk) names(string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.root.entries)), nil
}

func (d *simDisk) makeDir(path string) error {
	defer d.step(false)()
	if path != "." && d.root.entries[path] == nil {
		d.root.change(entryChange{add: path, inode: newFolder()})
	}
	return nil
}

func (d *simDisk) rename(from, to string) error {
	defer d.step(false)()
	n := d.root.entries[from]
	if n == nil {
		return notThere(from)
	}
	if d.root.entries[to] != nil {
		return &os.PathError{Op: "rename", Path: to, Err: syscall.ENOTEMPTY}
	}
	d.root.change(entryChange{remove: from, add: to, inode: n})
	return nil
}

// removeAll removes one file after the other.
func (d *simDisk) removeAll(path string) error {
	d.mu.Lock()
	n := d.root.entries[path]
	d.mu.Unlock()
	if n == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(n.entries)) {
		end := d.step(false)
		n.change(entryChange{remove: name})
		end()
	}
	defer d.step(false)()
	d.root.change(entryChange{remove: path})
	return nil
}

func (d *simDisk) syncDir(path string) error {
	n := d.root
	if path != "." {
		d.mu.Lock()
		n = d.root.entries[path]
		d.mu.Unlock()
	}
	if n == nil {
		return notThere(path)
	}
	d.syncFolder(n)
	return nil
}

func (d *simDisk) syncFolder(n *inode) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.before != nil {
		d.before(len(n.pending) > 0)
	}
	n.durable, n.pending = maps.Clone(n.entries), nil
}

func (d *simDisk) size(path string) (size int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.root.entries[path].entries {
		size += int64(len(f.data))
	}
	return size, nil
}

func (d *simDisk) open(path string, readOnly bool) (folder, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.root.entries[path]
	if n == nil {
		return nil, notThere(path)
	}
	return &simFolder{disk: d, inode: n, readOnly: readOnly}, nil
}

// A diskModel says what a crash leaves.
type diskModel int

const (
	killed       diskModel = iota // the process died: everything that was done
	powerLoss                     // what was synced, of files and of folders
	tornWrites                    // that, and some of what was not: changes of entries in order, any part of a file's tail
	missingEntry                  // all content, but only the entries that were synced
	diskModels
)

func (m diskModel) String() string {
	return [...]string{"kill", "power", "torn", "missing entry"}[m]
}

// crash returns the disk after a crash. It is called with the lock held.
func (d *simDisk) crash(m diskModel, rng *rand.Rand) *simDisk {
	return &simDisk{root: d.root.crash(m, rng)}
}

func (n *inode) crash(m diskModel, rng *rand.Rand) *inode {
	if !n.isFolder() {
		data := n.data
		switch m {
		case powerLoss:
			data = n.synced
		case tornWrites:
			data = n.tear(rng)
		}
		data = slices.Clip(data)
		return &inode{data: data, synced: data}
	}
	entries := n.entries
	switch m {
	case powerLoss, missingEntry:
		entries = n.durable
	case tornWrites:
		entries = maps.Clone(n.durable)
		for _, c := range n.pending[:rng.IntN(len(n.pending)+1)] {
			apply(entries, c)
		}
	}
	left := newFolder()
	for _, name := range slices.Sorted(maps.Keys(entries)) { // in order, for the sake of rng
		left.entries[name] = entries[name].crash(m, rng)
	}
	left.durable = maps.Clone(left.entries)
	return left
}

// tear returns what may be on disk of a file that was not synced to the end.
func (n *inode) tear(rng *rand.Rand) []byte {
	whole := len(n.synced)
	if len(n.data) < whole || string(n.data[:whole]) != string(n.synced) { // overwritten, a few bytes
		if rng.IntN(2) == 0 {
			return n.synced
		}
		return n.data
	}
	tail := slices.Clone(n.data[whole:])
	if len(tail) == 0 {
		return n.data
	}
	cut := rng.IntN(len(tail) + 1)
	switch rng.IntN(4) {
	case 0:
		tail = tail[:cut]
	case 1:
		clear(tail[cut:])
	case 2:
		for i := cut; i < len(tail); i++ {
			tail[i] = byte(rng.Uint32())
		}
	case 3: // sectors in any order
		const sector = 512
		for at := 0; at < len(tail); at += sector - (whole+at)%sector {
			if rng.IntN(2) == 0 {
				clear(tail[at:min(len(tail), at+sector-(whole+at)%sector)])
			}
		}
	}
	return slices.Concat(n.synced, tail)
}

// write puts the disk's folders into a folder of the operating system.
func (d *simDisk) write(dir string) error {
	for path, n := range d.root.entries {
		if err := os.MkdirAll(filepath.Join(dir, path), 0o700); err != nil {
			return err
		}
		for name, f := range n.entries {
			if err := os.WriteFile(filepath.Join(dir, path, name), f.data, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// list describes the disk for a failed test.
func (d *simDisk) list() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(d.root.entries)) {
		b.WriteString(path + ":")
		for _, name := range slices.Sorted(maps.Keys(d.root.entries[path].entries)) {
			b.WriteString(" " + name)
		}
		b.WriteString("\n")
	}
	return b.String()
}
