package compact

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// Block is a Bitcoin block that can be put together.
type Block struct {
	Share    *share.Share // with the header
	Coinbase []byte       // without witness
	Txs      []*Tx        // the others, in order
}

// blockState is a block that is known.
type blockState struct {
	id    chainhash.Hash
	block Block // without its transactions
	built bool  // it was returned, or found here

	open *txList   // its transactions while it is open; see Found
	told *tellings // who was told of it since then
}

// Block takes a peer's message of a block whose header meets Bitcoin's target; the
// caller has checked that. An error is a share.RuleError.
func (r *Relay) Block(now time.Time, from PeerID, s *share.Share, m *message.Block) (Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, id := r.peers[from], s.ID()
	if p == nil {
		return Result{}, nil
	}
	p.blocks.add(id)
	p.told.add(id)
	st := r.block(id)
	if st == nil && r.past.has(id) {
		return Result{}, nil
	}
	if st == nil {
		if err := checkCoinbase(s, m.Coinbase); err != nil {
			return Result{}, err
		}
		r.stats.Blocks++
		st = &blockState{id: id, block: Block{Share: s, Coinbase: slices.Clone(m.Coinbase)}}
		r.addBlock(st)
	}
	if r.list(id) != nil {
		return Result{Block: r.built(id)}, nil
	}
	if r.attemptOf(id, from) != nil {
		return Result{}, nil
	}
	return r.try(now, p, from, id, s, &m.List, false)
}

// checkCoinbase compares a coinbase with the share's header.
func checkCoinbase(s *share.Share, coinbase []byte) error {
	if share.MerkleRoot(chainhash.DoubleHashH(coinbase), s.Branch) != s.Header.MerkleRoot {
		return ruleError(ErrTxList, "the coinbase of block %v is not its own", s.ID())
	}
	return nil
}

// built returns a block that has become complete, once.
func (r *Relay) built(id chainhash.Hash) *Block {
	st, l := r.block(id), r.list(id)
	if st == nil || st.built || l == nil {
		return nil
	}
	st.built = true
	r.stats.BlocksBuilt++
	b := st.block
	b.Txs = l.txs
	return &b
}

// AnnounceBlock returns what tells those of the peers that don't know it of a block
// that was found here or rebuilt.
func (r *Relay) AnnounceBlock(id chainhash.Hash, to []PeerID) (out []Send) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st, l := r.block(id), r.list(id)
	if st == nil || l == nil {
		return nil
	}
	e := r.newEncoder(l)
	raw := st.block.Share.Encode()
	for _, to := range to {
		p := r.peers[to]
		if p == nil || p.blocks.has(id) {
			continue
		}
		if st.told != nil && !st.told.tell(p.who) {
			continue
		}
		list := e.forPeer(p)
		p.blocks.add(id)
		p.told.add(id)
		out = append(out, Send{to, &message.Block{Share: raw, Coinbase: st.block.Coinbase, List: list}})
	}
	return out
}

func (r *Relay) block(id chainhash.Hash) *blockState {
	for _, st := range r.blocks {
		if st.id == id {
			return st
		}
	}
	return nil
}

func (r *Relay) addBlock(st *blockState) {
	if len(r.blocks) >= maxBlocks {
		i := max(0, slices.IndexFunc(r.blocks, func(st *blockState) bool { return st.open == nil }))
		if old := r.blocks[i]; old.built { // one that never was may come back
			r.past.addOf(old.id, maxPastBlocks)
		}
		r.blocks = slices.Delete(r.blocks, i, i+1)
	}
	r.blocks = append(r.blocks, st)
}
