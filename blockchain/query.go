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
		ID: n.id, Previous: n.previous, Height: n.height, Time: n.time, Bits: n.bits, Work: *n.work(), TotalWork: n.claim,
		Payee: n.payee(), CoinbaseValue: n.coinbaseValue, OnMainChain: c.onMain(n), Block: n.block,
	}
	i.IsUncle = !i.OnMainChain && c.isUncle(n)
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
	for h := n.height + 1; h < n.height+c.params.MaxUncleDepth; h++ {
		if nephew := c.mainAt(h); nephew != nil && slices.Contains(nephew.uncles, n) {
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
	for _, main := range slices.Backward(c.main) {
		for share := c.byHeight[main.height].first; share != nil; share = share.twin {
			if len(out) == n {
				return out
			}
			if share.block {
				out = append(out, c.info(share))
			}
		}
	}
	return out
}

// Have reports whether a share is accepted. One that is held as undecided does
// not count: it may be found invalid, and comes to nothing if what it waits for does.
func (c *Chain) Have(id chainhash.Hash) bool { return c.nodes[id] != nil }

// Len returns the number of accepted shares, branches included.
func (c *Chain) Len() int { return len(c.nodes) }

// Locator returns main-chain IDs from the tip down: ten in a row, then at
// doubling distances, the lowest that is kept last. It is empty on an empty chain,
// and while the chain is too short below for its payout window.
func (c *Chain) Locator() []chainhash.Hash {
	if c.trusting {
		return nil // so that peers offer what lies below
	}
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
// the first share of the locator found on the main chain, or the chain as far as
// it is kept if none is. The uncles that a share references come right before it,
// but for those whose own parent is gone. The list ends with stop if that is
// reached.
func (c *Chain) AfterLocator(locator []chainhash.Hash, stop chainhash.Hash, max int) []chainhash.Hash {
	from := c.joinFrom()
	below := uint32(0) // what the asker cannot place
	if from < len(c.main) {
		below = c.main[from].height
	}
	for _, id := range locator {
		if n := c.nodes[id]; n != nil && c.onMain(n) {
			from, below = int(n.height-c.main[0].height)+1, c.main[0].height
			break
		}
	}
	var ids []chainhash.Hash
	for _, n := range c.main[from:] {
		if len(ids)+len(n.uncles)+1 > max {
			break
		}
		for _, u := range n.uncles {
			if u.parent != nil && u.parent.height >= below {
				ids = append(ids, u.id)
			}
		}
		ids = append(ids, n.id)
		if n.id == stop {
			break
		}
	}
	return ids
}

// joinMargin is how far above the lowest kept share a chain is offered to those
// who know nothing of it: ten minutes of shares on mainnet, so that the first of
// them are not pruned before they are asked for.
const joinMargin = 60

// joinFrom returns where in the main chain a newcomer begins.
func (c *Chain) joinFrom() int {
	if len(c.main) == 0 || c.main[0].isFirst() {
		return 0
	}
	// Short chains, as in tests, must leave the newcomer a window.
	spare := len(c.main) - int(c.params.WindowShares)
	return max(0, min(joinMargin, spare/4))
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

// IDAt returns the main-chain share of a height, if it is kept.
func (c *Chain) IDAt(height uint32) (chainhash.Hash, bool) {
	n := c.mainAt(height)
	if n == nil {
		return chainhash.Hash{}, false
	}
	return n.id, true
}

// HeightOf returns the height of an accepted share.
func (c *Chain) HeightOf(id chainhash.Hash) (uint32, bool) {
	n := c.nodes[id]
	if n == nil {
		return 0, false
	}
	return n.height, true
}

// Stats counts what the chain holds.
type Stats struct {
	Main      int    // main-chain shares
	First     uint32 // height of the lowest of them
	Uncles    int    // shares beside it that it references
	Side      int    // shares beside it that it does not
	Undecided int    // shares that wait for something
}

// Stats returns the counts.
func (c *Chain) Stats() Stats {
	s := Stats{Main: len(c.main), Undecided: len(c.undecided.held)}
	if c.tip != nil {
		s.First = c.main[0].height
		s.Uncles = int(c.tip.count-c.main[0].count) - (len(c.main) - 1)
	}
	s.Side = max(0, len(c.nodes)-s.Main-s.Uncles) // a root's uncles are not here
	return s
}

// Window describes the payout window behind a share.
type Window struct {
	Shares, Uncles, Payees int
	First, Last            uint32 // heights
	Whole                  bool   // nothing of it lies below what is known of the chain
}

// Window returns the extent of the window behind a share for a header with the
// given Bitcoin bits; the zero Window for the zero ID or an unknown share.
func (c *Chain) Window(parent chainhash.Hash, headerBits uint32) Window {
	n := c.nodes[parent]
	if n == nil {
		return Window{}
	}
	moved := c.moveWindow(n, headerBits)
	if moved == nil {
		return Window{}
	}
	w := Window{
		Shares: moved.nodes.len(), Payees: moved.Len(), First: moved.nodes.front().height, Last: n.height,
		Whole: moved.whole(c.params.MaxUncleDepth),
	}
	for i := range w.Shares {
		w.Uncles += len(moved.nodes.at(i).paid.Uncles)
	}
	return w
}

// WindowEntries returns what the window behind a share is made of, oldest first; nil
// where Window is zero. The entries don't change any more, so that they can be read
// without the chain's lock, and must not be changed.
func (c *Chain) WindowEntries(parent chainhash.Hash, headerBits uint32) []*payout.Entry {
	n := c.nodes[parent]
	if n == nil {
		return nil
	}
	moved := c.moveWindow(n, headerBits)
	if moved == nil {
		return nil
	}
	entries := make([]*payout.Entry, moved.nodes.len())
	for i := range entries {
		entries[i] = moved.nodes.at(i).entry()
	}
	return entries
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
	work.Sub(&from.total) // of the same root
	return target.WorkFloat(&work) / float64(elapsed)
}
