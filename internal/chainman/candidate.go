package chainman

import (
	"errors"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

// Stores makes room for a second chain while it is fetched.
type Stores interface {
	// Candidate makes an empty store beside the node's. What an earlier one held is
	// gone.
	Candidate() (Store, error)
	// Adopt puts a candidate in the place of the node's store, which is closed, and
	// returns it. After an error neither can be used.
	Adopt(old, candidate Store) (Store, error)
	// Discard deletes a candidate.
	Discard(candidate Store) error
}

// candidate is a chain that has nothing in common with ours, or goes further back.
// A peer that knows nothing of our locator offers one, by its root. It takes our
// chain's place if that turns out to be the worthless one.
type candidate struct {
	chain *blockchain.Chain
	store Store
	until time.Time
	fresh []blockchain.Accepted // to be stored

	grafted bool // it has what our own chain has
}

const (
	// candidateFor is how long a candidate waits for its next share.
	candidateFor = 10 * time.Minute
	// maxCandidate bounds a candidate, as a multiple of the retention: an honest chain
	// has an uncle in ten shares or so, a forger's any number of easy siblings.
	maxCandidate = 2
	// candidatePatience is after how long without one it makes room for another.
	candidatePatience = time.Minute
)

// accept judges one share. It takes the lock anew for each, so that readers do not
// wait for a whole batch.
func (m *Manager) accept(s *share.Share, root chainhash.Hash, now time.Time) (blockchain.Update, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.candidate; c != nil && c.chain.Have(s.Data.Previous) && !m.chain.Have(s.Data.Previous) {
		return blockchain.Update{}, m.offer(c, s, now)
	}
	accept := m.chain.Accept
	if root != (chainhash.Hash{}) && s.ID() == root {
		accept = m.chain.AcceptRoot
	}
	u, err := accept(s, now)
	if c := m.candidate; c != nil && c.chain.Have(s.Data.Previous) {
		_ = m.offer(c, s, now) // both may have it; the verdict is our chain's
	} else if s.ID() == root && isElsewhere(err) && m.cfg.Stores != nil && m.chain.WorthComparing(s, now) {
		if c := m.openCandidate(now); c != nil {
			err = m.offer(c, s, now)
		}
	}
	return u, err
}

// offer gives a share to the candidate.
func (m *Manager) offer(c *candidate, s *share.Share, now time.Time) error {
	u, err := c.chain.AcceptRoot(s, now)
	if _, invalid := errors.AsType[blockchain.RuleError](err); invalid {
		m.cfg.Log.Debugf("The other chain that was offered is invalid: %v", err)
		m.candidate, m.discarded = nil, append(m.discarded, c.store)
		return err
	}
	if c.chain.Len() > maxCandidate*int(m.cfg.Params.RetentionShares) {
		m.cfg.Log.Debugf("The other chain that was offered has too many branches")
		m.candidate, m.discarded = nil, append(m.discarded, c.store)
		return err
	}
	if len(u.Accepted) > 0 {
		c.fresh = append(c.fresh, u.Accepted...)
		c.until = now.Add(candidateFor)
	}
	return err
}

// isElsewhere reports whether a verdict says that a share is not of our chain, as
// far as we know.
func isElsewhere(err error) bool {
	return errors.Is(err, blockchain.ErrMissingParent) || errors.Is(err, blockchain.ErrOtherChain)
}

// openCandidate begins a candidate. One that there is already has been overtaken:
// its peer is not asked any more when another offers its root.
func (m *Manager) openCandidate(now time.Time) *candidate {
	if c := m.candidate; c != nil {
		if now.Before(c.until.Add(candidatePatience - candidateFor)) {
			return nil
		}
		m.candidate, m.discarded = nil, append(m.discarded, c.store)
		m.discard()
	}
	store, err := m.cfg.Stores.Candidate()
	if err != nil {
		m.cfg.Log.Errorf("Another chain was offered, but cannot be stored: %v", err)
		return nil
	}
	m.cfg.Log.Debugf("A peer offers another chain than ours; it is fetched for comparison")
	m.candidate = &candidate{chain: m.chain.Beside(), store: store, until: now.Add(candidateFor)}
	return m.candidate
}

// discard deletes the stores of candidates that were given up.
func (m *Manager) discard() {
	for _, store := range m.discarded {
		if err := m.cfg.Stores.Discard(store); err != nil {
			m.cfg.Log.Errorf("Deleting a chain that was not taken: %v", err)
		}
	}
	m.discarded = nil
}

// settleCandidate stores what the candidate has accepted, and lets it take our
// chain's place if it should. It is called with acceptMu, which nothing of this
// changes without.
func (m *Manager) settleCandidate(now time.Time) (adopted bool, err error) {
	m.discard()
	c := m.candidate
	if c == nil {
		return false, nil
	}
	if now.After(c.until) {
		m.mu.Lock()
		m.candidate = nil
		m.mu.Unlock()
		return false, m.cfg.Stores.Discard(c.store)
	}
	if len(c.fresh) == 0 {
		return false, nil
	}
	m.graft(c, now)
	if err := c.store.Append(c.fresh, c.chain.Tip().ID, c.chain.Base()); err != nil {
		return false, err
	}
	c.fresh = c.fresh[:0]
	if !m.chain.YieldsTo(c.chain, now) {
		return false, nil
	}
	ours, theirs := m.chain.Tip(), c.chain.Tip()
	m.cfg.Log.Warnf("Changing to another chain: its tip is %v at height %d, ours was %v at height %d",
		theirs.ID, theirs.Height, ours.ID, ours.Height)
	store, err := m.cfg.Stores.Adopt(m.store, c.store)
	if err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.chain, m.store, m.candidate = c.chain, store, nil
	return true, nil
}

// graft gives the candidate what our own chain has, once it has reached our root
// from below: what is here is not fetched again.
func (m *Manager) graft(c *candidate, now time.Time) {
	below, ok := m.chain.BelowRoot()
	if !ok || c.grafted || !c.chain.Have(below) {
		return
	}
	c.grafted = true
	err := m.store.Load(func(s *share.Share, _ bool) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		u, err := c.chain.Accept(s, now)
		c.fresh = append(c.fresh, u.Accepted...)
		if _, invalid := errors.AsType[blockchain.RuleError](err); invalid {
			return err
		}
		return nil
	})
	if err != nil {
		m.cfg.Log.Warnf("Our own chain does not stand on what lies below it: %v", err)
	}
}

// Close closes the store and gives up a candidate. It comes after Run has returned.
func (m *Manager) Close() error {
	m.acceptMu.Lock()
	defer m.acceptMu.Unlock()
	m.broken.Store(true) // nothing is accepted any more
	if c := m.candidate; c != nil {
		m.candidate, m.discarded = nil, append(m.discarded, c.store)
	}
	m.discard()
	return m.store.Close()
}
