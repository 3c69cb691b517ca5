package chainman

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// retryInterval is how often held shares are looked at and missing Bitcoin
// blocks asked for again.
const retryInterval = 5 * time.Second

// Run calls the hooks, fetches missing Bitcoin blocks and retries held shares
// until ctx is done, or returns the error of a failed store.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	// On its own, as a Bitcoin node that hangs must not hold up the hooks.
	wg.Go(func() { m.runFetches(ctx) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-m.failure:
			return fmt.Errorf("storing a share: %w", err)
		case <-m.events.signal:
			m.callHooks()
		}
	}
}

func (m *Manager) runFetches(ctx context.Context) {
	ticker := time.NewTicker(retryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.blocks.signal:
			m.fetchMissing(ctx, m.blocks.untried(m.cfg.Now()))
		case <-ticker.C:
			m.fetchMissing(ctx, m.blocks.all(m.cfg.Now()))
			if err := m.retry(); err != nil {
				m.cfg.Log.Debugf("Retrying held shares: %v", err)
			}
		}
	}
}

func (m *Manager) callHooks() {
	tip, accepted := m.events.take()
	if tip && m.cfg.Hooks.Tip != nil {
		m.cfg.Hooks.Tip()
	}
	if m.cfg.Hooks.Accepted != nil {
		for _, id := range accepted {
			m.cfg.Hooks.Accepted(id)
		}
	}
}

// BitcoinTip tells the chain of the Bitcoin node's new tip. It fetches the
// headers that are missing below it, so that it can be slow after an outage.
func (m *Manager) BitcoinTip(ctx context.Context, hash chainhash.Hash) error {
	if err := m.addBitcoinBlock(ctx, hash); err != nil {
		return err
	}
	return m.retry()
}

// headersPerFetch is how many headers are asked for at a time when a block has
// unknown ancestors, as after an outage. First the block's own is asked for, as
// most often its parent is known.
const headersPerFetch = 16

// addBitcoinBlock fetches the header of a block, and those below it until they
// meet a known one or reach below all known ones. They are entered oldest first
// and all together, so that no gap stays behind when the node fails in between.
func (m *Manager) addBitcoinBlock(ctx context.Context, hash chainhash.Hash) error {
	var fetched []wire.BlockHeader // newest first
	var first uint32               // height of the last in fetched
	count := 1
	for next := hash; len(fetched) < loadedHeaders && !m.knowsBitcoinBlock(next); {
		headers, height, err := m.cfg.Bitcoin.HeadersBack(ctx, next, count)
		count = headersPerFetch
		if err == nil && len(headers) == 0 {
			err = errors.New("the node sent none")
		}
		if err != nil {
			return fmt.Errorf("header of Bitcoin block %v: %w", next, err)
		}
		for _, h := range slices.Backward(headers) {
			fetched = append(fetched, h)
		}
		first = height
		if height <= m.oldestBitcoin {
			break
		}
		next = fetched[len(fetched)-1].PrevBlock
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, h := range slices.Backward(fetched) {
		if err := m.chain.AddBitcoinHeader(&h, first+uint32(len(fetched)-1-i)); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) knowsBitcoinBlock(hash chainhash.Hash) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.HasBitcoinBlock(hash)
}

// fetchMissing asks the Bitcoin node for blocks that held shares wait for.
func (m *Manager) fetchMissing(ctx context.Context, hashes []chainhash.Hash) {
	arrived := false
	for _, hash := range hashes {
		err := m.checkInvalid(ctx, hash)
		if err == nil {
			err = m.addBitcoinBlock(ctx, hash)
		}
		if errors.Is(err, ErrUnknownBlock) {
			m.mu.Lock()
			m.chain.BitcoinBlockAbsent(hash)
			m.mu.Unlock()
			arrived = true // old shares do without
		}
		if err != nil {
			m.cfg.Log.Debugf("A share waits for Bitcoin block %v, which our node does not have: %v", hash, err)
			continue
		}
		m.blocks.remove(hash)
		arrived = true
	}
	if arrived {
		if err := m.retry(); err != nil {
			m.cfg.Log.Debugf("Retrying held shares: %v", err)
		}
	}
}

// checkInvalid lets the chain know if the Bitcoin node calls a block invalid that
// a share builds on. Blocks of its best chain, which come by another way, are not.
func (m *Manager) checkInvalid(ctx context.Context, hash chainhash.Hash) error {
	invalid, err := m.cfg.Bitcoin.Invalid(ctx, hash)
	if err != nil || !invalid {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.chain.BitcoinBlockInvalid(hash)
	return nil
}

// eventQueue collects what the hooks have to be told. Its list is as long as the
// shares accepted while one hook runs.
type eventQueue struct {
	mu     sync.Mutex
	ids    []chainhash.Hash
	tip    bool
	signal chan struct{}
}

func (q *eventQueue) init() { q.signal = make(chan struct{}, 1) }

func (q *eventQueue) accepted(id chainhash.Hash) {
	q.mu.Lock()
	q.ids = append(q.ids, id)
	q.mu.Unlock()
}

func (q *eventQueue) tipChanged() {
	q.mu.Lock()
	q.tip = true
	q.mu.Unlock()
	notify(q.signal)
}

func (q *eventQueue) take() (tip bool, ids []chainhash.Hash) {
	q.mu.Lock()
	defer q.mu.Unlock()
	tip, ids = q.tip, q.ids
	q.tip, q.ids = false, nil
	return tip, ids
}

const (
	// maxMissingBlocks bounds the Bitcoin blocks asked for on behalf of held
	// shares, which are at most as many.
	maxMissingBlocks = 100
	// missingBlockFor is how long a block is asked for: as long as the share
	// that waits for it is held.
	missingBlockFor = 10 * time.Minute
)

// blockQueue is the set of Bitcoin blocks that held shares wait for. The oldest
// makes room for a new one.
type blockQueue struct {
	mu     sync.Mutex
	blocks []missingBlock
	signal chan struct{}
}

type missingBlock struct {
	hash  chainhash.Hash
	until time.Time
	tried bool // it has been asked for
}

func (q *blockQueue) init() { q.signal = make(chan struct{}, 1) }

func (q *blockQueue) add(hash chainhash.Hash, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if slices.ContainsFunc(q.blocks, func(b missingBlock) bool { return b.hash == hash }) {
		return
	}
	if len(q.blocks) >= maxMissingBlocks {
		q.blocks = slices.Delete(q.blocks, 0, 1)
	}
	q.blocks = append(q.blocks, missingBlock{hash: hash, until: now.Add(missingBlockFor)})
	notify(q.signal)
}

func (q *blockQueue) remove(hash chainhash.Hash) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.blocks = slices.DeleteFunc(q.blocks, func(b missingBlock) bool { return b.hash == hash })
}

// all returns the blocks after dropping those asked for too long.
func (q *blockQueue) all(now time.Time) []chainhash.Hash {
	return q.take(now, func(*missingBlock) bool { return true })
}

// untried returns the blocks that were not returned before, so that a new one
// does not make the node look for all the others again.
func (q *blockQueue) untried(now time.Time) []chainhash.Hash {
	return q.take(now, func(b *missingBlock) bool { return !b.tried })
}

func (q *blockQueue) take(now time.Time, which func(*missingBlock) bool) []chainhash.Hash {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.blocks = slices.DeleteFunc(q.blocks, func(b missingBlock) bool { return now.After(b.until) })
	var hashes []chainhash.Hash
	for i := range q.blocks {
		if b := &q.blocks[i]; which(b) {
			b.tried = true
			hashes = append(hashes, b.hash)
		}
	}
	return hashes
}

func notify(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}
