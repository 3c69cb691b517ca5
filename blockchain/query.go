package blockchain

import (
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/target"
)

// Info describes an accepted share to displays and RPC.
type Info struct {
	ID            chainhash.Hash
	Previous      chainhash.Hash
	Uncles        []chainhash.Hash
	Height        uint32
	Time          uint32
	Bits          uint32
	Work          uint256.Uint256 // of this share alone
	TotalWork     uint256.Uint256
	Payee         []byte
	CoinbaseValue int64
	BitcoinHeight uint32 // of the block it would be; 0 if its block is unknown
	OnMainChain   bool
	IsUncle       bool // a main-chain share references it
	Block         bool // it is a Bitcoin block
}

func (c *Chain) info(n *node) Info {
	i := Info{
		ID: n.id, Height: n.height, Time: n.time, Bits: n.bits, Work: *n.work(), TotalWork: n.total,
		Payee: n.payee(), CoinbaseValue: n.coinbaseValue, OnMainChain: c.onMain(n), Block: n.block,
	}
	i.IsUncle = !i.OnMainChain && c.isUncle(n)
	if n.parent != nil {
		i.Previous = n.parent.id
	}
	for _, u := range n.uncles {
		i.Uncles = append(i.Uncles, u.id)
	}
	if x := c.bitcoin.blocks[n.prevBlock]; x != nil {
		i.BitcoinHeight = uint32(x.height + 1)
	}
	return i
}

// isUncle reports whether a main-chain share references n: one at most
// MaxUncleDepth above n's parent.
func (c *Chain) isUncle(n *node) bool {
	for h := n.height + 1; h < n.height+c.params.MaxUncleDepth && int64(h) < int64(len(c.main)); h++ {
		if slices.Contains(c.main[h].uncles, n) {
			return true
		}
	}
	return false
}

// Info returns the description of an accepted share.
func (c *Chain) Info(id chainhash.Hash) (Info, bool) {
	n := c.nodes[id]
	if n == nil {
		return Info{}, false
	}
	return c.info(n), true
}

// Latest describes up to n main-chain shares, newest first.
func (c *Chain) Latest(n int) []Info {
	var out []Info
	for i := len(c.main) - 1; i >= 0 && len(out) < n; i-- {
		out = append(out, c.info(c.main[i]))
	}
	return out
}

// Blocks describes up to n shares that are Bitcoin blocks, on the main chain or
// beside it, newest first.
func (c *Chain) Blocks(n int) []Info {
	var out []Info
	for h := len(c.main) - 1; h >= 0 && len(out) < n; h-- {
		for _, share := range c.byHeight[uint32(h)] {
			if share.block && len(out) < n {
				out = append(out, c.info(share))
			}
		}
	}
	return out
}

// Have reports whether a share is accepted. One that is held as undecided does
// not count: what is held may be a forgery under the ID of a share yet to come.
func (c *Chain) Have(id chainhash.Hash) bool { return c.nodes[id] != nil }

// Len returns the number of accepted shares, branches included.
func (c *Chain) Len() int { return len(c.nodes) }

// Locator returns main-chain IDs from the tip down: ten in a row, then at
// doubling distances, the first share last. It is empty on an empty chain.
func (c *Chain) Locator() []chainhash.Hash {
	var ids []chainhash.Hash
	step := 1
	for h := len(c.main) - 1; h >= 0; h -= step {
		ids = append(ids, c.main[h].id)
		if len(ids) > 10 {
			step *= 2
		}
		if h > 0 && h < step {
			step = h
		}
	}
	return ids
}

// AfterLocator returns up to max main-chain IDs in ascending order that follow
// the first share of the locator found on the main chain, or the whole chain if
// none is. The uncles that a share references come right before it. The list
// ends with stop if that is reached.
func (c *Chain) AfterLocator(locator []chainhash.Hash, stop chainhash.Hash, max int) []chainhash.Hash {
	from := 0
	for _, id := range locator {
		if n := c.nodes[id]; n != nil && c.onMain(n) {
			from = int(n.height) + 1
			break
		}
	}
	var ids []chainhash.Hash
	for _, n := range c.main[from:] {
		if len(ids)+len(n.uncles)+1 > max {
			break
		}
		for _, u := range n.uncles {
			ids = append(ids, u.id)
		}
		ids = append(ids, n.id)
		if n.id == stop {
			break
		}
	}
	return ids
}

// Ancestors returns the IDs of what a share stands on over that many
// generations: its uncles, its parent, the parent's uncles, the grandparent and
// so on. It ends before the first of stops and is empty for an unknown share.
func (c *Chain) Ancestors(id chainhash.Hash, generations int, stops []chainhash.Hash) []chainhash.Hash {
	n := c.nodes[id]
	if n == nil {
		return nil
	}
	var ids []chainhash.Hash
	for a := range n.ancestors() {
		if a != n {
			if generations <= 0 || slices.Contains(stops, a.id) {
				break
			}
			generations--
			ids = append(ids, a.id)
		}
		for _, u := range a.uncles {
			ids = append(ids, u.id)
		}
	}
	return ids
}

// IDAt returns the main-chain share of a height.
func (c *Chain) IDAt(height uint32) (chainhash.Hash, bool) {
	if int64(height) >= int64(len(c.main)) {
		return chainhash.Hash{}, false
	}
	return c.main[height].id, true
}

// Stats counts what the chain holds.
type Stats struct {
	Main      int // main-chain shares
	Uncles    int // shares beside it that it references
	Side      int // shares beside it that it does not
	Undecided int // shares that wait for something
}

// Stats returns the counts.
func (c *Chain) Stats() Stats {
	s := Stats{Main: len(c.main), Undecided: len(c.undecided.held)}
	if c.tip != nil {
		s.Uncles = int(c.tip.count) - len(c.main)
	}
	s.Side = len(c.nodes) - s.Main - s.Uncles
	return s
}

// Window describes the payout window behind a share.
type Window struct {
	Shares, Uncles, Payees int
	First, Last            uint32 // heights
}

// Window returns the extent of the window behind a share for a header with the
// given Bitcoin bits; the zero Window for the zero ID or an unknown share.
func (c *Chain) Window(parent chainhash.Hash, headerBits uint32) Window {
	n := c.nodes[parent]
	t, err := target.FromCompact(headerBits)
	if n == nil || err != nil {
		return Window{}
	}
	blockWork := target.Work(&t)
	limit := payout.LimitFor(c.params, &blockWork)
	w := Window{Last: n.height, Payees: c.windowBehind(n, headerBits).Len()}
	entries := func(yield func(payout.Entry) bool) {
		for a := range n.ancestors() {
			if !yield(*a.entry()) {
				return
			}
		}
	}
	for e := range limit.Entries(entries) {
		w.Shares++
		w.Uncles += len(e.Uncles)
		w.First = e.Height
	}
	return w
}

// Hashrate estimates the pool's hashrate in hashes per second from the work of
// the main chain's last shares.
func (c *Chain) Hashrate(shares int) float64 {
	if c.tip == nil || len(c.main) < 2 {
		return 0
	}
	from := c.main[max(0, len(c.main)-1-shares)]
	elapsed := int64(c.tip.time) - int64(from.time)
	if elapsed <= 0 {
		elapsed = 1
	}
	work := c.tip.total
	work.Sub(&from.total)
	return target.WorkFloat(&work) / float64(elapsed)
}
