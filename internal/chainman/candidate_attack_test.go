package chainman

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/database"
)

// TestShareOnAbsentBlockFirst: the first share of an empty node may stand on a Bitcoin
// block that nobody has.
func TestShareOnAbsentBlockFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.chainOf("B", "genesis", 1) // the Bitcoin node does not have it
		f.Next("g", "", chaingen.On("B1"))
		f.held("g")
		f.fetchMissing(t.Context(), f.blocks.all(f.cfg.Now()))
	})
}

// sync feeds as netsync does: only what Have says is missing.
func (f *fixture) sync(list []*share.Share, root chainhash.Hash) {
	f.T.Helper()
	var want []*share.Share
	for _, s := range list {
		if !f.Manager.Have(s.ID()) {
			want = append(want, s)
		}
	}
	for len(want) > 0 {
		n := min(len(want), 7)
		f.AcceptAll(want[:n], root)
		want = want[n:]
	}
}

func (f *fixture) list(names ...string) (l []*share.Share) {
	for _, n := range names {
		l = append(l, f.Generator.Share(n).Share)
	}
	return l
}

// TestAttackHiddenShares: real shares of our own chain, offered as a root far above our
// tip, must not stay hidden from it.
func TestAttackHiddenShares(t *testing.T) {
	f := newPairFixture(t)
	f.Next("g", "")
	m := f.Line("m", "g", 300, 5)
	f.accept("g")
	f.accept(m[:41]...)
	stolen := f.list(m[150:170]...)
	f.AcceptAll(stolen, stolen[0].ID())
	f.sync(f.list(m[41:200]...), chainhash.Hash{})
	f.ahead += 2 * time.Minute
	for _, name := range m[200:] {
		f.ahead += 2 * time.Second
		f.sync(f.list(name), chainhash.Hash{})
	}
	t.Logf("tip height %d of 300, joining %v", f.Tip().Height, f.Joining())
	f.tipIs("m299")
}

// TestAttackPlantedRoot: a root planted in the middle, so that neither part has a window,
// does not keep a node from joining.
func TestAttackPlantedRoot(t *testing.T) {
	f := newPairFixture(t)
	f.Next("g", "")
	m := append([]string{"g"}, f.Line("m", "g", 100, 5)...)
	offered := f.offered(m)
	planted := f.list(m[77:]...) // 24 real shares
	if err := f.give(planted); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d offered from height %d, planted from %d", len(offered), offered[0].Data.Height, planted[0].Data.Height)
	for range 5 {
		f.sync(offered, offered[0].ID())
		f.ahead += 11 * time.Minute
		f.sync(offered[:0], chainhash.Hash{})
		_ = f.retry()
	}
	f.tipIs("m99")
	if f.Joining() {
		t.Error("still joining with all that the honest peer has")
	}
}

// TestAttackSlotHeld: a candidate that is fed one easy share a minute makes room for
// another.
func TestAttackSlotHeld(t *testing.T) {
	f := newPairFixture(t)
	real, _ := f.captured()
	f.Next("g3", "", chaingen.Later(2))
	x := f.offered(append([]string{"g3"}, f.Line("x", "g3", 90, 1)...))
	f.AcceptAll(x[:1], x[0].ID())
	list := f.offered(real)
	for i := 0; i < 25; i++ {
		f.ahead += 55 * time.Second
		f.Next(fmt.Sprint("sib", i), nameOf(f, x[0].ID()), chaingen.Payee(100+i))
		f.offer(fmt.Sprint("sib", i)) // unasked
		f.AcceptAll(list, list[0].ID())
	}
	f.tipIs("m99")
}

func nameOf(f *fixture, id chainhash.Hash) string { return f.ByID(id).Name }

