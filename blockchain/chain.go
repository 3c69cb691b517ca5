package blockchain

import (
	"errors"
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
	byHeight map[uint32]twins
	tip      *node   // nil while the chain is empty
	main     []*node // the main chain as far as it is kept, lowest first
	base     uint32  // what is lower was pruned, on all branches
	lowest   uint32  // no node of the index is lower
	// trusting says that shares whose payout window reaches below the root are taken
	// on trust.
	trusting bool

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
		byHeight: make(map[uint32]twins),
		window:   window{Window: payout.NewWindow(params)},
	}
}

// Accepted is one share that joined the index.
type Accepted struct {
	Share *share.Share
	ID    chainhash.Hash
	Block bool // the share is a Bitcoin block
	Root  bool // it was accepted without its parent
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

// Add adds the changes of a later call.
func (u *Update) Add(later Update) {
	u.Accepted = append(u.Accepted, later.Accepted...)
	u.Refused = append(u.Refused, later.Refused...)
	u.MissingBlocks = append(u.MissingBlocks, later.MissingBlocks...)
	u.TipChanged = u.TipChanged || later.TipChanged
	u.Disconnected += later.Disconnected
	u.Connected += later.Connected
	u.DeepReorg = u.DeepReorg || later.DeepReorg
}

// Accept judges a share and, if it is valid, adds it and whatever undecided
// shares waited for it. The error is the verdict on s itself (see the package's
// documentation); the Update counts even when it is not nil.
func (c *Chain) Accept(s *share.Share, now time.Time) (Update, error) {
	return c.accept(s, false, now)
}

// AcceptRoot is Accept for the lowest share that a peer has kept of its chain: an
// empty chain takes it without its parent, as the root of all that follows.
//
// A root, and what stands on it with a payout window that reaches below the root,
// is taken for its proof of work and its links: neither its payouts nor its tie to
// Bitcoin are checked, as what they follow from is gone. From the first share
// whose window is whole everything is checked, and soon nothing is taken on trust
// any more.
func (c *Chain) AcceptRoot(s *share.Share, now time.Time) (Update, error) {
	return c.accept(s, true, now)
}

func (c *Chain) accept(s *share.Share, root bool, now time.Time) (Update, error) {
	var u Update
	if err := c.try(s, root, now, now.Add(undecidedFor), &u); err != nil {
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

// try judges one share and adds it to the index, or to the undecided ones until
// some time.
func (c *Chain) try(s *share.Share, root bool, now, until time.Time, u *Update) error {
	n, err := c.validate(s, root, now)
	if waits, ok := errors.AsType[*UndecidedError](err); ok {
		if c.worthHolding(s, now) {
			c.undecided.add(s, s.ID(), waits, until)
		}
		return err
	}
	if err != nil {
		return err
	}
	c.insert(n)
	u.Accepted = append(u.Accepted, Accepted{Share: s, ID: n.id, Block: n.block, Root: n.parent == nil && !n.isFirst()})
	c.chooseTip(n, u)
	c.trust()
	return nil
}

// release retries undecided shares until none of them can be decided.
func (c *Chain) release(now time.Time, u *Update) {
	for {
		ready := c.undecided.take(now, func(h *held) bool { return c.ready(h, now) })
		if len(ready) == 0 {
			return
		}
		for _, h := range ready {
			err := c.try(h.share, false, now, h.until, u)
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
func (c *Chain) ready(h *held, now time.Time) bool {
	waits := h.waits
	if x := waits.MissingBlock; x != nil && c.bitcoin.blocks[*x] == nil && !c.passesOver(*x, h.share, now) {
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

// AddBitcoinHeader enters a header that our Bitcoin node has, in any order.
// Only the height of a header whose parent is unknown is taken on trust.
func (c *Chain) AddBitcoinHeader(header *wire.BlockHeader, height uint32) error {
	return c.bitcoin.add(header, height)
}

// BitcoinBlockInvalid notes that our Bitcoin node calls a block invalid. It should
// come before the block's header is added.
func (c *Chain) BitcoinBlockInvalid(hash chainhash.Hash) { note(c.bitcoin.invalid, hash) }

// BitcoinBlockAbsent notes that our Bitcoin node was asked for a block and does not
// have it. Old shares are accepted nevertheless, see staleBlockAge.
func (c *Chain) BitcoinBlockAbsent(hash chainhash.Hash) {
	if c.bitcoin.blocks[hash] == nil {
		note(c.bitcoin.absent, hash)
	}
}

// HasBitcoinBlock reports whether a header was added.
func (c *Chain) HasBitcoinBlock(hash chainhash.Hash) bool { return c.bitcoin.blocks[hash] != nil }
