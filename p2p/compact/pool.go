package compact

import (
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

// pool holds the transactions of the lists, each once.
type pool struct {
	txs   map[chainhash.Hash]*pooled // by id with witness
	bytes int                        // of their encodings
}

type pooled struct {
	tx   *Tx
	refs int // lists that hold it
}

func newPool() *pool { return &pool{txs: make(map[chainhash.Hash]*pooled)} }

// add takes a list in and returns it with the pool's own transactions in the place
// of equal ones.
func (p *pool) add(list []*Tx) []*Tx {
	own := make([]*Tx, len(list))
	for i, tx := range list {
		e := p.txs[tx.WTxID]
		if e == nil {
			e = &pooled{tx: tx}
			p.txs[tx.WTxID] = e
			p.bytes += len(tx.Raw)
		}
		e.refs++
		own[i] = e.tx
	}
	return own
}

// remove takes out a list that add returned.
func (p *pool) remove(list []*Tx) {
	for _, tx := range list {
		e := p.txs[tx.WTxID]
		if e.refs--; e.refs == 0 {
			delete(p.txs, tx.WTxID)
			p.bytes -= len(tx.Raw)
		}
	}
}

// finder returns a look-up by short id. What two transactions share counts as
// unknown, so that it is asked for. wanted bounds the table to the ids that are
// looked for.
func (p *pool) finder(key *idKey, wanted []message.Segment) func(message.ShortID) *Tx {
	table := make(map[message.ShortID]*Tx)
	for i := range wanted {
		for _, id := range wanted[i].Fresh {
			table[id] = nil
		}
	}
	if len(table) == 0 {
		return func(message.ShortID) *Tx { return nil }
	}
	var twice map[message.ShortID]bool
	for _, e := range p.txs {
		id := key.short(&e.tx.WTxID)
		old, ok := table[id]
		switch {
		case !ok:
		case old == nil:
			table[id] = e.tx
		default:
			if twice == nil {
				twice = make(map[message.ShortID]bool)
			}
			twice[id] = true
		}
	}
	return func(id message.ShortID) *Tx {
		if twice[id] {
			return nil
		}
		return table[id]
	}
}