// TestAttackRootTwice: a root, rubbish and the root again in one message: deleting the
// first candidate does not take the second one's folder.
func TestAttackRootTwice(t *testing.T) {
	dir := t.TempDir()
	f := newFixture(t, func(c *Config) {
		c.Store = openStore(t, dir, c.Params)
		c.Stores = pairOf{database.NewPair(storePath(dir), c.Params.ChainID)}
	})
	real, _ := f.captured()
	list := f.offered(real)
	bad := *list[1]
	bad.Header.MerkleRoot[0] ^= 1
	for i, err := range f.AcceptAll([]*share.Share{list[0], &bad, list[0]}, list[0].ID()) {
		t.Log(i, err)
	}
	if _, err := os.Stat(storePath(dir) + ".candidate"); err != nil && f.candidate != nil {
		t.Errorf("the candidate's folder: %v", err)
	}
	for i := 1; i < len(list); i += 7 {
		for _, err := range f.AcceptAll(list[i:min(i+7, len(list))], chainhash.Hash{}) {
			if errors.Is(err, ErrStopped) {
				t.Fatalf("the node has died: %v", err)
			}
		}
	}
	f.tipIs("m99")
}

// TestCandidateBesideHeaders: headers come in while a candidate grows; for the race detector.
func TestCandidateBesideHeaders(t *testing.T) {
	f := newPairFixture(t)
	blocks := f.chainOf("B", "genesis", 400)
	f.chainOf("U", "genesis", 1)
	f.bitcoin.add(blocks...)
	f.Next("g", "")
	f.Next("g2", "", chaingen.Later(1))
	f.accept("g2")
	f.accept(f.Line("w", "g2", 90, 1)...)
	f.Next("a", "g")
	f.Next("b", "a", chaingen.On("U1"))
	l := f.Line("c", "b", 15, 3)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range blocks {
			_ = f.addBitcoinBlock(context.Background(), blocks[i].Hash)
		}
	}()
	for i, s := range f.list(append([]string{"b"}, l...)...) {
		root := chainhash.Hash{}
		if i == 0 {
			root = s.ID()
		}
		f.AcceptAll([]*share.Share{s}, root)
	}
	<-done
}

// failing is a Stores whose candidates cannot be written.
type failing struct{}

func (failing) Candidate() (Store, error) {
	return &memStore{before: func([]blockchain.Accepted) error { return errors.New("disk full") }}, nil
}
func (failing) Adopt(_, c Store) (Store, error) { return c, nil }
func (failing) Discard(Store) error             { return errors.New("cannot delete") }

// TestCandidateStoreFails: a candidate that cannot be stored or deleted does not end the
// node.
func TestCandidateStoreFails(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Stores = failing{} })
	f.Next("g", "")
	list := f.offered(append([]string{"g"}, f.Line("m", "g", 100, 5)...))
	f.Next("g2", "", chaingen.Later(1))
	f.accept("g2")
	f.accept(f.Line("w", "g2", 90, 1)...)
	f.AcceptAll(list[:1], list[0].ID())
	f.Next("next", "w89")
	if err := f.offer("next"); err != nil {
		t.Errorf("our own chain: %v", err)
	}
}

// TestAttackEmptyCandidate: a root that cannot be judged yet does not take the slot.
func TestAttackEmptyCandidate(t *testing.T) {
	f := newPairFixture(t)
	real, _ := f.captured()
	f.Next("future", "m50", chaingen.Later(26*3600))
	s := f.Generator.Share("future").Share
	t.Log(f.AcceptAll([]*share.Share{s}, s.ID()), f.candidate != nil)
	list := f.offered(real)
	f.give(list)
	f.tipIs("m99")
}

// TestCandidateOnAbsentBlock: so may that of a candidate.
func TestCandidateOnAbsentBlock(t *testing.T) {
	f := newPairFixture(t)
	f.chainOf("B", "genesis", 1)
	f.Next("g", "")
	f.accept("g")
	f.accept(f.Line("m", "g", 90, 3)...)
	f.Next("probe", "m89", chaingen.On("B1")) // at the tip's own bits, once
	f.held("probe")
	f.chain.BitcoinBlockAbsent(f.Bitcoin("B1").Hash) // as fetchMissing does
	f.Next("h", "", chaingen.Later(1))
	f.Next("h1", "h", chaingen.On("B1"))
	s := f.Generator.Share("h1").Share
	f.AcceptAll(f.list("h1"), s.ID())
}
