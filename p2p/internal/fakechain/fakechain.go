// Package fakechain is a sharechain for the tests of the peer network: real
// encodings, hash links, most work first, orphans; but no proof of work, no
// payouts and no Bitcoin. It satisfies netsync.Chain. All methods are safe for
// concurrent use.
package fakechain

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

// MaxOrphans is the number of orphans held.
const MaxOrphans = 100

// ErrForged is the kind of the rule that shares made by Forge break.
const ErrForged share.ErrorKind = "ErrForged"

type node struct {
	share *share.Share
	raw   []byte
	work  uint64 // of the chain up to here: one for each share and uncle
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
	// OnAccept, if set before use, is called without locks at the start of every
	// Accept.
	OnAccept func(s *share.Share)

	mu      sync.Mutex
	nodes   map[chainhash.Hash]*node
	main    []chainhash.Hash
	orphans []orphan
	accepts int
}

// New makes a share on top of parent, the zero hash for a first share. Shares of
// different salt differ.
func New(parent chainhash.Hash, height uint32, salt uint32, uncles ...chainhash.Hash) *share.Share {
	slices.SortFunc(uncles, func(a, b chainhash.Hash) int { return slices.Compare(a[:], b[:]) })
	s := &share.Share{
		Header: wire.BlockHeader{Version: 4, Timestamp: time.Unix(1_700_000_000, 0), Bits: 0x207fffff},
		Data: share.Data{
			Version: share.Version, Previous: parent, Uncles: uncles, Height: height,
			Time: 1_700_000_000 + 10*height, Bits: 0x207fffff,
			Payee: append([]byte{0x00, 0x14}, make([]byte, 20)...),
		},
	}
	binary.LittleEndian.PutUint32(s.Extranonce[:], salt)
	s.Header.MerkleRoot = bind(s)
	return s
}

// Forge returns an invalid share with the same header, and so the same id, as s.
func Forge(s *share.Share) *share.Share {
	f := *s
	f.Extranonce[11] ^= 0xff
	return &f
}

// bind stands in for the coinbase: it ties the share's data to its header.
func bind(s *share.Share) chainhash.Hash {
	c := *s
	c.Header = wire.BlockHeader{Timestamp: time.Unix(0, 0)}
	return chainhash.DoubleHashH(c.Encode())
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
	id, height, work := c.Tip()
	if work.IsZero() {
		return New(chainhash.Hash{}, 0, salt)
	}
	return New(id, height+1, salt, uncles...)
}

// Accepts returns the number of calls of Accept.
func (c *Chain) Accepts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accepts
}

// Len returns the number of valid shares.
func (c *Chain) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.nodes)
}

// Accept implements netsync.Chain.
func (c *Chain) Accept(s *share.Share) error {
	if c.OnAccept != nil {
		c.OnAccept(s)
	}
	c.mu.Lock()
	c.accepts++
	err := c.accept(s, s.ID())
	var connected []chainhash.Hash
	if err == nil {
		connected = c.connectOrphans()
	}
	c.mu.Unlock()
	if c.OnConnect != nil {
		for _, id := range connected {
			c.OnConnect(id)
		}
	}
	return err
}

func (c *Chain) accept(s *share.Share, id chainhash.Hash) error {
	if c.nodes[id] != nil {
		return blockchain.ContextError{Kind: blockchain.ErrDuplicate, Description: "duplicate"}
	}
	work := uint64(1 + len(s.Data.Uncles))
	var missing []chainhash.Hash
	if !s.Data.IsFirst() {
		for _, dep := range append([]chainhash.Hash{s.Data.Previous}, s.Data.Uncles...) {
			if c.nodes[dep] == nil {
				missing = append(missing, dep)
			}
		}
	}
	if len(missing) > 0 {
		c.orphans = slices.DeleteFunc(c.orphans, func(o orphan) bool { return o.id == id })
		if len(c.orphans) >= MaxOrphans {
			c.orphans = c.orphans[1:]
		}
		c.orphans = append(c.orphans, orphan{id, s})
		return &blockchain.UndecidedError{Kind: blockchain.ErrMissingParent, MissingShares: missing}
	}
	if bind(s) != s.Header.MerkleRoot {
		return share.RuleError{Kind: ErrForged, Description: "the share is forged"}
	}
	if parent := c.nodes[s.Data.Previous]; parent != nil {
		work += parent.work
	}
	if c.nodes == nil {
		c.nodes = make(map[chainhash.Hash]*node)
	}
	c.nodes[id] = &node{share: s, raw: s.Encode(), work: work}
	if len(c.main) == 0 || work > c.nodes[c.main[len(c.main)-1]].work {
		c.setTip(id)
	}
	return nil
}

