package solutions

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
)

// Node is what a Journal needs of the Bitcoin node. All methods are called concurrently.
type Node interface {
	// SubmitBlock offers a block and returns nil once a node has it. Its end isn't sent
	// before safe is closed; nil stands for a closed one.
	SubmitBlock(ctx context.Context, block mining.RawBlock, safe <-chan struct{}) error
	// Header tells what the node knows of a block; bitcoind.ErrUnknownBlock if nothing.
	Header(ctx context.Context, hash chainhash.Hash) (bitcoind.HeaderInfo, error)
	// HashAt returns the block at a height of the best chain; bitcoind.ErrUnknownBlock
	// above that.
	HashAt(ctx context.Context, height uint32) (chainhash.Hash, error)
	// TipHash returns the best block.
	TipHash(ctx context.Context) (chainhash.Hash, error)
}

// Config is what a [Journal] is made of.
type Config struct {
	Dir  string // made if it is missing
	Node Node
	Log  slog.Logger      // nil for none
	Now  func() time.Time // nil for time.Now
}

// Journal remembers blocks. See the package documentation.
type Journal struct {
	cfg  Config
	log  slog.Logger // written to by out alone
	out  voice
	kick chan struct{}

	writing chan struct{}  // a semaphore
	writers sync.WaitGroup // what is done beside

	life context.Context // ends with Close
	end  context.CancelFunc

	rounds    chan struct{} // a semaphore: one round at a time
	lastRound time.Time     // of the round that has it
	probing   chan struct{} // a semaphore
	lastProbe time.Time     // of who has it
	saving    chan struct{} // a semaphore
	resubmits chan struct{} // a semaphore

	left []*share.Share // see LeftShares; not changed after Open

	mu      sync.Mutex // guards what follows
	blocks  map[chainhash.Hash]*entry
	dirty   bool   // the history file is behind
	failure string // why the directory can't be written, "" if it can
	tip     uint32 // height of the best block, when last asked
}

// entry is a block in memory.
type entry struct {
	Record
	file      string // name in the directory, "" if there is none
	bare      bool   // the file has no share
	size      int    // of the file, in bytes
	inFlight  int    // submissions that haven't ended
	submitted time.Time

	held    *mining.SolvedBlock // while it isn't on disk and that matters
	writing *fileWrite          // while the file is on its way
}

