package compact

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

var lastTx uint64

// transactions returns n new transactions of about 500 bytes, every other with a
// witness.
func transactions(n int) []*Tx {
	list := make([]*Tx, n)
	for i := range list {
		lastTx++
		list[i] = transaction(lastTx, 400)
	}
	return list
}

// transaction returns a transaction with a script of so many bytes.
func transaction(seed uint64, script int) *Tx {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 2)
	witness := seed%2 == 0
	if witness {
		b = append(b, 0, 1)
	}
	b = append(b, 1)
	b = le.AppendUint64(b, seed)
	b = append(b, make([]byte, 28)...)
	b = append(b, 0xfe)
	b = le.AppendUint32(b, uint32(max(script, 1<<16)))
	b = append(b, make([]byte, max(script, 1<<16))...)
	if script < 1<<16 { // the shorter form
		b = b[:len(b)-(1<<16)-5]
		b = append(b, 0xfd)
		b = le.AppendUint16(b, uint16(script))
		b = append(b, make([]byte, script)...)
	}
	b = append(b, 0xff, 0xff, 0xff, 0xff, 1)
	b = le.AppendUint64(b, 1000)
	b = append(b, 1, 0x51)
	if witness {
		b = append(b, 1, 2, 0xaa, 0xbb)
	}
	b = le.AppendUint32(b, 0)
	tx, err := ParseTx(b)
	if err != nil {
		panic(err)
	}
	return tx
}

// net is some relays whose messages are carried at once and in order.
type net struct {
	*testing.T
	now    time.Time
	nodes  []*Relay
	shares map[chainhash.Hash]*share.Share
	queue  []carried
	bytes  []int // sent by node
	blocks [][]*Block
	errs   []error
	drop   func(from, to int, m message.Message) bool
	height uint32
}

type carried struct {
	from, to int
	msg      message.Message
}

// newNet connects n nodes, each with the next ones in both directions; the lower
// number dialed.
func newNet(t *testing.T, n int, linked func(a, b int) bool) *net {
	w := &net{T: t, now: time.Unix(1_700_000_000, 0), shares: make(map[chainhash.Hash]*share.Share)}
	for range n {
		w.nodes = append(w.nodes, New(Config{Share: func(id chainhash.Hash) (*share.Share, error) {
			if s := w.shares[id]; s != nil {
				return s, nil
			}
			return nil, errors.New("unknown")
		}}))
		w.bytes = append(w.bytes, 0)
		w.blocks = append(w.blocks, nil)
	}
	for a := range n {
		for b := range n {
			if a != b && linked(a, b) {
				w.nodes[a].Connected(PeerID(b), origin(b), b < a)
			}
		}
	}
	return w
}

// origin is that of a node on a host of its own.
func origin(node int) Origin { return Origin{Node: fmt.Sprint(node), Host: fmt.Sprint(node)} }

// share makes a share with these transactions.
func (w *net) share(txs []*Tx) *share.Share {
	w.height++
	s := &share.Share{Data: share.Data{Height: w.height}}
	s.Header.Nonce = rand.Uint32()
	ids, wids := make([]chainhash.Hash, len(txs)), make([]chainhash.Hash, len(txs))
	for i, tx := range txs {
		ids[i], wids[i] = tx.TxID, tx.WTxID
	}
	s.Branch = share.MerkleBranch(ids)
	commitment := share.WitnessCommitment(wids)
	s.Data.WitnessCommitment = commitment[:]
	w.shares[s.ID()] = s
	return s
}

// block makes a share that is a block of these transactions and can be encoded.
func (w *net) block(txs []*Tx) *Block {
	s := w.share(txs)
	delete(w.shares, s.ID())
	b := &Block{Share: s, Coinbase: make([]byte, 100), Txs: txs}
	s.Data.Version, s.Data.Payee, s.Data.Bits = share.Version, append([]byte{0, 20}, make([]byte, 20)...), 0x207fffff
	s.Data.Time, s.Data.Anchor, s.Data.Count = 1, 1, 1
	s.Link = share.NewLink(b.Coinbase)
	s.Header.Timestamp = w.now
	s.Header.MerkleRoot = share.MerkleRoot(chainhash.DoubleHashH(b.Coinbase), s.Branch)
	w.shares[s.ID()] = s
	return b
}

func (w *net) everybody() (all []PeerID) {
	for i := range w.nodes {
		all = append(all, PeerID(i))
	}
	return all
}

// mine lets a node find a share and everybody learn of it.
func (w *net) mine(node int, txs []*Tx) chainhash.Hash {
	s := w.share(txs)
	id := s.ID()
	w.nodes[node].Mined(id, s.Data.Height, txs)
	w.send(node, w.nodes[node].Announce(id, w.everybody()))
	w.run()
	return id
}

func (w *net) send(from int, list []Send) {
	for _, s := range list {
		w.queue = append(w.queue, carried{from, int(s.To), s.Message})
	}
}

// run carries messages until there are none.
func (w *net) run() {
	for len(w.queue) > 0 {
		c := w.queue[0]
		w.queue = w.queue[1:]
		w.bytes[c.from] += message.HeaderSize + c.msg.Size()
		if w.drop == nil || !w.drop(c.from, c.to, c.msg) {
			w.receive(c)
		}
	}
}

func (w *net) receive(c carried) {
	m, err := message.Decode(c.msg.Command(), c.msg.AppendPayload(nil))
	if err != nil {
		w.Fatalf("node %d sent a malformed %s: %v", c.from, c.msg.Command(), err)
	}
	r, from := w.nodes[c.to], PeerID(c.from)
	var res Result
	switch m := m.(type) {
	case *message.CmpctShare:
		res, err = r.List(w.now, from, m)
	case *message.ShareTxn:
		res, err = r.Txns(from, m)
	case *message.GetShareTxn:
		var out []message.Message
		out, err = r.Answer(from, m)
		for _, m := range out {
			res.Send = append(res.Send, Send{from, m})
		}
	case *message.Block:
		var s *share.Share
		if s, err = share.Decode(m.Share); err == nil {
			res, err = r.Block(w.now, from, s, m)
		}
	}
	if err != nil {
		w.errs = append(w.errs, err)
		return
	}
	w.send(c.to, res.Send)
	if res.Complete != (chainhash.Hash{}) {
		w.send(c.to, r.Announce(res.Complete, w.everybody()))
	}
	if res.Block != nil {
		w.blocks[c.to] = append(w.blocks[c.to], res.Block)
		w.send(c.to, r.AnnounceBlock(res.Block.Share.ID(), w.everybody()))
	}
}

// complete fails unless the nodes have the list.
func (w *net) complete(id chainhash.Hash, txs []*Tx, nodes ...int) {
	w.Helper()
	for _, n := range nodes {
		l := w.nodes[n].list(id)
		if l == nil {
			w.Errorf("node %d does not have the list of %v", n, id)
			continue
		}
		if len(l.txs) != len(txs) {
			w.Errorf("node %d has %d of %d transactions", n, len(l.txs), len(txs))
			continue
		}
		for i := range txs {
			if l.txs[i].WTxID != txs[i].WTxID {
				w.Errorf("node %d has another transaction %d", n, i)
				break
			}
		}
	}
	if len(w.errs) > 0 {
		w.Errorf("blamed: %v", w.errs)
	}
}

func chained(a, b int) bool { return a-b == 1 || b-a == 1 }
func meshed(int, int) bool  { return true }