// setTip makes the branch of id the main chain.
func (c *Chain) setTip(id chainhash.Hash) {
	var branch []chainhash.Hash
	for n := c.nodes[id]; n != nil; n = c.nodes[n.share.Data.Previous] {
		h := int(n.share.Data.Height)
		if h < len(c.main) && c.main[h] == n.share.ID() {
			break
		}
		branch = append(branch, n.share.ID())
	}
	slices.Reverse(branch)
	c.main = append(c.main[:c.nodes[branch[0]].share.Data.Height], branch...)
}

func (c *Chain) connectOrphans() []chainhash.Hash {
	var connected []chainhash.Hash
	for again := true; again; {
		again = false
		waiting := c.orphans
		c.orphans = nil
		for _, o := range waiting {
			if c.accept(o.share, o.id) == nil {
				connected = append(connected, o.id)
				again = true
			}
		}
	}
	return connected
}

// Tip implements netsync.Chain.
func (c *Chain) Tip() (id chainhash.Hash, height uint32, work uint256.Uint256) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.main) == 0 {
		return id, 0, work
	}
	id = c.main[len(c.main)-1]
	work.SetUint64(c.nodes[id].work)
	return id, uint32(len(c.main) - 1), work
}

// Have implements netsync.Chain.
func (c *Chain) Have(id chainhash.Hash) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[id] != nil
}

// Locator implements netsync.Chain.
func (c *Chain) Locator() []chainhash.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []chainhash.Hash
	for h, step := len(c.main)-1, 1; h > 0; h -= step {
		ids = append(ids, c.main[h])
		if len(ids) > 10 {
			step *= 2
		}
	}
	if len(c.main) > 0 {
		ids = append(ids, c.main[0])
	}
	return ids
}

// AfterLocator implements netsync.Chain.
func (c *Chain) AfterLocator(locator []chainhash.Hash, stop chainhash.Hash, limit int) []chainhash.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := 0
	for _, id := range locator {
		if n := c.nodes[id]; n != nil {
			if h := int(n.share.Data.Height); h < len(c.main) && c.main[h] == id {
				from = h + 1
				break
			}
		}
	}
	var ids []chainhash.Hash
	for _, id := range c.main[from:] {
		uncles := c.nodes[id].share.Data.Uncles
		if len(ids)+len(uncles)+1 > limit {
			break
		}
		ids = append(append(ids, uncles...), id)
		if id == stop {
			break
		}
	}
	return ids
}

// Share implements netsync.Chain.
func (c *Chain) Share(id chainhash.Hash) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.nodes[id]; n != nil {
		return n.raw, nil
	}
	return nil, errors.New("no such share")
}

// Ancestors implements netsync.Chain.
func (c *Chain) Ancestors(id chainhash.Hash, generations int, stops []chainhash.Hash) []chainhash.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []chainhash.Hash
	n := c.nodes[id]
	for range generations {
		if n == nil {
			break
		}
		ids = append(ids, n.share.Data.Uncles...)
		id = n.share.Data.Previous
		if n = c.nodes[id]; n == nil || slices.Contains(stops, id) {
			break
		}
		ids = append(ids, id)
	}
	return ids
}
