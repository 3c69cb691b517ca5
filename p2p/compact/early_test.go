package compact

import (
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// TestEarlyList: a list that comes before the verdict on its share is worked on once
// there is one.
func TestEarlyList(t *testing.T) {
	w := newNet(t, 2, func(a, b int) bool { return true })
	txs := transactions(10)
	s := w.share(txs)
	id := s.ID()
	w.nodes[1].SetTemplate(txs)
	w.nodes[0].Mined(id, 1, txs)
	list := w.nodes[0].Announce(id, w.everybody())[0].Message.(*message.CmpctShare)

	delete(w.shares, id)
	if res, err := w.nodes[1].List(w.now, 0, list); err != nil || res.Complete != (chainhash.Hash{}) {
		t.Fatalf("%+v, %v before the verdict", res, err)
	}
	w.shares[id] = s
	early := w.nodes[1].TakeEarly(id)
	if len(early) != 1 || early[0].From != 0 || len(w.nodes[1].TakeEarly(id)) != 0 {
		t.Fatalf("%v waited", early)
	}
	if res, err := w.nodes[1].List(w.now, early[0].From, early[0].List); err != nil || res.Complete != id {
		t.Errorf("%+v, %v after it", res, err)
	}
}

// TestEarlyListsAreBounded: each peer's latest one waits, all together no more than
// maxEarly, and none of a peer that has gone.
func TestEarlyListsAreBounded(t *testing.T) {
	r := New(Config{Share: func(chainhash.Hash) (*share.Share, error) { return nil, errors.New("unknown") }})
	list := func(n int) *message.CmpctShare { return &message.CmpctShare{ID: chainhash.Hash{byte(n)}} }
	for n := range 2 * maxEarly {
		r.Connected(PeerID(n), origin(n), true)
		for _, m := range []*message.CmpctShare{list(255), list(n)} {
			if _, err := r.List(time.Time{}, PeerID(n), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.Disconnected(2*maxEarly - 1)
	if len(r.early) != maxEarly-1 || r.early[0].From != maxEarly || len(r.TakeEarly(chainhash.Hash{255})) != 0 {
		t.Errorf("%d wait, the first is of peer %d", len(r.early), r.early[0].From)
	}
	if r.keepEarly(99, list(1)); len(r.early) != maxEarly-1 {
		t.Error("a list of nobody waits")
	}
}
