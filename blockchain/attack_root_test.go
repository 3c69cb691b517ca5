package blockchain_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// on lets a flood stand on a share, by its schedule.
func (f *flood) on(s *share.Share) *flood {
	d := &f.share.Data
	d.Previous, d.Height, d.Count, d.Anchor = s.ID(), s.Data.Height+1, s.Data.Count+1, s.Data.Anchor
	d.Work.SetUint64(2).Add(&s.Data.Work)
	d.Time, d.Uncles = s.Data.Time+2, nil
	return f
}

// sibling is next for shares that keep their parent.
func (f *flood) sibling() *share.Share {
	f.n++
	s := f.share
	binary.LittleEndian.PutUint64(s.Extranonce[:], f.n)
	s.SetMerkleRoot(f.chainID)
	for id := s.ID(); !target.HashMeets(&id, &f.target); id = s.ID() {
		s.Header.Nonce++
	}
	return &s
}

// TestAttackRootFlood: an attacker names roots of his own, at no more than the
// easiest bits, and has paid for one root whose schedule makes all that stands on it
// as easy. A node with a chain gives none of it a place. A chain that begins with his
// root, which is what the rule spares it, takes everything.
func TestAttackRootFlood(tt *testing.T) {
	t := newFloodTest(tt)
	shares := 200_000
	if testing.Short() {
		shares = 20_000
	}
	paid := t.Next("paid", "a299", chaingen.Payee(99), edit(func(d *share.Data) {
		d.Previous, d.Anchor = chainhash.Hash{1}, 0 // for ages behind the schedule
	}))
	easiest := t.Params.EasiestBits
	roots, children := newFlood(t, "honest", easiest), newFlood(t, "honest", easiest).on(paid.Share)
	before, kept := heap(), t.chain.Len()
	for range shares / 2 {
		if _, err := t.chain.AcceptRoot(roots.next(), t.now); !errors.Is(err, blockchain.ErrMissingParent) {
			t.Fatal(err)
		}
		if _, err := t.chain.Accept(children.sibling(), t.now); !errors.Is(err, blockchain.ErrMissingParent) {
			t.Fatal(err)
		}
	}
	grown := heap() - before
	if t.chain.Len() != kept || t.chain.Stats().Undecided != 1 || grown > 1<<20 {
		t.Errorf("%d shares kept, %+v, the heap has grown by %d bytes", t.chain.Len()-kept, t.chain.Stats(), grown)
	}
	t.accept("p")
	t.tip("honest")

	off := blockchain.New(t.Params)
	if _, err := off.AcceptRoot(paid.Share, t.now); err != nil {
		t.Fatal(err)
	}
	before = heap()
	for range shares / 20 {
		if _, err := off.Accept(children.sibling(), t.now); err != nil {
			t.Fatal(err)
		}
	}
	without := float64(heap()-before) / float64(off.Len()) * 1_000_000
	if without < 8<<20 {
		t.Errorf("without the rule a million shares would take %.0f bytes only", without)
	}
	t.Logf("%d shares by roots of the attacker's: the heap has grown by %.2f MiB; a million, kept, take %.0f MiB", shares, float64(grown)/(1<<20), without/(1<<20))
}

// TestAttackJunkRoots: whatever a root claims of height, count and work, it takes no
// place beside a chain, nor does what stands on it. An empty chain believes the first
// that comes, which is the attack succeeding.
func TestAttackJunkRoots(tt *testing.T) {
	t := newFloodTest(tt)
	t.accept("p")
	t.tip("honest")
	tip, shares := t.chain.Tip(), t.chain.Len()
	claimed := []func(d *share.Data){
		func(*share.Data) {},
		claims(share.MaxWorkBits, -1),
		func(d *share.Data) { d.Height, d.Count = 1, 2 },
		func(d *share.Data) { d.Height, d.Count = 1<<31-2, 1<<31-1 },
		func(d *share.Data) { d.Count = 1<<31 - 1 },
		func(d *share.Data) { d.Anchor = 0 },
	}
	for i, change := range claimed {
		s := newFlood(t, "honest", tip.NextBits)
		binary.LittleEndian.PutUint64(s.share.Data.Previous[:], uint64(i)+1)
		change(&s.share.Data)
		root := s.sibling()
		child := newFlood(t, "honest", tip.NextBits).on(root)
		child.share.Data.Work.Zero() // the greatest has none above it
		if _, err := t.chain.AcceptRoot(root, t.now); !errors.Is(err, blockchain.ErrMissingParent) {
			t.Errorf("root %d: %v", i, err)
		}
		if _, err := t.chain.Accept(child.sibling(), t.now); !errors.Is(err, blockchain.ErrMissingParent) {
			t.Errorf("what stands on root %d: %v", i, err)
		}
		empty := blockchain.New(t.Params)
		if u, err := empty.AcceptRoot(root, t.now); err != nil || !u.TipChanged || !u.Accepted[0].Root {
			t.Errorf("root %d on an empty chain: %v, %+v", i, err, u)
		}
	}
	if got := t.chain.Tip(); got.ID != tip.ID || got.Work != tip.Work || t.chain.Len() != shares || t.chain.Base() != 0 {
		t.Errorf("tip %+v of %d shares, base %d", got, t.chain.Len(), t.chain.Base())
	}
	t.Next("next", "honest")
	t.accept("next")
}
