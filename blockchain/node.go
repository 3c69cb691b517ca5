package blockchain

import (
	"iter"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/payout"
)

// node is an accepted share in the index: what later shares' validation and the
// payout window need of it. It does not change but for bitcoin, see bitcoinOf, and
// for what pruning cuts off.
type node struct {
	id       chainhash.Hash
	previous chainhash.Hash
	parent   *node   // previous; nil at the lower end of what is kept
	uncles   []*node // valid shares of side branches that this one credits, as far as they are kept
	twin     *node   // the next node of the same height, in order of acceptance

	height uint32
	time   uint32
	bits   uint32
	anchor uint32 // time of the chain's first share
	// count is the number of shares and referenced uncles since the chain's first
	// share, the difficulty rule's height; claim is their work, by what the root
	// says of what lies below it.
	count uint32
	claim uint256.Uint256
	total uint256.Uint256 // work that is known here: from the chain's root up, uncles included
	// partial says that uncles of a share near its root are not known, so that
	// paid lacks their credit.
	partial bool
	assumed bool // accepted without its payouts and Bitcoin block having been checked

	paid          payout.Entry // whom the share credits; refers to its uncles' payees
	coinbaseValue int64
	prevBlock     chainhash.Hash // Bitcoin block the header builds on
	bitcoin       *bitcoinBlock  // the same; nil while our Bitcoin node has not told of it
	headerBits    uint32
	headerTime    uint32
	block         bool // the share is a Bitcoin block
}

// ancestors yields n and everything below it, nearest first.
func (n *node) ancestors() iter.Seq[*node] {
	return func(yield func(*node) bool) {
		for ; n != nil; n = n.parent {
			if !yield(n) {
				return
			}
		}
	}
}

// medianTime returns the median time of n and the shares before it, of as many
// as the rule asks for or as the chain has. Of an even number it is the later of
// the middle two, as in Bitcoin. It is not known if some of them are not.
func (n *node) medianTime(shares int) (median uint32, known bool) {
	times := make([]uint32, 0, shares)
	for a := range n.ancestors() {
		times = append(times, a.time)
		if known = len(times) == shares || a.isFirst(); known {
			break
		}
	}
	slices.Sort(times)
	return times[len(times)/2], known
}

// isFirst reports whether n is the first share of its chain, and not a root that
// others lie below.
func (n *node) isFirst() bool { return n.height == 0 }

// entry returns n in the form that scores are made of. It must not be changed.
func (n *node) entry() *payout.Entry { return &n.paid }

// payee returns the output script of the share's miner.
func (n *node) payee() []byte { return n.paid.Payee }

// work returns the expected hashes of the share alone.
func (n *node) work() *uint256.Uint256 { return &n.paid.Work }
