package chainman

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// retryInterval is how often held shares are looked at and missing Bitcoin
// blocks asked for again.
const retryInterval = 5 * time.Second

// Run calls the hooks, fetches missing Bitcoin blocks and retries held shares
// until ctx is done, or returns the error of a failed store.
func (m *Manager) Run(ctx context.Context) error {
	ticker := time.NewTicker(retryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-m.failure:
			return fmt.Errorf("storing a share: %w", err)
		case <-m.events.signal:
			m.callHooks()
		case <-m.blocks.signal:
			m.fetchMissing(ctx)
		case <-ticker.C:
			m.fetchMissing(ctx)
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
	m.acceptMu.Lock()
	m.mu.Lock()
	err := m.chain.SetBitcoinTip(hash)
	m.mu.Unlock()
	m.acceptMu.Unlock()
	if err != nil {
		return err
	}
	return m.retry()
}

// headersPerFetch is how many headers are asked for at a time when a block with
// unknown ancestors turns up: most often there is one, and after an outage few.
const headersPerFetch = 16

// addBitcoinBlock fetches the header of a block, and those below it until they
// meet a known one.
func (m *Manager) addBitcoinBlock(ctx context.Context, hash chainhash.Hash) error {
	for fetched := 0; fetched < loadedHeaders; fetched += headersPerFetch {
		if m.knowsBitcoinBlock(hash) {
			return nil
		}
		headers, height, err := m.cfg.Bitcoin.HeadersBack(ctx, hash, headersPerFetch)
		if err != nil {
			return fmt.Errorf("header of Bitcoin block %v: %w", hash, err)
		}
		if len(headers) == 0 {
			return nil
		}
		m.mu.Lock()
		for i := range headers {
			err = m.chain.AddBitcoinHeader(&headers[i], height+uint32(i))
			if err != nil {
				break
			}
		}
		m.mu.Unlock()
		if err != nil || height == 0 {
			return err
		}
		hash = headers[0].PrevBlock
	}
	return nil
}

func (m *Manager) knowsBitcoinBlock(hash chainhash.Hash) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.chain.HasBitcoinBlock(hash)
}

// fetchMissing asks the Bitcoin node for the blocks that held shares wait for.
func (m *Manager) fetchMissing(ctx context.Context) {
	arrived := false
	for _, hash := range m.blocks.list() {
		if err := m.addBitcoinBlock(ctx, hash); err != nil {
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

// maxMissingBlocks bounds the Bitcoin blocks asked for on behalf of held shares,
// which are at most as many.
const maxMissingBlocks = 100

// blockQueue is the set of Bitcoin blocks that held shares wait for. The oldest
// makes room for a new one.
type blockQueue struct {
	mu     sync.Mutex
	hashes []chainhash.Hash
	signal chan struct{}
}

func (q *blockQueue) init() { q.signal = make(chan struct{}, 1) }

func (q *blockQueue) add(hash chainhash.Hash) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if slices.Contains(q.hashes, hash) {
		return
	}
	if len(q.hashes) >= maxMissingBlocks {
		q.hashes = slices.Delete(q.hashes, 0, 1)
	}
	q.hashes = append(q.hashes, hash)
	notify(q.signal)
}

func (q *blockQueue) remove(hash chainhash.Hash) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hashes = slices.DeleteFunc(q.hashes, func(h chainhash.Hash) bool { return h == hash })
}

func (q *blockQueue) list() []chainhash.Hash {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.hashes)
}

func notify(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}
