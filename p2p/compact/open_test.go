package compact

import (
	"fmt"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// connect lets two nodes meet, the first of which has blocks to tell of.
func (w *net) connect(a, b int, id PeerID) {
	r := w.nodes[a]
	r.Connected(id, origin(b), true)
	w.nodes[b].Connected(PeerID(a), origin(a), false)
	for _, open := range r.Open() {
		for _, s := range r.AnnounceBlock(open, []PeerID{id}) {
			w.queue = append(w.queue, carried{a, b, s.Message})
		}
	}
	w.run()
}

func alone(int, int) bool { return false }

// TestOpenBlock: who connects while a block is open gets it with all its transactions,
// long after its list would have been forgotten; afterwards nobody does.
func TestOpenBlock(t *testing.T) {
	w := newNet(t, 3, alone)
	finder := w.nodes[0]
	txs := transactions(30)
	b := w.block(txs)
	id := b.Share.ID()
	if err := b.Check(); err != nil {
		t.Fatal(err)
	}
	finder.Found(b)
	for range 2 * maxLists {
		w.mine(0, transactions(3))
	}
	for range 2 * maxBlocks { // those of others
		other := w.block(transactions(1))
		finder.addList(other.Share.ID(), w.height, other.Txs)
		finder.addBlock(&blockState{id: other.Share.ID(), block: *other, built: true})
	}
	w.connect(0, 1, 1)
	w.complete(id, txs, 1)
	if got := w.blocks[1]; len(got) != 1 || got[0].Share.ID() != id || got[0].Check() != nil {
		t.Errorf("the peer has %d blocks", len(got))
	}
	finder.Settled(id)
	finder.Settled(chainhash.Hash{1})
	w.connect(0, 2, 2)
	if len(w.blocks[2]) > 0 || len(finder.Open()) > 0 || finder.AnnounceBlock(id, []PeerID{2}) != nil {
		t.Errorf("told of settled blocks %v", finder.Open())
	}
}

// openNode returns a relay with an open block, and what connects a peer from somewhere, counts
// how often it is told of the block, and ends the connection.
func openNode(t *testing.T) (r *Relay, id chainhash.Hash, visit func(Origin) int) {
	w := newNet(t, 1, alone)
	r = w.nodes[0]
	b := w.block(nil)
	id = b.Share.ID()
	r.Found(b)
	r.Found(b) // once more changes nothing
	peer := PeerID(0)
	return r, id, func(who Origin) int {
		peer++
		r.Connected(peer, who, true)
		defer r.Disconnected(peer)
		return len(r.AnnounceBlock(id, []PeerID{peer})) + len(r.AnnounceBlock(id, []PeerID{peer}))
	}
}

// TestTellings: a node that connects again and again is told of a block a few times, and
// others all the same.
func TestTellings(t *testing.T) {
	r, id, visit := openNode(t)
	n := 0
	for range 10 {
		n += visit(origin(7))
	}
	if n != maxTellings {
		t.Errorf("told %d times", n)
	}
	for i := range maxTold {
		if visit(origin(100+i)) != 1 {
			t.Fatalf("node %d wasn't told once", i)
		}
	}
	if got := len(*r.block(id).told); got != maxTold {
		t.Errorf("%d tellings are remembered", got)
	}
}

// TestTellingsOfHost: whoever is a new node each time is told as often as all connections of
// his host may be, or in a crowd as all inbound ones; those elsewhere lose nothing by it.
func TestTellingsOfHost(t *testing.T) {
	_, _, visit := openNode(t)
	for name, test := range map[string]struct {
		where Origin
		want  int
	}{
		"host":             {Origin{Host: "a"}, maxHostTellings},
		"crowd":            {Origin{Host: "b", Crowd: true}, maxCrowdTellings},
		"crowd, unknowns":  {Origin{Host: "c", Crowd: true}, maxCrowdTellings},
		"several of a few": {Origin{Host: "d"}, 2 * maxTellings},
	} {
		n := 0
		for i := range 2 * maxCrowdTellings {
			who := test.where
			switch name {
			case "several of a few":
				who.Node = fmt.Sprint(name, i%2)
			case "crowd, unknowns": // no node can be told from another
			default:
				who.Node = fmt.Sprint(name, i)
			}
			n += visit(who)
		}
		if n != test.want {
			t.Errorf("%s: told %d times, want %d", name, n, test.want)
		}
	}
	if visit(origin(1)) != 1 {
		t.Error("somebody elsewhere isn't told")
	}
}

// TestMaxOpen: the newest blocks are open.
func TestMaxOpen(t *testing.T) {
	w := newNet(t, 1, alone)
	r := w.nodes[0]
	var ids []chainhash.Hash
	for range 2 * maxBlocks {
		b := w.block(transactions(1))
		r.Found(b)
		ids = append(ids, b.Share.ID())
	}
	if got := r.Open(); !slices.Equal(got, ids[len(ids)-MaxOpen:]) {
		t.Errorf("open are %v of %v", got, ids)
	}
}

// TestBlockCheck: a block that isn't its share's is noticed.
func TestBlockCheck(t *testing.T) {
	w := newNet(t, 1, alone)
	for name, change := range map[string]func(*Block){
		"coinbase":    func(b *Block) { b.Coinbase = make([]byte, 101) },
		"transaction": func(b *Block) { b.Txs = append(b.Txs[:1:1], transactions(1)...) },
		"missing":     func(b *Block) { b.Txs = b.Txs[:1] },
	} {
		b := w.block(transactions(2))
		change(b)
		if b.Check() == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}
