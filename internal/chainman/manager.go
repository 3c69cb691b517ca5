package chainman

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// Store keeps accepted shares. It is called by one goroutine at a time but for
// Share, which any may call.
type Store interface {
	// Append stores shares and the tip and base that the chain has after them,
	// atomically and so that all survive a loss of power. Shares below the base
	// are dropped.
	Append(accepted []blockchain.Accepted, tip chainhash.Hash, base uint32) error
	// Share returns the encoding of a stored share.
	Share(height uint32, id chainhash.Hash) ([]byte, error)
	// Load calls restore for every stored share, lowest first, and tells whether
	// its parent is not stored.
	Load(restore func(s *share.Share, root bool) error) error
	// Tip and Base return what Append was last given.
	Tip() chainhash.Hash
	Base() uint32
	// Close ends its use.
	Close() error
}

// Bitcoin is what the chain needs of the Bitcoin node.
type Bitcoin interface {
	// HeadersBack returns the headers that end with hash, at most n, oldest
	// first, and the height of the first; an error if the node does not know it.
	// A block that it does not have is an ErrUnknownBlock.
	HeadersBack(ctx context.Context, hash chainhash.Hash, n int) ([]wire.BlockHeader, uint32, error)
	// Invalid reports whether the node calls a block that it knows invalid.
	Invalid(ctx context.Context, hash chainhash.Hash) (bool, error)
}

// ErrUnknownBlock is what a Bitcoin's error wraps if the node answers that it does
// not have the block.
var ErrUnknownBlock = errors.New("the Bitcoin node does not have the block")

// Hooks are called from Run's goroutine, in order, after what they report is
// stored. Nil hooks are left out.
type Hooks struct {
	// Tip is called after the tip has changed; several changes in a row may be
	// one call.
	Tip func()
	// Accepted is called with each accepted share's ID.
	Accepted func(id chainhash.Hash)
}

// Config is what a Manager is made of.
type Config struct {
	Params  *chainparams.Params
	Store   Store
	Bitcoin Bitcoin
	Stores  Stores // nil: the node keeps to its chain, whatever it is offered
	Hooks   Hooks
	Log     slog.Logger      // nil for none
	Now     func() time.Time // nil for time.Now
}

// Manager is the sharechain of a running node. All methods are safe for
// concurrent use.
type Manager struct {
	cfg Config

	acceptMu  sync.Mutex
	mu        sync.RWMutex
	chain     *blockchain.Chain
	store     Store
	candidate *candidate // nil mostly
	discarded []Store    // of candidates that were given up, to be deleted
	tip       atomic.Pointer[blockchain.Tip]

	oldestBitcoin uint32    // height of the first header that Load read
	deepReorgLog  time.Time // of the last warning, under acceptMu

	events  eventQueue
	blocks  blockQueue
	failure chan error
	broken  atomic.Bool
}

