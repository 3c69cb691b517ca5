package database

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

// simPath is the database's path on a simDisk.
const simPath = "shares"

const simMaxPrune = 4

// simEngine opens databases on a simDisk. Buffers and tables are so small that
// LevelDB flushes, compacts and begins new manifests all the time.
func simEngine(d *simDisk) *engine {
	return &engine{disk: d, maxPrune: simMaxPrune, maxUpgrade: 3, options: opt.Options{
		WriteBuffer:                           2 << 10,
		BlockSize:                             1 << 10,
		CompactionTableSize:                   4 << 10,
		CompactionTotalSize:                   4 << 10,
		CompactionTotalSizeMultiplierPerLevel: []float64{1, 1, 1 << 10},
		CompactionL0Trigger:                   2,
		WriteL0SlowdownTrigger:                1 << 10, // would sleep
		Filter:                                filter.NewBloomFilter(10),
		Compression:                           opt.NoCompression,
		DisableLargeBatchTransaction:          true,
		DisableSeeksCompaction:                true,
		DisableBlockCache:                     true,
		OpenFilesCacheCapacity:                16,
	}}
}

// moment is the state of a store that a workload has brought about.
type moment struct{ base, end int } // it has the shares from base to below end

// workload appends batches to a store and knows the state after each.
type workload struct {
	shares []blockchain.Accepted
	after  []moment     // each batch; the first is the state before all
	wanted []int        // the base that each batch asks for
	acked  atomic.Int64 // index of the newest acknowledged one
}

// newWorkload returns a workload of so many batches, of up to five new shares, and
// with a base that moves in leaps, which one batch may be too short for.
func newWorkload(batches, retained int, rng *rand.Rand) *workload {
	w := &workload{after: []moment{{0, 0}}, wanted: []int{0}}
	for range batches {
		m := w.after[len(w.after)-1]
		m.end += 1 + max(0, rng.IntN(9)-4)
		wanted := 0
		if rng.IntN(3) == 0 {
			wanted = max(0, m.end-retained)
			m.base = max(m.base, min(wanted, m.base+simMaxPrune))
		}
		w.after, w.wanted = append(w.after, m), append(w.wanted, wanted)
	}
	w.shares = accepted(0, w.after[batches].end)
	return w
}

// run appends the batches from the one after the newest acknowledged one on.
func (w *workload) run(s *Store, batches int, rng *rand.Rand) error {
	for range batches {
		i := int(w.acked.Load()) + 1
		if i >= len(w.after) {
			return nil
		}
		from, m := w.after[i-1], w.after[i]
		again := min(from.end, max(m.base, from.end-rng.IntN(3))) // some are stored already
		if err := s.Append(w.shares[again:m.end], w.shares[m.end-1].ID, uint32(w.wanted[i])); err != nil {
			return err
		}
		w.acked.Add(1)
	}
	return nil
}

// check returns nil if the store is as after the batch i or the next.
func (w *workload) check(s *Store, i int) error {
	m := w.after[i]
	if i+1 < len(w.after) && s.state.appended > uint64(m.end) {
		m = w.after[i+1]
	}
	if s.state.appended != uint64(m.end) || s.Base() != uint32(m.base) || s.Len() != uint64(m.end-m.base) {
		return fmt.Errorf("state %+v, want %+v", s.state, m)
	}
	var tip chainhash.Hash
	if m.end > 0 {
		tip = w.shares[m.end-1].ID
	}
	if s.Tip() != tip {
		return errors.New("another tip")
	}
	next := m.base
	err := s.Load(func(sh *share.Share, root bool) error {
		if next == m.end || int(sh.Header.Nonce) != next || root != w.shares[next].Root { // Load checks the ID
			return fmt.Errorf("share %d instead of %d", sh.Data.Height, next)
		}
		next++
		return nil
	})
	if err == nil && next != m.end {
		err = fmt.Errorf("shares up to %d, want %d", next, m.end)
	}
	return err
}

// image is what a crash has left.
type image struct {
	disk   *simDisk
	model  diskModel
	acked  int // newest acknowledged batch
	verify func(im *image) error
}

// verify opens what a crash left of the workload's store, and opens it again.
func (w *workload) verify(im *image) error {
	return im.open(func(s *Store) error { return w.check(s, im.acked) })
}

func (im *image) open(check func(*Store) error) error {
	for range 2 {
		s, err := simEngine(im.disk).open(simPath, testChain)
		if err != nil {
			return err
		}
		if err := errors.Join(check(s), s.Close()); err != nil {
			return err
		}
	}
	return nil
}

// crasher takes images of a disk before its operations, and verifies them while
// the workload goes on.
type crasher struct {
	rng    *rand.Rand
	rate   [diskModels]float64 // of operations before which an image is taken; of syncs for powerLoss
	images chan *image
	wg     sync.WaitGroup

	mu     sync.Mutex
	count  [diskModels]int
	failed [diskModels]int
	first  [diskModels]error
}

func newCrasher(rng *rand.Rand, rate [diskModels]float64) *crasher {
	c := &crasher{rng: rng, rate: rate, images: make(chan *image, 64)}
	for range runtime.GOMAXPROCS(0) {
		c.wg.Go(c.verify)
	}
	return c
}

func (c *crasher) verify() {
	for im := range c.images {
		before := im.disk.list()
		err := im.verify(im)
		c.mu.Lock()
		c.count[im.model]++
		if err != nil {
			if c.failed[im.model]++; c.first[im.model] == nil {
				c.first[im.model] = fmt.Errorf("after batch %d: %w\n%s", im.acked, err, before)
			}
		}
		c.mu.Unlock()
	}
}

// watch takes images of a disk. The state that a workload has reached is read
// before it goes on, so that the batch in flight is the next one.
func (c *crasher) watch(d *simDisk, acked *atomic.Int64, verify func(*image) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before = func(syncs bool) {
		for m := range diskModels {
			if m == powerLoss && !syncs || c.rng.Float64() >= c.rate[m] {
				continue
			}
			c.images <- &image{d.crash(m, c.rng), m, int(acked.Load()), verify}
		}
	}
}

// done waits for the last image.
func (c *crasher) done() {
	close(c.images)
	c.wg.Wait()
}

// report prints the figures, and fails for each model with fewer images than
// wanted or with a failed one.
func (c *crasher) report(t *testing.T, want int) {
	t.Helper()
	for m := range diskModels {
		t.Logf("%v: %d images, %d with a loss", m, c.count[m], c.failed[m])
		if c.count[m] < want {
			t.Errorf("%v: %d images, want %d", m, c.count[m], want)
		}
		if c.first[m] != nil {
			t.Errorf("%v: %v", m, c.first[m])
		}
	}
}
