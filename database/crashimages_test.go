package database

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"
)

// TestCrashImages crashes simulated disks everywhere, under four models of what a
// disk keeps, and opens what they leave. No acknowledged share is lost.
func TestCrashImages(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("TestCrashModels does the same for fewer images")
	}
	crashImages(t, 7, [diskModels]float64{0.25, 1, 0.25, 0.25}, 5_000)
}

// TestCrashModels is TestCrashImages in short.
func TestCrashModels(t *testing.T) {
	t.Parallel()
	crashImages(t, 1, [diskModels]float64{0.02, 0.1, 0.02, 0.02}, 20)
}

func crashImages(t *testing.T, rounds int, rate [diskModels]float64, want int) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // each image allocates half a megabyte
	c := newCrasher(rand.New(rand.NewPCG(1, 1)), rate)
	rng := rand.New(rand.NewPCG(2, 2))
	for round := range rounds {
		crashAppend(t, c, round, rng)
		crashUpgrade(t, c, 4+4*round)
		crashRebuild(t, c, 14+round, round%2 == 1)
	}
	c.done()
	c.report(t, want)
}

// crashAppend appends and prunes, from the making of the database on, ends now
// and then, and goes on from there, or from some crash.
func crashAppend(t *testing.T, c *crasher, round int, rng *rand.Rand) {
	const lives, batches = 4, 37
	w := newWorkload(lives*batches, 8+round*2, rng)
	d := newSimDisk()
	for life := range lives {
		c.watch(d, &w.acked, w.verify)
		s, err := simEngine(d).open(simPath, testChain)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.run(s, batches, rng); err != nil {
			t.Fatal(err)
		}
		after := d
		if life%2 == 0 {
			d.mu.Lock()
			d.before = nil
			after = d.crash(diskModel(life/2+round)%diskModels, rng)
			d.mu.Unlock()
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		d = after
	}
}

// crashUpgrade opens a database of version 1. All its shares are there whenever
// it crashes.
func crashUpgrade(t *testing.T, c *crasher, n int) {
	d := newSimDisk()
	if err := d.makeDir(simPath); err != nil {
		t.Fatal(err)
	}
	h, err := simEngine(d).openLevelDB(simPath, create)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(simEngine(d).write(h, version1(n)), h.close(), d.syncDir(".")); err != nil {
		t.Fatal(err)
	}
	c.watch(d, new(atomic.Int64), func(im *image) error {
		return im.open(func(s *Store) error { return upgraded(s, n) })
	})
	s, err := simEngine(d).open(simPath, testChain)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(upgraded(s, n), s.Close()); err != nil {
		t.Fatal(err)
	}
}

// crashRebuild rebuilds a database. Whenever it crashes, the old one is there or
// the new one; if the old one is damaged, it can be rebuilt again.
func crashRebuild(t *testing.T, c *crasher, n int, damaged bool) {
	d := newSimDisk()
	s, err := simEngine(d).open(simPath, testChain)
	if err != nil {
		t.Fatal(err)
	}
	appendShares(t, s, 0, n)
	if damaged {
		err = s.handle.Put([]byte("odd"), nil, nil)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	rebuild := func(d *simDisk) error {
		kept, err := simEngine(d).rebuild(simPath, testChain, salvageAll, time.Unix(0, 0))
		if there, _ := d.exists(kept); err == nil && !there {
			err = fmt.Errorf("%q is not there", kept)
		}
		return err
	}
	check := func(s *Store) error { return intact(s, n) }
	c.watch(d, new(atomic.Int64), func(im *image) error {
		err := im.open(check)
		if damaged && errors.Is(err, ErrCorrupt) {
			err = errors.Join(rebuild(im.disk), im.open(check))
		}
		return err
	})
	if err := rebuild(d); err != nil {
		t.Fatal(err)
	}
	if err := (&image{disk: d}).open(check); err != nil {
		t.Fatal(err)
	}
}

// TestCrashTeeth: the crash images do find losses when batches are not synced, and
// when the directory entries of new files are not.
func TestCrashTeeth(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		model  diskModel
		weaken func(e *engine)
	}{
		{"unsynced batches", powerLoss, func(e *engine) { e.noSync = true }},
		{"unsynced directories", missingEntry, func(e *engine) { e.noDirSync = true }},
	} {
		rng := rand.New(rand.NewPCG(3, 3))
		c := newCrasher(rand.New(rand.NewPCG(3, 4)), [diskModels]float64{0.1, 0.3, 0.1, 0.1})
		w := newWorkload(40, 15, rng)
		d := newSimDisk()
		e := simEngine(d)
		test.weaken(e)
		s, err := e.open(simPath, testChain)
		if err != nil {
			t.Fatal(err)
		}
		c.watch(d, &w.acked, w.verify)
		if err := errors.Join(w.run(s, 40, rng), s.Close()); err != nil {
			t.Fatal(err)
		}
		c.done()
		t.Logf("%s, %v: %d of %d images with a loss", test.name, test.model, c.failed[test.model], c.count[test.model])
		if c.failed[test.model] == 0 {
			t.Errorf("%s: nothing was lost", test.name)
		}
		if c.failed[killed] != 0 {
			t.Errorf("%s: kill: %v", test.name, c.first[killed])
		}
	}
}

// TestImagesOnDisk: the simulated disks hold what LevelDB's own storage reads.
func TestImagesOnDisk(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	c := newCrasher(rand.New(rand.NewPCG(5, 6)), [diskModels]float64{0.02, 0.1, 0.02, 0.02})
	w := newWorkload(60, 20, rng)
	d := newSimDisk()
	c.watch(d, &w.acked, func(im *image) error {
		dir := t.TempDir()
		if err := im.disk.write(dir); err != nil {
			return err
		}
		s, err := Open(filepath.Join(dir, simPath), testChain)
		if err != nil {
			return err
		}
		return errors.Join(w.check(s, im.acked), s.Close())
	})
	s, err := simEngine(d).open(simPath, testChain)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.run(s, 60, rng), s.Close()); err != nil {
		t.Fatal(err)
	}
	c.done()
	c.report(t, 5)
}
