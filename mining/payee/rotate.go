package payee

import (
	"bytes"
	"fmt"

	"github.com/p2poold/p2poold/blockchain/share"
)

// MinShares is how many main-chain shares a descriptor's address is in use for at least,
// as many as Bitcoin's difficulty period has blocks, 5.6 hours at a share every 10 s.
//
// Each address has its own score in the payout window: one that changes quickly splits a
// miner into many small ones, whose parts fall below the threshold and go by lot, and
// whose payments cost more to spend. The window reaches back to four blocks at most, so
// that with a change per block no more than some five addresses have a score. A pool that
// finds blocks faster than this changes more slowly.
const MinShares = 2016

// source is an own address, or a descriptor with the address that is in use.
type source struct {
	descriptor *Descriptor // nil: a plain address
	script     []byte      // of the address in use
	entry
}

// entry is what is kept of a descriptor.
type entry struct {
	ID    string `json:"id"`    // of the descriptor
	Index uint32 `json:"index"` // of the address in use; all below it were
	Since uint32 `json:"since"` // share height from which it is in use
	Paid  bool   `json:"paid"`  // a Bitcoin block has paid it
}

func newSource(own Source) (*source, error) {
	s := &source{descriptor: own.Descriptor, script: own.Script}
	if s.descriptor != nil {
		s.ID = s.descriptor.ID()
		return s, s.use(0)
	}
	return s, share.CheckPayee(s.script)
}

// ranged tells whether the source has further addresses.
func (s *source) ranged() bool { return s.descriptor != nil && s.descriptor.Ranged() }

// use makes the first address from an index on that there is the one in use.
func (s *source) use(index uint32) error {
	script, err := s.descriptor.Script(index)
	for range 3 { // each failure has a chance of 2^-127
		if err == nil || !s.ranged() || index == MaxIndex {
			break
		}
		index++
		script, err = s.descriptor.Script(index)
	}
	if err == nil {
		s.Index, s.script = index, script
	}
	return err
}

// BlockFound tells that a share of the main chain is a Bitcoin block; pays tells what
// scripts its coinbase pays.
//
// A descriptor's address has then served: the next one is used as soon as the present one
// has been for MinShares. As no address is left before a block has paid it, wallets that
// look for payments a limited number of unused addresses ahead, usually 20, find all of
// them.
func (p *Payees) BlockFound(pays func(script []byte) bool) {
	p.change(func(s *source) bool {
		paid := !s.Paid && pays(s.script)
		s.Paid = s.Paid || paid
		return paid
	})
}

// change has a function change the descriptors that have many addresses, and writes the
// file if it reports that it did. Turns don't wait for the disk.
func (p *Payees) change(f func(*source) bool) {
	p.fileMu.Lock()
	defer p.fileMu.Unlock()
	changed := false
	p.mu.Lock()
	for _, s := range p.sources {
		changed = s.ranged() && f(s) || changed
	}
	state := p.state()
	p.mu.Unlock()
	if changed {
		p.save(state)
	}
}

// Awaits tells whether a Bitcoin block could make a difference: BlockFound has nothing to
// do if not.
func (p *Payees) Awaits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sources {
		if s.ranged() && !s.Paid {
			return true
		}
	}
	return false
}

// Advance moves on from addresses that have served. height is that of the share tip.
func (p *Payees) Advance(height uint32) {
	p.change(func(s *source) bool {
		if s.Since > height { // another chain
			s.Since = height
			return true
		}
		if !s.Paid || height-s.Since < MinShares || s.Index == MaxIndex {
			return false
		}
		if err := s.use(s.Index + 1); err != nil {
			p.cfg.Log.Errorf("The payout address stays: %v", err)
			return false
		}
		s.Since, s.Paid = height, false
		p.cfg.Log.Infof("A Bitcoin block has paid the payout address; from now on number %d of the descriptor is used", s.Index)
		return true
	})
}

// same tells whether two sources have the same addresses.
func (s *source) same(other *source) bool {
	return s.ID == other.ID && bytes.Equal(s.script, other.script)
}

// String names a source in messages, without its key.
func (s *source) String() string {
	if s.descriptor == nil {
		return "address"
	}
	return fmt.Sprintf("descriptor %s", s.ID)
}
