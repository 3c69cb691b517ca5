package compact

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

// TestLyingLists: a peer whose lists turn out to be others is not listened to for long.
func TestLyingLists(t *testing.T) {
	w := newNet(t, 2, meshed)
	r := w.nodes[1]
	txs := transactions(3000)
	base := w.mine(0, txs)
	w.complete(base, txs, 0, 1)
	victim := w.share(transactions(5)) // valid, its list is told by nobody
	lie := &message.CmpctShare{ID: victim.ID(), List: message.TxList{Base: base, Segments: []message.Segment{{Copy: len(txs)}}}}
	for range 300 {
		if _, err := r.List(w.now, 0, lie); err != nil {
			t.Fatal(err)
		}
	}
	if r.stats.Mismatched > 2*maxStrikes {
		t.Errorf("%d lies were worked through, strikes: %d", r.stats.Mismatched, r.peers[0].strikes)
	}
}

// TestAnswersOfAllLists: asking for them in turn brings no more of each.
func TestAnswersOfAllLists(t *testing.T) {
	w := newNet(t, 2, meshed)
	r := w.nodes[1]
	var ids []chainhash.Hash
	for range maxLists {
		ids = append(ids, w.mine(1, transactions(3)))
	}
	got := 0
	for i := range 800 {
		m := &message.GetShareTxn{ID: ids[i%len(ids)], Indexes: []int{0, 1, 2}}
		out, err := r.Answer(0, m)
		if err != nil {
			t.Fatal(err)
		}
		got += len(out)
	}
	if got > maxAnswered*maxLists {
		t.Errorf("%d answers, at most %d are meant", got, maxAnswered*maxLists)
	}
}

// TestBlockFindsRoom: one inbound peer that asks for attention for as many shares as it can,
// and never answers, keeps no block from being put together.
func TestBlockFindsRoom(t *testing.T) {
	w := newNet(t, 3, func(a, b int) bool { return a == 2 || b == 2 })
	r := w.nodes[2]
	r.peers[1].inbound = false
	txs := transactions(10)
	r.SetTemplate(txs)
	for range maxAttemptsAll {
		s := w.share(transactions(2))
		if _, err := r.List(w.now, 0, &message.CmpctShare{ID: s.ID(), List: message.TxList{Segments: []message.Segment{{Fresh: []message.ShortID{{1}, {2}}}}}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.attempts) > maxAttemptsAll/2 {
		t.Errorf("%d attempts for one inbound peer", len(r.attempts))
	}
	block := w.block(txs)
	honest := New(r.cfg)
	honest.Connected(9, origin(9), false)
	honest.Found(block)
	m := honest.AnnounceBlock(block.Share.ID(), []PeerID{9})[0].Message.(*message.Block)
	res, err := r.Block(w.now, 1, block.Share, m)
	if err != nil {
		t.Fatal(err)
	}
	if res.Block == nil {
		t.Errorf("the block of an outbound peer was passed over: attempts %d, received %d", len(r.attempts), r.stats.Received)
	}
}

// TestBlockStorm: more blocks at once than are remembered, as anybody can make where
// blocks of the least difficulty are allowed. Each node submits each once, and it ends.
func TestBlockStorm(t *testing.T) {
	for _, n := range []int{8, 20, 40} {
		w := newNet(t, 4, meshed)
		for range n {
			block := w.block(nil)
			// Somebody who is no node of the net gives it to node 0.
			r := w.nodes[0]
			if r.peers[99] == nil {
				r.Connected(99, origin(99), true)
			}
			att := New(r.cfg)
			att.Connected(0, origin(0), false)
			att.Found(block)
			w.queue = append(w.queue, carried{99, 0, att.AnnounceBlock(block.Share.ID(), []PeerID{0})[0].Message})
		}
		w.bytes = make([]int, 100)
		carriedN := 0
		for len(w.queue) > 0 && carriedN < 100_000 {
			c := w.queue[0]
			w.queue = w.queue[1:]
			carriedN++
			if c.to < 4 {
				w.receive(c)
			}
		}
		sub := 0
		for _, b := range w.blocks {
			sub += len(b)
		}
		if sub > 4*n || len(w.queue) > 0 {
			t.Errorf("%d blocks were submitted %d times by 4 nodes", n, sub)
		}
	}
}

// TestLateAnswer: an honest peer answers the question about its first list late, when its
// block message has begun another attempt with other short ids.
func TestLateAnswer(t *testing.T) {
	w := newNet(t, 2, meshed)
	h, r := w.nodes[0], w.nodes[1]
	txs := transactions(10)
	block := w.block(txs)
	s := block.Share
	id := s.ID()
	h.Mined(id, 1, txs)
	list := h.Announce(id, []PeerID{1})[0].Message.(*message.CmpctShare)
	res, err := r.List(w.now, 0, list)
	if err != nil || len(res.Send) != 1 {
		t.Fatal(err)
	}
	ask1 := res.Send[0].Message.(*message.GetShareTxn)
	late, _ := h.Answer(1, ask1) // on its way, slowly
	r.Tick(w.now.Add(attemptTimeout + time.Second))
	h.Found(block)
	r.SetTemplate(txs[:1]) // another template meanwhile
	blk := h.AnnounceBlock(id, []PeerID{1})[0].Message.(*message.Block)
	if _, err := r.Block(w.now, 0, s, blk); err != nil {
		t.Fatal(err)
	}
	for _, m := range late {
		if _, err := r.Txns(0, m.(*message.ShareTxn)); err != nil {
			t.Errorf("an honest peer is blamed: %v", err)
		}
	}
}
