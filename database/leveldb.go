package database

import (
	"errors"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// tuning returns LevelDB's options. A full retention is 106 MB of keys and
// values; at the top it grows, and at the bottom deletions eat it away. The aim
// is that little of it is on disk twice, or still there though deleted, at any
// time: 10 MB at most, as measured by TestSize. So whatever is new passes through
// small upper levels quickly, and all the rest lies in level 2.
func tuning() opt.Options {
	return opt.Options{
		// In memory: three write buffers and the cache, 7 MiB.
		WriteBuffer:        1 << 20,
		BlockCacheCapacity: 4 << 20,
		// A full retention is 55 tables.
		CompactionTableSize:    2 << 20,
		OpenFilesCacheCapacity: 128,
		// Level 0 is two write buffers, level 1 has 1 MiB, level 2 has no bound.
		// Writers wait when level 0 gets twice as long.
		CompactionL0Trigger:                   2,
		WriteL0SlowdownTrigger:                4,
		WriteL0PauseTrigger:                   6,
		CompactionTotalSize:                   1 << 20,
		CompactionTotalSizeMultiplierPerLevel: []float64{1, 1, 1 << 20},
		// A table of level 1 must not span all of level 2, as one with deletions
		// and new shares would: then its compaction would rewrite everything.
		CompactionGPOverlapsFactor: 1,
		// A record has 700 bytes, and each block takes 60 in the index. The filter
		// has one part for each block; ten bits a key make one in a hundred
		// look-ups of an absent share read the disk.
		BlockSize:    16 << 10,
		FilterBaseLg: 14,
		Filter:       filter.NewBloomFilter(10),
		// Hashes don't compress.
		Compression: opt.NoCompression,
		// One path for every batch, the journal's; reading moves nothing.
		DisableLargeBatchTransaction: true,
		DisableSeeksCompaction:       true,
	}
}

// engine is what databases are opened with.
type engine struct {
	disk    disk
	options opt.Options // but for ReadOnly and ErrorIfMissing
	// The bounds of one batch: how many shares it deletes, or upgrades.
	maxPrune, maxUpgrade int

	// What tests leave out to show that it is needed.
	noSync    bool // of batches
	noDirSync bool // of a new file's directory
}

func newEngine() *engine {
	return &engine{disk: osDisk{}, options: tuning(), maxPrune: maxPrune, maxUpgrade: maxUpgrade}
}

// handle is an open LevelDB and the folder that it is in.
type handle struct {
	*leveldb.DB
	folder  folder
	failure *failure
}

func (h *handle) close() error { return errors.Join(h.DB.Close(), h.folder.Close()) }

// mode is how LevelDB is opened.
type mode int

const (
	readOnly mode = iota
	readWrite
	create
)

// openLevelDB opens LevelDB in a folder that exists.
func (e *engine) openLevelDB(path string, m mode) (*handle, error) {
	f, err := e.disk.open(path, m == readOnly)
	if err != nil {
		return nil, err
	}
	o := e.options
	o.ReadOnly = m == readOnly
	o.ErrorIfMissing = m != create
	files := carefulStorage{Storage: f, syncDir: func() error { return e.disk.syncDir(path) }, failure: new(failure)}
	if e.noDirSync {
		files.syncDir = func() error { return nil }
	}
	db, err := leveldb.Open(files, &o)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &handle{db, f, files.failure}, nil
}

// write writes a batch so that it survives a loss of power.
func (e *engine) write(h *handle, batch *leveldb.Batch) error {
	return h.Write(batch, &opt.WriteOptions{Sync: !e.noSync})
}

// Records are all read without pushing others out of the cache, and to salvage
// them the unreadable ones are passed over.
var (
	scan     = &opt.ReadOptions{DontFillCache: true}
	tolerant = &opt.ReadOptions{DontFillCache: true, Strict: opt.StrictOverride}
)