// New returns a Manager with an empty chain; Load fills it.
func New(cfg Config) *Manager {
	if cfg.Log == nil {
		cfg.Log = slog.Disabled
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := &Manager{cfg: cfg, chain: blockchain.New(cfg.Params), store: cfg.Store, failure: make(chan error, 1)}
	m.events.init()
	m.blocks.init()
	m.tip.Store(m.chain.Tip())
	return m
}

// loadedHeaders is how many Bitcoin headers are read at the start: those of the
// 16 days of shares a node keeps (2,304 blocks), and 2,016 more for the
// difficulty rule at the far end.
const loadedHeaders = 2_304 + 2_016

// Load reads the recent Bitcoin headers up to tip and then the stored shares. It
// is called once, before everything else.
func (m *Manager) Load(ctx context.Context, bitcoinTip chainhash.Hash) error {
	headers, height, err := m.cfg.Bitcoin.HeadersBack(ctx, bitcoinTip, loadedHeaders)
	if err != nil {
		return fmt.Errorf("reading Bitcoin headers: %w", err)
	}
	m.oldestBitcoin = height
	for i := range headers {
		if err := m.chain.AddBitcoinHeader(&headers[i], height+uint32(i)); err != nil {
			return err
		}
	}
	if err := m.restore(); err != nil {
		return err
	}
	tip := m.chain.Tip()
	m.tip.Store(tip)
	if tip.Empty {
		m.cfg.Log.Infof("The sharechain is empty")
	} else {
		m.cfg.Log.Infof("Sharechain: %d shares, tip %v at height %d", m.chain.Len(), tip.ID, tip.Height)
	}
	return nil
}

// restore reads the stored shares.
func (m *Manager) restore() error {
	store := m.store
	err := store.Load(func(s *share.Share, root bool) error {
		// What the base's own shares stand on was pruned.
		return m.chain.Restore(s, root || s.Data.Height == store.Base())
	})
	if err != nil {
		return err
	}
	return m.chain.Restored(store.Tip(), store.Base())
}

// ErrStopped is returned after a failure of the store, which ends the node.
var ErrStopped = errors.New("the sharechain has stopped after a failure of its store")

// Accept judges a share and stores it if it is valid; see package blockchain for
// the verdicts. When it returns nil the share is on disk.
func (m *Manager) Accept(s *share.Share) error {
	return m.AcceptAll([]*share.Share{s}, chainhash.Hash{})[0]
}

// AcceptAll judges shares in order and returns as many verdicts. Those that are
// valid are on disk together before it returns. The share with the ID root, if
// that is not zero, may be a root, see blockchain.Chain.AcceptRoot.
func (m *Manager) AcceptAll(list []*share.Share, root chainhash.Hash) []error {
	verdicts := make([]error, len(list))
	err := m.change(func(now time.Time) blockchain.Update {
		var u blockchain.Update
		for i, s := range list {
			var one blockchain.Update
			one, verdicts[i] = m.accept(s, root, now)
			u.Add(one)
			if waits, ok := errors.AsType[*blockchain.UndecidedError](verdicts[i]); ok && waits.MissingBlock != nil {
				u.MissingBlocks = append(u.MissingBlocks, *waits.MissingBlock)
			}
		}
		return u
	})
	if err != nil {
		for i := range verdicts {
			verdicts[i] = err
		}
	}
	return verdicts
}

// retry judges held shares again.
func (m *Manager) retry() error {
	return m.change(func(now time.Time) blockchain.Update {
		m.mu.Lock()
		defer m.mu.Unlock()
		if c := m.candidate; c != nil {
			c.fresh = append(c.fresh, c.chain.Retry(now).Accepted...)
		}
		return m.chain.Retry(now)
	})
}

// change runs one change of the chain, stores what was accepted and publishes
// the new tip. Its error is that of the store.
func (m *Manager) change(f func(now time.Time) blockchain.Update) error {
	m.acceptMu.Lock()
	defer m.acceptMu.Unlock()
	if m.broken.Load() {
		return ErrStopped
	}
	u := f(m.cfg.Now())
	for _, hash := range u.MissingBlocks {
		m.blocks.add(hash, m.cfg.Now())
	}
	tip := m.tip.Load()
	if len(u.Accepted) > 0 {
		m.mu.Lock()
		var base uint32
		tip, base = m.chain.Tip(), m.chain.Base() // a new side share changes the uncles to be had
		m.mu.Unlock()
		if err := m.store.Append(u.Accepted, tip.ID, base); err != nil {
			return m.fail(err)
		}
	}
	adopted, err := m.settleCandidate(m.cfg.Now())
	if err != nil {
		return m.fail(err)
	}
	m.publish(u, tip)
	if adopted {
		m.mu.Lock()
		m.tip.Store(m.chain.Tip())
		m.mu.Unlock()
		m.events.tipChanged()
	}
	return nil
}

// deepReorgInterval is the least time between two warnings of the same branch,
// each share of which would be one.
const deepReorgInterval = 10 * time.Minute

// publish lets the others know what is stored now.
func (m *Manager) publish(u blockchain.Update, tip *blockchain.Tip) {
	for _, r := range u.Refused {
		m.cfg.Log.Debugf("Held share %v is invalid: %v", r.ID, r.Err)
	}
	if now := m.cfg.Now(); u.DeepReorg && now.Sub(m.deepReorgLog) >= deepReorgInterval {
		m.deepReorgLog = now
		m.cfg.Log.Errorf("A branch with more work was refused because it branches off more than %d shares below the tip; "+
			"compare your tip with other operators'", m.cfg.Params.MaxReorgShares)
	}
	if len(u.Accepted) == 0 {
		return
	}
	if u.Disconnected > 0 {
		m.cfg.Log.Debugf("Reorganisation: %d shares left the main chain, %d joined", u.Disconnected, u.Connected)
	}
	// A share beside the main chain changes nothing for miners unless it can be
	// an uncle.
	old := m.tip.Swap(tip)
	changed := old.ID != tip.ID || !slices.Equal(old.Uncles, tip.Uncles)
	for _, a := range u.Accepted {
		m.events.accepted(a.ID)
		if a.Block {
			m.cfg.Log.Infof("Share %v at height %d is a Bitcoin block", a.ID, a.Share.Data.Height)
		}
	}
	if changed {
		m.events.tipChanged()
	}
}

// fail ends the node: after a failed write nobody knows what is on disk.
func (m *Manager) fail(err error) error {
	m.broken.Store(true)
	select {
	case m.failure <- err:
	default:
	}
	return fmt.Errorf("%w: %w", ErrStopped, err)
}

// Tip returns the newest stored tip.
func (m *Manager) Tip() *blockchain.Tip { return m.tip.Load() }
