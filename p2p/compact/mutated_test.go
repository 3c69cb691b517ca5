package compact

import (
	"bytes"
	"slices"
	"testing"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// mutations are answers to a question for ten transactions, in messages of five: those
// asked for are txs. What is missing is either filled up from behind, or never comes.
var mutations = []struct {
	name   string
	answer func(txs []*Tx) []*Tx
	silent bool // the answer ends too early: nothing wrong has been said
}{
	{name: "another transaction", answer: func(txs []*Tx) []*Tx { return replaced(txs, 3, transactions(1)[0]) }},
	{name: "another output", answer: func(txs []*Tx) []*Tx { return replaced(txs, 3, altered(txs[3], 0x51, 0x52)) }},
	{name: "another witness", answer: func(txs []*Tx) []*Tx { return replaced(txs, witnessed(txs), altered(txs[witnessed(txs)], 0xaa, 0xab)) }},
	{name: "one missing", answer: func(txs []*Tx) []*Tx { return append(slices.Delete(slices.Clone(txs), 3, 4), transactions(1)...) }},
	{name: "one too many", answer: func(txs []*Tx) []*Tx { return slices.Insert(slices.Clone(txs), 3, transactions(1)...) }},
	{name: "one twice", answer: func(txs []*Tx) []*Tx { return replaced(txs, 3, txs[2]) }},
	{name: "one twice, and the last too many", answer: func(txs []*Tx) []*Tx { return slices.Insert(slices.Clone(txs), 3, txs[2]) }},
	{name: "another order", answer: func(txs []*Tx) []*Tx { return append(slices.Clone(txs[5:]), txs[:5]...) }},
	{name: "backwards", answer: func(txs []*Tx) []*Tx { back := slices.Clone(txs); slices.Reverse(back); return back }},
	{name: "the last missing", answer: func(txs []*Tx) []*Tx { return txs[:len(txs)-1] }, silent: true},
}

func replaced(txs []*Tx, i int, tx *Tx) []*Tx {
	txs = slices.Clone(txs)
	txs[i] = tx
	return txs
}

// witnessed returns the place of a transaction with a witness.
func witnessed(txs []*Tx) int {
	return slices.IndexFunc(txs, func(tx *Tx) bool { return tx.TxID != tx.WTxID })
}

// altered changes the last of these bytes.
func altered(tx *Tx, from, to byte) *Tx {
	raw := bytes.Clone(tx.Raw)
	raw[bytes.LastIndexByte(raw, from)] = to
	changed, err := ParseTx(raw)
	if err != nil {
		panic(err)
	}
	return changed
}

// mutate has node 0 tell node 1 of a block and answer its question with a mutation, and
// then node 2, which has found it, tell node 1 too. Node 3 hears of it from node 1 alone.
func mutate(t *testing.T, answer func([]*Tx) []*Tx, unruled func(*Relay)) (*net, *Block) {
	w := newNet(t, 4, func(a, b int) bool { return a == 1 || b == 1 })
	for _, r := range w.nodes {
		unruled(r)
	}
	block := w.block(transactions(10))
	id := block.Share.ID()
	w.nodes[2].Found(block)
	w.drop = func(_, to int, _ message.Message) bool { return to == 0 } // its messages are made here
	list := message.TxList{Segments: segments(block.Txs, nil, newIDKey(&id, 0))}
	w.send(0, []Send{{1, &message.Block{Share: block.Share.Encode(), Coinbase: block.Coinbase, List: list}}})
	first := 0
	for part := range slices.Chunk(answer(block.Txs), 5) {
		m := &message.ShareTxn{ID: id, First: first}
		for _, tx := range part {
			m.Raw = append(m.Raw, tx.Raw)
		}
		first += len(part)
		w.send(0, []Send{{1, m}})
	}
	w.run()
	w.send(2, w.nodes[2].AnnounceBlock(id, w.everybody()))
	w.run()
	return w, block
}

// forged counts the nodes that would submit a block whose transactions are not those
// that its header commits to.
func (w *net) forged() (n int) {
	for _, built := range w.blocks {
		for _, b := range built {
			if !committed(b.Share, b.Txs) {
				n++
			}
		}
	}
	return n
}

// TestMutatedAnswers: whoever answers the question for transactions with others is thrown
// out, and an honest peer's are taken in their place. Without the rules the block that
// comes of it is submitted, and passed on, instead of the real one, which is lost.
// Either rule alone saves the block; the one on each transaction also names the liar.
func TestMutatedAnswers(t *testing.T) {
	everything := func(*attempt, *Tx) bool { return true }
	anything := func(*share.Share, []*Tx) bool { return true }
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			w, block := mutate(t, m.answer, func(*Relay) {})
			if !m.silent && (len(w.errs) != 1 || !isKind(w.errs[0], ErrTxn)) || m.silent && len(w.errs) != 0 {
				t.Errorf("blamed: %v", w.errs)
			}
			w.errs = nil
			w.complete(block.Share.ID(), block.Txs, 1, 3)
			if w.forged() != 0 || len(w.blocks[1]) != 1 || len(w.blocks[3]) != 1 {
				t.Errorf("%d and %d blocks are submitted, %d forged", len(w.blocks[1]), len(w.blocks[3]), w.forged())
			}
			if m.silent {
				return // nothing for the rules to find
			}
			if w, _ := mutate(t, m.answer, func(r *Relay) { r.asked = everything }); w.forged() != 0 || len(w.blocks[1]) != 1 || w.nodes[1].stats.Mismatched == 0 {
				t.Errorf("by the commitment alone %d are submitted, %d forged", len(w.blocks[1]), w.forged())
			}
			if w, _ := mutate(t, m.answer, func(r *Relay) { r.committed = anything }); w.forged() != 0 || len(w.blocks[1]) != 1 {
				t.Errorf("by the short ids alone %d are submitted, %d forged", len(w.blocks[1]), w.forged())
			}
			w, _ = mutate(t, m.answer, func(r *Relay) { r.asked, r.committed = everything, anything })
			if w.forged() != 2 || len(w.blocks[1]) != 1 || len(w.blocks[3]) != 1 {
				t.Errorf("without the rules %d and %d blocks are submitted, %d forged: the attack is none", len(w.blocks[1]), len(w.blocks[3]), w.forged())
			}
		})
	}
}

// TestMutatedLists: a list with one entry missing, too many, twice, or in another order leads
// to a block only if nobody compares it with what the header commits to.
func TestMutatedLists(t *testing.T) {
	for _, m := range mutations[3:9] {
		t.Run(m.name, func(t *testing.T) {
			for _, ruled := range []bool{true, false} {
				w := newNet(t, 2, meshed)
				r := w.nodes[1]
				if !ruled {
					r.committed = func(*share.Share, []*Tx) bool { return true }
				}
				block := w.block(transactions(10))
				id := block.Share.ID()
				wrong := m.answer(block.Txs)
				r.SetTemplate(slices.Concat(wrong, block.Txs)) // nothing has to be asked for
				lie := &message.Block{Coinbase: block.Coinbase, List: message.TxList{Segments: segments(wrong, nil, newIDKey(&id, 0))}}
				res, err := r.Block(w.now, 0, block.Share, lie)
				if err != nil || ruled != (res.Block == nil) || ruled != (r.stats.Mismatched == 1) {
					t.Errorf("ruled %v: %v, block %v, %+v", ruled, err, res.Block != nil, r.stats)
				}
			}
		})
	}
}
