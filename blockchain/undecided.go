package blockchain

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// Limits of the pool of undecided shares. At MaxEncodedSize of about 1 kB a
// share, 100 of them stay far below 8 MiB.
const (
	maxUndecided = 100
	// undecidedFor is how long a share waits: many times what a peer or the
	// Bitcoin node takes to deliver what is missing.
	undecidedFor = 10 * time.Minute
)

// held is a share that waits for something.
type held struct {
	share *share.Share
	id    chainhash.Hash
	waits *UndecidedError
	until time.Time
}

// undecidedPool holds shares that cannot be judged yet, in order of arrival.
type undecidedPool struct {
	held []held
}

// add holds a share, or only renews the reason it waits for. When the pool is
// full the share that has waited longest makes room.
func (p *undecidedPool) add(s *share.Share, id chainhash.Hash, waits *UndecidedError, until time.Time) {
	for i := range p.held {
		if p.held[i].id == id { // the same share: CheckSanity lets one body through
			p.held[i].waits = waits
			return
		}
	}
	if len(p.held) >= maxUndecided {
		p.held = slices.Delete(p.held, 0, 1)
	}
	p.held = append(p.held, held{share: s, id: id, waits: waits, until: until})
}

// take removes and returns the shares for which ready says so, and drops those
// that have waited too long.
func (p *undecidedPool) take(now time.Time, ready func(*held) bool) []held {
	var out []held
	p.held = slices.DeleteFunc(p.held, func(h held) bool {
		if ready(&h) {
			out = append(out, h)
			return true
		}
		return now.After(h.until)
	})
	return out
}

// missing returns those of ids that are not in the index.
func (c *Chain) missing(ids []chainhash.Hash) []chainhash.Hash {
	var out []chainhash.Hash
	for _, id := range ids {
		if c.nodes[id] == nil {
			out = append(out, id)
		}
	}
	return out
}

func missingBlock(hash chainhash.Hash) error {
	return &UndecidedError{
		Kind: ErrMissingBitcoinBlock, MissingBlock: &hash,
		Description: "the Bitcoin block " + hash.String() + " is unknown to our node",
	}
}
