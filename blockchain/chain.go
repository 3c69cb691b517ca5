package blockchain

import (
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// Chain is the index of accepted shares and the choice among them.
type Chain struct {
	params  *chainparams.Params
	asert   *target.Asert
	bitcoin *bitcoinIndex

	nodes    map[chainhash.Hash]*node
	byHeight map[uint32][]*node // in order of acceptance
	tip      *node              // nil while the chain is empty
	main     []*node            // the main chain by height, first share first

	undecided undecidedPool
	window    window

	// What one validation leaves for the next to use again.
	payouts  []share.Payout
	coinbase []byte
}

// New returns an empty chain.
func New(params *chainparams.Params) *Chain {
	return &Chain{
		params:   params,
		asert:    params.Asert(),
		bitcoin:  newBitcoinIndex(params.Bitcoin),
		nodes:    make(map[chainhash.Hash]*node),
		byHeight: make(map[uint32][]*node),
		window:   window{Window: payout.NewWindow(params)},
	}
}

// Accepted is one share that joined the index.
type Accepted struct {
	Share *share.Share
	ID    chainhash.Hash
	Block bool // the share is a Bitcoin block
}

// Refused is a held share that turned out to be invalid.
type Refused struct {
	ID  chainhash.Hash
	Err error
}

// Update is what a call changed. The zero value is no change.
type Update struct {
	Accepted []Accepted // in the order to be stored: parents and uncles first
	Refused  []Refused
	// MissingBlocks are Bitcoin blocks that held shares turned out to wait for
	// while others were released. What the share itself waits for is in the
	// error.
	MissingBlocks []chainhash.Hash

	TipChanged bool
	// Disconnected and Connected count the main-chain shares that a change of
	// tip left and joined; the former is the depth of the reorganisation.
	Disconnected, Connected int
	// DeepReorg says that a branch with more work was refused because it
	// branches off deeper than MaxReorgShares. It wants an operator's look.
	DeepReorg bool
}

// Accept judges a share and, if it is valid, adds it and whatever undecided
// shares waited for it. The error is the verdict on s itself (see the package's
// documentation); the Update counts even when it is not nil.
func (c *Chain) Accept(s *share.Share, now time.Time) (Update, error) {
	var u Update
	if err := c.try(s, now, &u); err != nil {
		return u, err
	}
	c.release(now, &u)
	return u, nil
}

// Retry judges the undecided shares whose time or Bitcoin block has come.
func (c *Chain) Retry(now time.Time) Update {
	var u Update
	c.release(now, &u)
	return u
}

// try judges one share and adds it to the index or to the undecided ones.
func (c *Chain) try(s *share.Share, now time.Time, u *Update) error {
	n, err := c.validate(s, now)
	if waits, ok := errors.AsType[*UndecidedError](err); ok {
		if c.worthHolding(s, now) {
			c.undecided.add(s, s.ID(), waits, now)
		}
		return err
	}
	if err != nil {
		return err
	}
	c.insert(n)
	u.Accepted = append(u.Accepted, Accepted{Share: s, ID: n.id, Block: n.block})
	c.chooseTip(n, u)
	return nil
}

// release retries undecided shares until none of them can be decided.
func (c *Chain) release(now time.Time, u *Update) {
	for {
		ready := c.undecided.take(now, func(h *held) bool { return c.ready(h.waits, now) })
		if len(ready) == 0 {
			return
		}
		for _, h := range ready {
			err := c.try(h.share, now, u)
			if _, invalid := errors.AsType[RuleError](err); invalid {
				u.Refused = append(u.Refused, Refused{ID: h.id, Err: err})
			}
			if waits, ok := errors.AsType[*UndecidedError](err); ok && waits.MissingBlock != nil {
				u.MissingBlocks = append(u.MissingBlocks, *waits.MissingBlock)
			}
		}
	}
}

// ready reports whether everything a share waited for is there.
func (c *Chain) ready(waits *UndecidedError, now time.Time) bool {
	if waits.MissingBlock != nil && c.bitcoin.blocks[*waits.MissingBlock] == nil {
		return false
	}
	return !now.Before(waits.RetryAt) && len(c.missing(waits.MissingShares)) == 0
}

// maxHeldAhead bounds how far above the tip a share may claim to stand to be
// held: as many shares as the pool of undecided ones has room for. What is
// further away is fetched in order.
const maxHeldAhead = maxUndecided

// worthHolding is the cheap defence of the undecided pool. With an unknown
// parent neither bits nor height can be checked, and any Bitcoin header of old
// is proof of work for any bits, so they must at least be plausible; and what
// its time keeps from being judged must not lie beyond the pool's patience.
func (c *Chain) worthHolding(s *share.Share, now time.Time) bool {
	if time.Unix(int64(s.Data.Time), 0).After(now.Add(undecidedFor)) {
		return false
	}
	if c.tip == nil {
		return true
	}
	if int64(s.Data.Height) > int64(c.tip.height)+maxHeldAhead {
		return false
	}
	t, err := target.FromCompact(s.Data.Bits)
	if err != nil {
		return false
	}
	work := target.Work(&t)
	work.MulUint64(maxEase)
	return work.GtEq(c.tip.work())
}

func (c *Chain) insert(n *node) {
	c.nodes[n.id] = n
	c.byHeight[n.height] = append(c.byHeight[n.height], n)
}

// chooseTip moves the tip to n if its chain has more work. On equal work the
// chain that was seen first stays.
func (c *Chain) chooseTip(n *node, u *Update) {
	if c.tip != nil && n.total.LtEq(&c.tip.total) {
		return
	}
	fork := c.forkHeight(n)
	depth := len(c.main) - fork
	if depth > int(c.params.MaxReorgShares) && !c.dwarfs(n) {
		u.DeepReorg = true
		return
	}
	c.main = c.main[:fork]
	joined := make([]*node, 0, int(n.height)+1-fork)
	for a := range n.ancestors() {
		if int(a.height) < fork {
			break
		}
		joined = append(joined, a)
	}
	for i := len(joined) - 1; i >= 0; i-- {
		c.main = append(c.main, joined[i])
	}
	c.tip = n
	u.TipChanged = true
	u.Disconnected += depth
	u.Connected += len(joined)
}

// deepReorgWork is how many times the work of the main chain a branch needs to
// win however deep it forks. A node that was shown a worthless chain first, which
// costs little, would otherwise never find the real one; and nobody can double
// all the work that a real chain has.
const deepReorgWork = 2

// dwarfs reports whether n's chain has far more work than the main chain.
func (c *Chain) dwarfs(n *node) bool {
	work := c.tip.total
	work.MulUint64(deepReorgWork)
	return n.total.GtEq(&work)
}

// forkHeight returns the height of the lowest share on n's chain that is not on
// the main chain.
func (c *Chain) forkHeight(n *node) int {
	for a := range n.ancestors() {
		if c.onMain(a) {
			return int(a.height) + 1
		}
	}
	return 0
}

func (c *Chain) onMain(n *node) bool {
	return int(n.height) < len(c.main) && c.main[n.height] == n
}

// first returns the first share of n's chain.
func (c *Chain) first(n *node) *node {
	if len(c.main) > 0 {
		for a := range n.ancestors() {
			if c.onMain(a) {
				return c.main[0]
			}
			if a.parent == nil {
				return a
			}
		}
	}
	return n.ancestor(0)
}

// Restore adds a stored share without judging it again: it was valid when it
// was stored. Linkage, proof of work and bits are checked nevertheless, so that
// a damaged store is noticed; the error is a ContextError of kind ErrCorrupt.
func (c *Chain) Restore(s *share.Share) error {
	n := newNode(s)
	t, err := s.CheckSanity()
	if err != nil {
		return ContextError{Kind: ErrCorrupt, Description: fmt.Sprintf("stored share %v is damaged", n.id), Err: err}
	}
	n.paid.Work = target.Work(&t)
	if err := c.link(n, s); err != nil {
		return ContextError{Kind: ErrCorrupt, Description: fmt.Sprintf("stored share %v does not connect", n.id), Err: err}
	}
	if err := c.checkPosition(n, s); err != nil {
		return ContextError{Kind: ErrCorrupt, Description: fmt.Sprintf("stored share %v does not fit its chain", n.id), Err: err}
	}
	n.block = c.isBlock(n, t)
	c.insert(n)
	c.chooseTip(n, &Update{})
	return nil
}

// AddBitcoinHeader enters a header that our Bitcoin node has, in any order.
// Only the height of a header whose parent is unknown is taken on trust.
func (c *Chain) AddBitcoinHeader(header *wire.BlockHeader, height uint32) error {
	return c.bitcoin.add(header, height)
}

// HasBitcoinBlock reports whether a header was added.
func (c *Chain) HasBitcoinBlock(hash chainhash.Hash) bool { return c.bitcoin.blocks[hash] != nil }
