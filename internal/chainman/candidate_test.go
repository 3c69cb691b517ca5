package chainman

import (
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/database"
)

// pairOf lets tests use a database.Pair as Stores.
type pairOf struct{ *database.Pair }

func (p pairOf) Candidate() (Store, error) { return p.Pair.Candidate() }

func (p pairOf) Adopt(old, c Store) (Store, error) {
	s, _, err := p.Pair.Adopt(old.(*database.Store), c.(*database.Store))
	return s, err
}

func (p pairOf) Discard(c Store) error { return p.Pair.Discard(c.(*database.Store)) }

// newPairFixture is newFixture with databases that can be exchanged.
func newPairFixture(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := newFixture(t, func(c *Config) {
		c.Store = openStore(t, dir, c.Params)
		c.Stores = pairOf{database.NewPair(storePath(dir), c.Params.ChainID)}
	})
	t.Cleanup(func() {
		if err := f.Manager.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// offered returns what a node that has accepted all of these shares, and pruned,
// offers to one that has nothing in common with it.
func (f *fixture) offered(names []string) []*share.Share {
	f.T.Helper()
	peer := blockchain.New(f.Params)
	genesis := f.Bitcoin("genesis")
	if err := peer.AddBitcoinHeader(&genesis.Header, 0); err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		if _, err := peer.Accept(f.Generator.Share(name).Share, f.cfg.Now()); err != nil {
			f.Fatalf("%s: %v", name, err)
		}
	}
	var list []*share.Share
	for _, id := range peer.AfterLocator(nil, chainhash.Hash{}, 10_000) {
		list = append(list, f.ByID(id).Share)
	}
	return list
}

// give has the Manager take an offer in batches, as from a session.
func (f *fixture) give(list []*share.Share) (last error) {
	f.T.Helper()
	root := list[0].ID()
	for len(list) > 0 {
		n := min(len(list), 7)
		for _, err := range f.AcceptAll(list[:n], root) {
			last = err
		}
		list = list[n:]
	}
	return last
}

// captured makes two chains, g to m99 and g2 to w89, and has the Manager take the
// beginning of what a node with the second offers. It returns the names of the first
// and the whole offer.
func (f *fixture) captured() (real []string, fake []*share.Share) {
	f.T.Helper()
	f.Next("g", "")
	real = append([]string{"g"}, f.Line("m", "g", 100, 5)...)
	f.Next("g2", "", chaingen.Later(1))
	fake = f.offered(append([]string{"g2"}, f.Line("w", "g2", 90, 1)...))
	if err := f.give(fake[:25]); err != nil {
		f.Fatal(err)
	}
	return real, fake
}

// TestWorthlessChainFirst: a newcomer that was fed some other chain first changes to
// the real one when it is offered that, and has it after a restart; back it does not
// go.
func TestWorthlessChainFirst(t *testing.T) {
	f := newPairFixture(t)
	real, root := f.captured()
	if root[0].Data.Height == 0 {
		t.Fatal("the worthless chain is not pruned")
	}
	if tip := f.Tip().ID; tip != root[24].ID() {
		t.Fatalf("tip %v", tip)
	}
	if err := f.give(f.offered(real)); err != nil {
		t.Fatal(err)
	}
	f.tipIs("m99")
	if s, err := f.Manager.Share(f.id("m99")); err != nil || len(s) == 0 {
		t.Errorf("the new tip is not stored: %v", err)
	}
	f.Next("next", "m99")
	f.accept("next")

	f.give(root) // it is compared, and found wanting
	f.tipIs("next")
}

// TestLongAbsence: a node that comes back when the others have pruned all that it
// has joins anew.
func TestLongAbsence(t *testing.T) {
	f := newPairFixture(t)
	f.Next("g", "")
	names := append([]string{"g"}, f.Line("m", "g", 100, 5)...)
	f.accept(names...)
	f.ahead = 10 * 24 * time.Hour
	f.Next("n", "m99", chaingen.Later(9*24*3600))
	if err := f.give(f.offered(append(append(names, "n"), f.Line("n", "n", 100, 5)...))); err != nil {
		t.Fatal(err)
	}
	f.tipIs("n99")
}

// TestPlantedRoot: a recent share was planted as the root of a newcomer's chain,
// which then lacks a window. A chain that goes further back takes its place.
func TestPlantedRoot(t *testing.T) {
	f := newPairFixture(t)
	f.Next("g", "")
	names := append([]string{"g"}, f.Line("m", "g", 100, 5)...)
	recent := []*share.Share{f.Generator.Share("m95").Share, f.Generator.Share("m96").Share}
	if err := f.give(recent); err != nil {
		t.Fatal(err)
	}
	f.accept(names[98:]...)
	f.tipIs("m99")
	bits := f.Params.Bitcoin.PowLimitBits
	if _, err := f.Manager.Payouts(f.Tip().ID, bits, 1, 0); !errors.Is(err, blockchain.ErrWindow) {
		t.Fatalf("payouts of an unknown window: %v", err)
	}
	if l := f.Locator(); len(l) != 0 {
		t.Fatalf("the locator would hide what is missing: %v", l)
	}
	if err := f.give(f.offered(names)); err != nil {
		t.Fatal(err)
	}
	f.tipIs("m99")
	if _, err := f.Manager.Payouts(f.Tip().ID, bits, 1, 0); err != nil {
		t.Errorf("the window is still unknown: %v", err)
	}
}

// TestInvalidCandidate: a chain that breaks a rule is given up, and its sender to
// blame.
func TestInvalidCandidate(t *testing.T) {
	f := newPairFixture(t)
	f.Next("g", "")
	names := append([]string{"g"}, f.Line("m", "g", 100, 5)...)
	f.Next("g2", "", chaingen.Later(1))
	f.accept(append([]string{"g2"}, f.Line("w", "g2", 70, 1)...)...)
	list := f.offered(names)
	f.Next("bad", "m60", chaingen.Data(func(d *share.Data) { d.Count++ }))
	for i, s := range list {
		if s.Data.Previous == f.id("m60") {
			list[i] = f.Generator.Share("bad").Share
		}
	}
	for i, err := range f.AcceptAll(list[:30], list[0].ID()) {
		_, invalid := errors.AsType[blockchain.RuleError](err)
		if bad := list[i].ID() == f.id("bad"); bad != invalid {
			t.Fatalf("share %d: %v", i, err)
		} else if bad {
			break
		}
	}
	if f.candidate != nil {
		t.Error("the candidate is still there")
	}
	f.tipIs("w69")
}

// TestLostBeginning: the lowest shares were lost, as a rebuilt database may have, and
// a peer gives just those.
func TestLostBeginning(t *testing.T) {
	f := newPairFixture(t)
	f.Next("g", "")
	names := append([]string{"g"}, f.Line("m", "g", 15, 5)...)
	var list []*share.Share
	for _, name := range names {
		list = append(list, f.Generator.Share(name).Share)
	}
	if err := f.give(list[2:]); err != nil {
		t.Fatal(err)
	}
	if !f.Joining() {
		t.Fatal("the window is whole")
	}
	if err := f.give(list[:2]); err != nil {
		t.Fatal(err)
	}
	f.tipIs("m14")
	if _, err := f.Manager.Payouts(f.Tip().ID, f.Params.Bitcoin.PowLimitBits, 1, 0); err != nil || f.Joining() {
		t.Errorf("the window is still unknown: %v", err)
	}
}
