package compact

import (
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Found tells of a block that was found here and is submitted already, perhaps by an
// earlier run of this node, and its transactions. It is open from now on: its transactions
// are kept, and AnnounceBlock can be called for peers that connect later, until Settled is
// called for it, or until there are more than MaxOpen, when the oldest is settled.
func (r *Relay) Found(b *Block) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := b.Share.ID()
	l := r.addList(id, b.Share.Data.Height, b.Txs)
	st := r.block(id)
	if st == nil {
		st = &blockState{id: id, block: Block{Share: b.Share, Coinbase: b.Coinbase}}
		r.addBlock(st)
	}
	st.built = true
	if st.open != nil {
		return
	}
	if open := r.open(); len(open) >= MaxOpen {
		open[0].open, open[0].told = nil, nil
	}
	st.open, st.told = l, new(tellings)
}

// Settled ends the telling of a block.
func (r *Relay) Settled(id chainhash.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if st := r.block(id); st != nil {
		st.open, st.told = nil, nil
	}
}

// Open returns the blocks that are open, the oldest first.
func (r *Relay) Open() (ids []chainhash.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, st := range r.open() {
		ids = append(ids, st.id)
	}
	return ids
}

func (r *Relay) open() (list []*blockState) {
	for _, st := range r.blocks {
		if st.open != nil {
			list = append(list, st)
		}
	}
	return list
}

// Origin says where a connection comes from, as far as that is sure, for the limits on how
// often it is told of open blocks. It has to be what nobody else can claim: with a name that
// anybody can show, one could have the tellings of another used up.
type Origin struct {
	// Node is the same for all connections of one node as long as it runs; empty: it can't
	// be told.
	Node string
	// Host is the same for all nodes that one who has a few addresses can pretend to run.
	Host string
	// Crowd says that Host stands for many, as that of all who come in through a hidden
	// service.
	Crowd bool
}

// tellings is where those were who were told of an open block, the latest last; one is in it
// for each time.
type tellings []Origin

// tell notes that somebody is told, and reports whether he may be.
func (t *tellings) tell(who Origin) bool {
	node, host, most := 0, 0, maxHostTellings
	if who.Crowd {
		most = maxCrowdTellings
	}
	for _, other := range *t {
		if who.Node != "" && other.Node == who.Node {
			node++
		}
		if other.Host == who.Host {
			host++
		}
	}
	if node >= maxTellings || host >= most {
		return false
	}
	if len(*t) >= maxTold {
		*t = slices.Delete(*t, 0, 1)
	}
	*t = append(*t, who)
	return true
}

// Check returns an error if the coinbase or the other transactions aren't those that the
// share commits to: peers would blame us for such a block. It is for what has been on a
// disk.
func (b *Block) Check() error {
	if err := checkCoinbase(b.Share, b.Coinbase); err != nil {
		return err
	}
	if !committed(b.Share, b.Txs) {
		return ruleError(ErrTxList, "block %v has other transactions than its share", b.Share.ID())
	}
	return nil
}
