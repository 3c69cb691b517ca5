package netsync

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/internal/fakechain"
	"github.com/p2poold/p2poold/p2p/message"
)

// TestDeniedThenSlow: a helper proves good, then denies a batch, and the session's
// peer, the only one to be asked for it now, never answers.
func TestDeniedThenSlow(t *testing.T) {
	s := newSim(t)
	a, src, h := s.node("a", message.LowLatency), s.node("src", message.LowLatency), s.node("helper", message.LowLatency)
	src.chain.Extend(600, 1)
	copyChain(t, src, h)
	denied := make(map[chainhash.Hash]bool)
	serve := func(n *simNode, from PeerID, m message.Message) {
		Answer(n.chain, m, func(m message.Message) bool { n.send(from, m); return true })
	}
	src.answer = func(from PeerID, m message.Message) {
		switch r := m.(type) {
		case *message.GetLocator:
			serve(src, from, m)
		case *message.GetShares:
			if denied[r.IDs[0]] { // slow with these: never, for the test
				return
			}
			serve(src, from, m)
		}
	}
	n := 0
	h.answer = func(from PeerID, m message.Message) {
		if r, ok := m.(*message.GetShares); ok {
			if n++; n == 1 {
				serve(h, from, m)
				return
			}
			for _, id := range r.IDs {
				denied[id] = true
			}
			h.send(from, &message.NotFound{IDs: r.IDs})
		}
	}
	s.connect(a, src)
	s.connect(a, h)
	s.run(60 * time.Second)
	if n < 2 || a.chain.Len() == 0 {
		t.Errorf("the helper was asked %d times, %d shares came", n, a.chain.Len())
	}
}

// TestTakenMeanwhile: the chain has taken what a slow peer owes by another way, and the
// verdict has not been told yet.
func TestTakenMeanwhile(t *testing.T) {
	s := newSim(t)
	a, src, h := s.node("a", message.LowLatency), s.node("src", message.LowLatency), s.node("helper", message.LowLatency)
	ids := src.chain.Extend(400, 1)
	copyChain(t, src, h)
	last := ids[len(ids)-1]
	serve := func(n *simNode, from PeerID, m message.Message) {
		Answer(n.chain, m, func(m message.Message) bool { n.send(from, m); return true })
	}
	for _, n := range []*simNode{src, h} {
		n.answer = func(from PeerID, m message.Message) {
			switch r := m.(type) {
			case *message.GetLocator:
				serve(n, from, m)
			case *message.GetShares:
				if r.IDs[len(r.IDs)-1] == last {
					return
				}
				serve(n, from, m)
			}
		}
	}
	s.connect(a, src)
	s.connect(a, h)
	s.runUntil(time.Minute, "all but the last batch", func() bool {
		return a.m.session != nil && a.m.session.total > 0 && a.m.session.window.live < 128 && a.m.session.window.live > 0
	})
	for _, id := range ids {
		if !a.chain.Have(id) {
			raw, _ := src.chain.Share(id)
			sh, _ := share.Decode(raw)
			if err := a.chain.Accept(sh); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.run(30 * time.Second)
	want, _, _ := src.chain.Tip()
	if tip, _, _ := a.chain.Tip(); tip != want {
		t.Error("the tip is another")
	}
}

// TestFlakyHelpers: among peers that deny, delay, forget, forge and hang up at random
// one honest peer is enough.
func TestFlakyHelpers(t *testing.T) {
	src := new(fakechain.Chain)
	withUncles(src, 1500)
	for seed := range uint64(40) {
		s := newSim(t)
		rng := rand.New(rand.NewPCG(seed, 7))
		a := s.node("a", message.LowLatency)
		good := s.node("good", message.LowLatency)
		good.chain, good.m = src, New(Config{Chain: src, Mode: message.LowLatency})
		good.rate = 200_000
		var bad []*simNode
		var ids []PeerID
		for i := range 5 {
			n := s.node(fmt.Sprint("bad", i), message.LowLatency)
			n.chain = src
			style := rng.IntN(4)
			n.answer = func(from PeerID, m message.Message) {
				switch r := m.(type) {
				case *message.GetLocator:
					switch rng.IntN(6) {
					case 0:
					case 1:
						n.send(from, &message.Inv{})
					case 2:
						n.send(from, &message.Inv{IDs: junk(rng.IntN(60000), 1+rng.IntN(300))})
					default:
						Answer(src, m, func(m message.Message) bool { n.send(from, m); return true })
					}
				case *message.GetShares:
					delay := time.Duration(rng.IntN(5000)) * time.Millisecond
					k := rng.IntN(8)
					s.after(delay, func() {
						switch {
						case k == 0 || style == 0:
							n.send(from, &message.NotFound{IDs: r.IDs})
						case k == 1 || style == 1 && k < 5:
						case k == 2:
							raw, err := src.Share(r.IDs[0])
							if err == nil && rng.IntN(4) == 0 {
								sh, _ := share.Decode(raw)
								n.send(from, &message.Shares{Raw: [][]byte{fakechain.Forge(sh).Encode()}})
							}
						case k == 3:
							n.send(from, &message.NotFound{IDs: []chainhash.Hash{r.IDs[rng.IntN(len(r.IDs))]}})
						default:
							Answer(src, m, func(m message.Message) bool { n.send(from, m); return true })
						}
					})
				}
			}
			bad = append(bad, n)
			ids = append(ids, 0)
		}
		order := rng.IntN(2)
		if order == 0 {
			s.connect(a, good)
		}
		for i, n := range bad {
			ids[i] = s.connect(a, n)
		}
		if order == 1 {
			s.connect(a, good)
		}
		want, _, _ := src.Tip()
		done := false
		for sec := 0; sec < 600 && !done; sec++ {
			s.run(time.Second)
			i := rng.IntN(len(bad))
			if !a.links[ids[i]].up || rng.IntN(20) == 0 {
				a.cut(ids[i])
				s.run(time.Millisecond)
				ids[i] = s.connect(a, bad[i])
			}
			tip, _, _ := a.chain.Tip()
			done = tip == want
		}
		if !done {
			t.Errorf("seed %d: not synced in 600 s: %d shares, %+v", seed, a.chain.Len(), a.m.Stats())
		}
	}
}