// Open reads what is on disk. A directory that can't be used is no error: blocks are
// followed all the same, and Health tells.
func Open(cfg Config) *Journal {
	if cfg.Log == nil {
		cfg.Log = slog.Disabled
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	j := &Journal{
		cfg: cfg, log: cfg.Log, kick: make(chan struct{}, 1), writing: make(chan struct{}, maxWriting),
		rounds: make(chan struct{}, 1), probing: make(chan struct{}, 1), saving: make(chan struct{}, 1),
		resubmits: make(chan struct{}, maxResubmits), blocks: make(map[chainhash.Hash]*entry),
	}
	j.life, j.end = context.WithCancel(context.Background())
	if err := os.MkdirAll(cfg.Dir, dirMode); err != nil {
		j.fail(err)
		return j
	}
	records, err := loadHistory(cfg.Dir)
	if err != nil {
		j.out.say(j.log.Warn, "History of found blocks: %v", err)
	}
	for i := range records {
		j.blocks[records[i].Hash] = &entry{Record: records[i]}
	}
	j.scan()
	slices.SortFunc(j.left, func(a, b *share.Share) int { return cmp.Compare(a.Data.Height, b.Data.Height) })
	return j
}

// scan finds the block files.
func (j *Journal) scan() {
	files, err := os.ReadDir(j.cfg.Dir)
	if err != nil {
		j.fail(err)
		return
	}
	left := 2 * maxFiles
	for _, f := range files {
		name, isNew := f.Name(), strings.HasSuffix(f.Name(), blockSuffix+newSuffix)
		if !isNew && !strings.HasSuffix(name, blockSuffix) || left == 0 {
			continue
		}
		left--
		if isNew {
			if name, err = completeNew(j.cfg.Dir, name); err != nil {
				j.fail(err)
			}
		}
		if name != "" {
			j.load(name)
		}
	}
}

// load reads a block file.
func (j *Journal) load(name string) {
	path := filepath.Join(j.cfg.Dir, name)
	r, block, err := readFile(path)
	if err != nil {
		j.out.say(j.log.Error, "Found block in %s can't be read: %v", path, setAside(path, err))
		return
	}
	if r.damage != nil {
		j.out.say(j.log.Warn, "Found block in %s is damaged in its description alone, and used: %v", path, r.damage)
	}
	e := j.blocks[r.Hash]
	if e == nil || e.Height != r.Height { // the file's height has been checked
		e = &entry{Record: r.Record}
		j.blocks[r.Hash] = e
		j.dirty = true
	}
	e.file, e.size = name, len(block)
	s := r.share()
	e.bare = s == nil
	if s != nil && !e.Final {
		j.left = append(j.left, s)
	}
	switch {
	case !e.Final:
		j.out.say(j.log.Info, "Block %v at height %d, found here before: %s", r.Hash, r.Height, e.Status)
	case e.Status != Rejected:
		j.remove(e) // its deletion didn't get through
	}
}

// LeftShares returns the shares that an earlier run's blocks are, the lowest first, as far
// as the fate of those isn't final. If the run was killed at that moment, Bitcoin may have
// the block and the sharechain not the share.
func (j *Journal) LeftShares() []*share.Share { return j.left }

// Keep notes a block that is being submitted. One of our own is written to disk; Keep
// returns when that is done, or when it has taken as long as the submission can wait.
func (j *Journal) Keep(b *mining.SolvedBlock) {
	r := j.newRecord(b)
	j.mu.Lock()
	e := j.add(r)
	e.inFlight++
	if b.Own {
		e.Own, e.Worker = true, r.Worker // it may have been seen as a share before
		j.hold(e, b)
	}
	j.mu.Unlock()
	if b.Own {
		j.write(&r, b)
	}
}

// newRecord describes a block that is new.
func (j *Journal) newRecord(b *mining.SolvedBlock) Record {
	d := &b.Share.Data
	return Record{
		Hash: b.Share.ID(), Height: d.BitcoinHeight, ShareHeight: d.Height, Time: int64(d.Time), Own: b.Own,
		Worker: b.Worker[:min(len(b.Worker), maxWorker)], Payee: Script(d.Payee), Value: d.CoinbaseValue,
		Bits: b.Share.Header.Bits, Status: Pending, Changed: j.cfg.Now().Unix(),
	}
}

// add returns the entry of a block, which it makes if it is new. The lock must be held.
func (j *Journal) add(r Record) *entry {
	e := j.blocks[r.Hash]
	if e == nil {
		e = &entry{Record: r}
		j.blocks[r.Hash] = e
		j.dirty = true
		j.forget()
	}
	return e
}

// forget keeps within maxRecords. The lock must be held.
func (j *Journal) forget() {
	for len(j.blocks) > maxRecords {
		var oldest *entry
		for _, e := range j.blocks {
			if oldest == nil || cmp.Or(boolOrder(e.Final, oldest.Final), cmp.Compare(e.Height, oldest.Height)) < 0 {
				oldest = e
			}
		}
		delete(j.blocks, oldest.Hash)
		j.remove(oldest)
	}
}

// boolOrder sorts true before false.
func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// Submitted notes what came of a submission that Keep announced.
func (j *Journal) Submitted(hash chainhash.Hash, err error) {
	j.mu.Lock()
	if e := j.blocks[hash]; e != nil {
		e.inFlight = max(0, e.inFlight-1)
		e.submitted = j.cfg.Now()
		j.refused(e, err)
	}
	j.mu.Unlock()
	j.Kick()
}

// refused notes a rejection. The lock must be held.
func (j *Journal) refused(e *entry, err error) {
	rejected := rejection(err)
	if rejected == nil || e.Final {
		return
	}
	e.Refusals++
	e.Reason = rejected.Reason[:min(len(rejected.Reason), maxReason)]
	j.dirty = true
	if e.Status == Pending {
		j.become(e, Rejected, 0, false)
	}
}

// rejection returns the verdict that a block is invalid, if all nodes have one and agree.
// With one that doesn't answer the block isn't judged yet: the other's chain state may be
// what is damaged.
func rejection(err error) *bitcoind.RejectedError {
	switch e := err.(type) {
	case *bitcoind.RejectedError:
		if e.NoParent() {
			return nil
		}
		return e
	case interface{ Unwrap() error }:
		return rejection(e.Unwrap())
	case interface{ Unwrap() []error }:
		var first *bitcoind.RejectedError
		for _, err := range e.Unwrap() {
			r := rejection(err)
			if r == nil {
				return nil
			}
			first = cmp.Or(first, r)
		}
		return first
	}
	return nil
}

// Observe adds blocks that are known otherwise, as from the sharechain: those of other
// nodes, and those of before this node's time. What is known already stays as it is.
func (j *Journal) Observe(records []Record) {
	j.mu.Lock()
	fresh := false
	for _, r := range records {
		if j.blocks[r.Hash] == nil && len(j.blocks) < maxRecords {
			r.Status, r.Changed = Pending, j.cfg.Now().Unix()
			j.add(r)
			fresh = true
		}
	}
	j.mu.Unlock()
	if fresh {
		j.Kick()
	}
}

// Kick makes Run look at the blocks soon, as after a new tip.
func (j *Journal) Kick() {
	select {
	case j.kick <- struct{}{}:
	default:
	}
}

// List returns the newest blocks, up to count, the newest first. Confirmations are those
// of the last look.
func (j *Journal) List(count int) []Record {
	list := j.records()
	return list[:min(count, len(list))]
}

// records returns all records, the newest first.
func (j *Journal) records() []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]Record, 0, len(j.blocks))
	for _, e := range j.blocks {
		r := e.Record
		if r.Status == Matured && j.tip >= r.Height {
			r.Confirmations = int64(j.tip-r.Height) + 1
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Record) int { return newestFirst(&a, &b) })
	return list
}

// newestFirst sorts records.
func newestFirst(a, b *Record) int {
	return cmp.Or(-cmp.Compare(a.Height, b.Height), -cmp.Compare(a.Time, b.Time), bytes.Compare(a.Hash[:], b.Hash[:]))
}
