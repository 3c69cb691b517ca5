package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/decred/slog"
)

const (
	// defaultMinFree is the free space, in MiB, below which there is no work: a second
	// database of 119 MB, which a branch with more work is fetched into, as much again for
	// the library to rewrite tables, and a log file. A write that fails ends the node,
	// so it must stop before.
	defaultMinFree = 256
	// maxMinFree is more than any disk has, in MiB.
	maxMinFree = 1 << 40
	// diskInterval is how often the disk is looked at. A node writes some kB a second; what
	// else fills disks takes longer for the floor than this.
	diskInterval = 10 * time.Second
)

// validateDisk checks the floor of free space.
func (c *config) validateDisk() error {
	if c.General.MinFree < 0 || c.General.MinFree > maxMinFree {
		return c.invalid("minfreespace", fmt.Errorf("it must be from 0 to %d MiB", maxMinFree))
	}
	return nil
}

// diskWatch looks whether the disk has room.
type diskWatch struct {
	dir    string
	floor  uint64 // bytes; 0: it is not looked at
	free   func(dir string) (uint64, error)
	log    slog.Logger
	looked time.Time
	full   bool
	failed bool // the last look
}

func (n *node) newDiskWatch() *diskWatch {
	return &diskWatch{
		dir: n.cfg.netDir, floor: uint64(n.cfg.General.MinFree) << 20, free: freeSpace,
		log: n.logs.logger(subsysMain),
	}
}

// low says that the disk is nearly full, "" if it is not or nobody knows. It is not for
// two goroutines at a time.
func (d *diskWatch) low(now time.Time) string {
	if d.floor == 0 {
		return ""
	}
	if d.looked.IsZero() || now.Sub(d.looked) >= diskInterval {
		d.looked = now
		d.look()
	}
	if !d.full {
		return ""
	}
	return fmt.Sprintf("the disk is nearly full: less than %d MiB are free; make room, or lower --minfreespace", d.floor>>20)
}

// look asks for the free space. What was low must rise by a sixteenth above the floor,
// lest work come and go with every file.
func (d *diskWatch) look() {
	free, err := d.free(d.dir)
	switch {
	case err != nil:
		if !d.failed && !errors.Is(err, errors.ErrUnsupported) {
			d.log.Warnf("The free space of %s is not known: %v", d.dir, err)
		}
		d.full = false
	case d.full:
		d.full = free < d.floor+d.floor/16
	default:
		d.full = free < d.floor
	}
	d.failed = err != nil
}

// spaceOf multiplies blocks by their size.
func spaceOf(blocks, size uint64) uint64 {
	if size != 0 && blocks > math.MaxUint64/size {
		return math.MaxUint64
	}
	return blocks * size
}
