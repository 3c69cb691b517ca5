// Package fakechain is a sharechain for the tests of the peer network: real
// encodings, hash links, most work first, orphans, pruning and roots; but no proof
// of work, no payouts and no Bitcoin. It satisfies p2p.Chain. All methods are safe
// for concurrent use.
package fakechain

import (
	"slices"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

const (
	// MaxOrphans is the number of orphans held.
	MaxOrphans = 100
	// uncleDepth is how far above a root shares may lack uncles.
	uncleDepth = 3
)

type node struct {
	id     chainhash.Hash
	share  *share.Share
	raw    []byte
	root   uint32 // height of the lowest share of its chain that was ever here
	work   uint64 // one for each share and uncle from there on: what decides
	stated uint64 // the same with what the root states of the shares below it
}

type orphan struct {
	id    chainhash.Hash
	share *share.Share
}

// Chain is a fake sharechain. The zero value is an empty one.
type Chain struct {
	// OnConnect, if set before use, is called without locks for every orphan that
	// became valid.
	OnConnect func(id chainhash.Hash)
	// OnAccept, if set before use, is called without locks for every share before
	// any of its list is judged.
	OnAccept func(s *share.Share)

	mu      sync.Mutex
	nodes   map[chainhash.Hash]*node
	main    []*node // by ascending height, without gaps
	orphans []orphan
	accepts int
	longest int // list of AcceptAll
}

// Extend accepts n new shares on top of the tip and returns their ids.
func (c *Chain) Extend(n int, salt uint32) []chainhash.Hash {
	ids := make([]chainhash.Hash, 0, n)
	for range n {
		s := c.Next(salt)
		if err := c.Accept(s); err != nil {
			panic(err)
		}
		ids = append(ids, s.ID())
	}
	return ids
}

// Next makes a share on top of the tip without accepting it.
func (c *Chain) Next(salt uint32, uncles ...chainhash.Hash) *share.Share {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.main) == 0 {
		return New(chainhash.Hash{}, 0, salt)
	}
	tip := c.main[len(c.main)-1]
	return NewStating(tip.stated, tip.id, tip.share.Data.Height+1, salt, uncles...)
}

// Accepts returns the number of shares given to Accept and AcceptAll.
func (c *Chain) Accepts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accepts
}

// Longest returns the greatest number of shares judged by one call.
func (c *Chain) Longest() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.longest
}

// Len returns the number of valid shares.
func (c *Chain) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.nodes)
}

// Accept judges one share, which cannot become a root.
func (c *Chain) Accept(s *share.Share) error {
	return c.AcceptAll([]*share.Share{s}, chainhash.Hash{})[0]
}

// AcceptAll implements p2p.Chain.
func (c *Chain) AcceptAll(list []*share.Share, root chainhash.Hash) []error {
	if c.OnAccept != nil {
		for _, s := range list {
			c.OnAccept(s)
		}
	}
	errs, connected := c.acceptAll(list, root)
	if c.OnConnect != nil {
		for _, id := range connected {
			c.OnConnect(id)
		}
	}
	return errs
}

func (c *Chain) acceptAll(list []*share.Share, root chainhash.Hash) (errs []error, connected []chainhash.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accepts += len(list)
	c.longest = max(c.longest, len(list))
	for _, s := range list {
		id := s.ID()
		err := c.accept(s, id, id == root)
		errs = append(errs, err)
		if err == nil && len(c.orphans) > 0 {
			connected = append(connected, c.connectOrphans()...)
		}
	}
	return errs, connected
}

func (c *Chain) accept(s *share.Share, id chainhash.Hash, root bool) error {
	if c.nodes[id] != nil {
		return blockchain.ContextError{Kind: blockchain.ErrDuplicate, Description: "duplicate"}
	}
	if missing := c.missing(s, root); len(missing) > 0 {
		c.orphans = slices.DeleteFunc(c.orphans, func(o orphan) bool { return o.id == id })
		if len(c.orphans) >= MaxOrphans {
			c.orphans = c.orphans[1:]
		}
		c.orphans = append(c.orphans, orphan{id, s})
		return &blockchain.UndecidedError{Kind: blockchain.ErrMissingParent, MissingShares: missing}
	}
	n := &node{id: id, share: s, raw: s.Encode(), root: s.Data.Height, work: uint64(1 + len(s.Data.Uncles))}
	if bind(n.raw) != s.Header.MerkleRoot {
		return share.RuleError{Kind: ErrForged, Description: "the share is forged"}
	}
	n.stated = n.work
	if parent := c.nodes[s.Data.Previous]; parent != nil {
		n.root, n.work, n.stated = parent.root, n.work+parent.work, n.work+parent.stated
	} else if root {
		n.stated = s.Data.Work.Uint64()
	}
	if c.nodes == nil {
		c.nodes = make(map[chainhash.Hash]*node)
	}
	c.nodes[id] = n
	if len(c.main) == 0 || n.work > c.main[len(c.main)-1].work {
		c.setTip(n)
	}
	return nil
}

// missing returns what a share must wait for.
func (c *Chain) missing(s *share.Share, root bool) (ids []chainhash.Hash) {
	if s.Data.IsFirst() {
		return nil
	}
	bare := root // it and those right above it may lack uncles
	if parent := c.nodes[s.Data.Previous]; parent != nil {
		bare = parent.root > 0 && s.Data.Height < parent.root+uncleDepth
	} else if !root {
		ids = append(ids, s.Data.Previous)
	}
	for _, u := range s.Data.Uncles {
		if c.nodes[u] == nil && !bare {
			ids = append(ids, u)
		}
	}
	return ids
}

// setTip makes the branch of n the main chain.
func (c *Chain) setTip(n *node) {
	var branch []*node
	for ; n != nil && c.at(n.share.Data.Height) != n; n = c.nodes[n.share.Data.Previous] {
		branch = append(branch, n)
	}
	slices.Reverse(branch)
	keep := 0 // of the main chain, unless the branch has nothing to do with it
	if n != nil {
		keep = int(n.share.Data.Height-c.main[0].share.Data.Height) + 1
	}
	c.main = append(c.main[:keep], branch...)
}

// at returns the main chain's node of that height, nil if there is none.
func (c *Chain) at(height uint32) *node {
	if len(c.main) == 0 {
		return nil
	}
	i := int64(height) - int64(c.main[0].share.Data.Height)
	if i < 0 || i >= int64(len(c.main)) {
		return nil
	}
	return c.main[i]
}

func (c *Chain) connectOrphans() []chainhash.Hash {
	var connected []chainhash.Hash
	for again := true; again; {
		again = false
		waiting := c.orphans
		c.orphans = nil
		for _, o := range waiting {
			if c.accept(o.share, o.id, false) == nil {
				connected = append(connected, o.id)
				again = true
			}
		}
	}
	return connected
}

// Prune forgets all shares below the height base, which must not be above the
// tip.
func (c *Chain) Prune(base uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, n := range c.nodes {
		if n.share.Data.Height < base {
			delete(c.nodes, id)
		}
	}
	for c.main[0].share.Data.Height < base {
		c.main = c.main[1:]
	}
}
