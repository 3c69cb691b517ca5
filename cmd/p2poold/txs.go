package main

import (
	"sync"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/p2p/compact"
)

// blocks is the Bitcoin side of peers' shares as package p2p wants it.
type blocks struct{ *mining.Generator }

// CheckBlock implements p2p.Blocks.
func (b blocks) CheckBlock(s *share.Share) error { return b.Generator.CheckBlock(s) }

// SubmitBlock implements p2p.Blocks.
func (b blocks) SubmitBlock(block *compact.Block) {
	raw := make([][]byte, len(block.Txs))
	for i, tx := range block.Txs {
		raw[i] = tx.Raw
	}
	b.Generator.SubmitPeerBlock(block.Share, block.Coinbase, raw)
}

// txLists translates templates' transactions for package p2p. The last one is kept,
// as every share found with a template needs it. It is safe for concurrent use.
type txLists struct {
	mu   sync.Mutex
	last *mining.Template
	txs  []*compact.Tx
}

func (l *txLists) of(t *mining.Template) []*compact.Tx {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last != t {
		l.last, l.txs = t, make([]*compact.Tx, len(t.Txs))
		for i := range t.Txs {
			// Each by itself: one that stays for hours must not keep all of its template.
			l.txs[i] = &compact.Tx{Raw: t.Txs[i].Raw, TxID: t.Txs[i].TxID, WTxID: t.Txs[i].WTxID}
		}
	}
	return l.txs
}

// found tells the peers of what was found here: of a block at once, as they submit
// it too; of a share's transactions, which follow the share when the chain has it.
func (n *node) found(f *mining.Found) {
	txs := n.txs.of(f.Template)
	if f.Block {
		n.peers.FoundBlock(&compact.Block{Share: f.Share, Coinbase: f.Coinbase, Txs: txs})
		return
	}
	n.peers.Mined(f.Share, txs)
}
