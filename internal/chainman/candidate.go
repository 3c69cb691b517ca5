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
	below chainhash.Hash // what its root stands on
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
)

// accept judges one share. It takes the lock anew for each, so that readers do not
// wait for a whole batch.
func (m *Manager) accept(s *share.Share, root chainhash.Hash, now time.Time) (blockchain.Update, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.candidate; c != nil && c.chain.Have(s.Data.Previous) && !m.chain.Have(s.Data.Previous) {
		return blockchain.Update{}, m.offer(c, s, now)
	}
	isRoot := root != (chainhash.Hash{}) && s.ID() == root
	accept := m.chain.Accept
	if isRoot {
		accept = m.chain.AcceptRoot
	}
	u, err := accept(s, now)
	if c := m.candidate; c != nil && err == nil && s.ID() == c.below {
		m.merge(c, now, &u)
	}
	if c := m.candidate; c != nil && c.chain.Have(s.Data.Previous) {
		_ = m.offer(c, s, now) // both may have it; the verdict is our chain's
	} else if isRoot && isElsewhere(err) && m.cfg.Stores != nil && m.chain.WorthComparing(s, now) {
		err = m.openCandidate(s, now)
	}
	return u, err
}

// merge ends the candidate when our own chain has come to what its root stands on:
// they are one chain, and ours takes what the candidate has.
func (m *Manager) merge(c *candidate, now time.Time, u *blockchain.Update) {
	take := func(s *share.Share, _ bool) error {
		more, _ := m.chain.Accept(s, now)
		u.Add(more)
		return nil
	}
	if err := c.store.Load(take); err != nil {
		m.cfg.Log.Debugf("Reading a part of our chain that was fetched beside: %v", err)
	}
	for _, a := range c.fresh {
		_ = take(a.Share, false)
	}
	m.giveUp()
}

// giveUp ends the candidate; its store is deleted later.
func (m *Manager) giveUp() {
	m.candidate, m.discarded = nil, append(m.discarded, m.candidate.store)
}

// offer gives a share to the candidate.
func (m *Manager) offer(c *candidate, s *share.Share, now time.Time) error {
	if !m.chain.WorthComparing(s, now) {
		m.cfg.Log.Debugf("The other chain that was offered has far easier shares than ours")
		m.giveUp()
		return blockchain.ContextError{Kind: blockchain.ErrLowWork, Description: "the share is of a chain that is far easier than ours"}
	}
	u, err := c.chain.Accept(s, now)
	if _, invalid := errors.AsType[blockchain.RuleError](err); invalid {
		m.cfg.Log.Debugf("The other chain that was offered is invalid: %v", err)
		m.giveUp()
		return err
	}
	if c.chain.Len() > maxCandidate*int(m.cfg.Params.RetentionShares) {
		m.cfg.Log.Debugf("The other chain that was offered has too many branches")
		m.giveUp()
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

// openCandidate begins a candidate with an accepted root, in the place of another if
// there is one: there is one session at a time, and that other's has ended. It
// returns the verdict on the root.
func (m *Manager) openCandidate(root *share.Share, now time.Time) error {
	c := &candidate{chain: m.chain.Beside(), below: root.Data.Previous, until: now.Add(candidateFor)}
	u, err := c.chain.AcceptRoot(root, now)
	if err != nil {
		return err
	}
	if m.candidate != nil {
		m.giveUp()
	}
	m.discard() // before another takes the place on disk
	if c.store, err = m.cfg.Stores.Candidate(); err != nil {
		m.cfg.Log.Errorf("Another chain was offered, but cannot be stored: %v", err)
		return err
	}
	m.cfg.Log.Debugf("A peer offers another chain than ours; it is fetched for comparison")
	c.fresh = u.Accepted
	m.candidate = c
	return nil
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
		m.giveUp()
		m.mu.Unlock()
		m.discard()
		return false, nil
	}
	if len(c.fresh) == 0 {
		return false, nil
	}
	m.graft(c, now)
	m.mu.Lock()
	ours, theirs, base := m.chain.Tip(), c.chain.Tip(), c.chain.Base()
	m.mu.Unlock()
	if err := c.store.Append(c.fresh, theirs.ID, base); err != nil {
		m.cfg.Log.Errorf("Another chain was offered, but cannot be stored: %v", err)
		m.mu.Lock()
		m.giveUp()
		m.mu.Unlock()
		return false, nil
	}
	c.fresh = c.fresh[:0]
	if !m.chain.YieldsTo(c.chain, now) {
		return false, nil
	}
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
	m.mu.Lock()
	if m.candidate != nil {
		m.giveUp()
	}
	m.mu.Unlock()
	m.discard()
	return m.store.Close()
}
