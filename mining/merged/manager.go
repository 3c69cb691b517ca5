package merged

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/mining"
)

// errQueueFull is why a solution is not even tried.
var errQueueFull = errors.New("its node has not answered to the ones before")

// Config is what a Manager is made of.
type Config struct {
	// Nodes are those of the other chains, MaxChains at most. Of two nodes of the same
	// chain the second one stands in when the first fails.
	Nodes []*Endpoint
	// Changed is called after each change of Current, by one goroutine at a time. It
	// must not call the Manager's Run or wait for anything slow. May be nil.
	Changed func()
	// Log may be nil.
	Log slog.Logger
}

// Manager knows what to mine of other chains. It implements mining.Merged. It is safe
// for concurrent use.
type Manager struct {
	cfg    Config
	timing timing
	chains []*chain

	mu     sync.Mutex
	owners map[uint32]claim // who mines which chain, by its slot in the largest tree

	current atomic.Pointer[mining.AuxWork]
	wake    chan struct{} // a chain has changed
}

// claim is the right to mine a chain.
type claim struct {
	chain *chain // nil: nobody's
	id    uint32
}

// New returns a Manager that does nothing until Run.
func New(cfg Config) (*Manager, error) { return newManager(cfg, defaultTiming()) }

func newManager(cfg Config, t timing) (*Manager, error) {
	if len(cfg.Nodes) > MaxChains {
		return nil, fmt.Errorf("%d nodes for merged mining, at most %d are allowed", len(cfg.Nodes), MaxChains)
	}
	if cfg.Log == nil {
		cfg.Log = slog.Disabled
	}
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	m := &Manager{cfg: cfg, timing: t, owners: make(map[uint32]claim), wake: make(chan struct{}, 1)}
	for _, end := range cfg.Nodes {
		c := newChain(end, t, cfg.Log)
		c.claim, c.release, c.changed = m.claim, m.release, m.notice
		m.chains = append(m.chains, c)
	}
	return m, nil
}

// Current returns what new jobs commit to, nil for nothing. It takes no lock.
func (m *Manager) Current() *mining.AuxWork { return m.current.Load() }

// Status returns the state of each node, in the order of the configuration.
func (m *Manager) Status() []Status {
	list := make([]Status, len(m.chains))
	for i, c := range m.chains {
		list[i] = c.status()
	}
	return list
}

// Run asks for blocks and submits proofs until ctx ends. It returns nil, a few seconds
// later if proofs are on their way.
func (m *Manager) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, c := range m.chains {
		wg.Go(func() { c.poll(ctx) })
		wg.Go(func() { c.deliver(ctx) })
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.wake:
		}
		m.rebuild()
		// What comes in the meantime goes out together.
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(m.timing.gap):
		}
	}
}

// notice has the tree rebuilt.
func (m *Manager) notice() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// claim gives a chain to the first node that asks, until it releases it. So no two
// blocks in the tree ever collide.
func (m *Manager) claim(c *chain, id uint32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	place := slot(id, treeNonce, maxHeight)
	switch owner := m.owners[place]; {
	case owner.chain == nil:
		m.owners[place] = claim{c, id}
	case owner.chain == c:
	case owner.id == id:
		return fmt.Errorf("chain %d is mined for %v; this node stands in if that one fails", id, owner.chain.client.end)
	default:
		return &collisionError{owner.id, id}
	}
	return nil
}

// release takes its chain from a node that has no block any more.
func (m *Manager) release(c *chain) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.owners, func(_ uint32, owner claim) bool { return owner.chain == c })
}

// rebuild makes a tree of the chains' blocks.
func (m *Manager) rebuild() {
	work, old := m.build(), m.current.Load()
	if work == nil && old == nil || work != nil && old != nil && work.Commitment == old.Commitment {
		return
	}
	m.current.Store(work)
	m.cfg.Changed()
}

// build returns what to commit to, nil if there is no block of any chain.
func (m *Manager) build() *mining.AuxWork {
	var leaves []*leaf
	var ids []uint32
	var hashes []chainhash.Hash
	for _, c := range m.chains {
		if b := c.mined(); b != nil {
			leaves = append(leaves, &leaf{chain: c, block: b})
			ids, hashes = append(ids, b.chainID), append(hashes, b.hash)
		}
	}
	if len(leaves) == 0 {
		return nil
	}
	t, err := newTree(ids, hashes)
	if err != nil {
		m.cfg.Log.Errorf("Merged mining: this should not happen: %v", err) // claim sees to it
		return nil
	}
	for i, l := range leaves {
		l.index, l.branch = t.slots[i], t.branches[i]
	}
	return newAuxWork(leaves, t)
}

// newAuxWork is the tree as package mining wants it.
func newAuxWork(leaves []*leaf, t *tree) *mining.AuxWork {
	w := &mining.AuxWork{Commitment: t.commitment()}
	for _, l := range leaves {
		if l.block.target.Gt(&w.Target) {
			w.Target = l.block.target
		}
	}
	w.Wanted = func(hash chainhash.Hash) bool {
		return slices.ContainsFunc(leaves, func(l *leaf) bool { return l.meets(&hash) && l.block.wanted() })
	}
	w.Solved = func(s *mining.AuxSolution) {
		for _, l := range leaves {
			if l.meets(&s.Hash) {
				l.offer(s)
			}
		}
	}
	return w
}
