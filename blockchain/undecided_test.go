package blockchain_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
)

// undecided expects the share to be held for want of that.
func (t *test) undecided(kind blockchain.ErrorKind, name string) *blockchain.UndecidedError {
	t.T.Helper()
	err := t.reject(kind, name)
	waits, ok := errors.AsType[*blockchain.UndecidedError](err)
	if !ok {
		t.Fatalf("%s: %v is not undecided", name, err)
	}
	if t.chain.Stats().Undecided == 0 {
		t.Fatalf("%s is not held", name)
	}
	return waits
}

func TestMissingParentAndUncle(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Line("a", "g", 2, 3)
	t.Next("u", "g", chaingen.Payee(4))
	t.Next("n", "a0", chaingen.Uncles("u"))
	t.accept("g")
	if w := t.undecided(blockchain.ErrMissingParent, "n"); len(w.MissingShares) != 2 {
		t.Errorf("n asks for %d shares, want parent and uncle", len(w.MissingShares))
	}
	t.accept("a0")
	t.tip("a0") // n still lacks its uncle
	u := t.accept("u")
	if len(u.Accepted) != 2 || u.Accepted[1].ID != t.Share("n").ID {
		t.Errorf("u brought %+v", u.Accepted)
	}
	t.tip("n")
}

func TestMissingBitcoinBlock(tt *testing.T) {
	t := newTest(tt)
	t.NextBitcoin("B1", "genesis")
	t.Next("g", "")
	t.Next("a", "g", chaingen.On("B1"))
	t.accept("g")
	if w := t.undecided(blockchain.ErrMissingBitcoinBlock, "a"); w.MissingBlock == nil || *w.MissingBlock != t.Bitcoin("B1").Hash {
		t.Errorf("a waits for %v", w.MissingBlock)
	}
	t.addBitcoin("B1")
	if u := t.chain.Retry(t.now); !u.TipChanged {
		t.Error("the block's arrival changed nothing")
	}
	t.tip("a")
}

// TestReleasedShareMissesBlock: a share that waited for its parent turns out to
// wait for a Bitcoin block next, which has to be asked for.
func TestReleasedShareMissesBlock(tt *testing.T) {
	t := newTest(tt)
	t.NextBitcoin("B1", "genesis")
	t.Next("g", "")
	t.Next("a", "g")
	t.Next("b", "a", chaingen.On("B1"))
	t.accept("g")
	t.undecided(blockchain.ErrMissingParent, "b")
	u := t.accept("a")
	if len(u.MissingBlocks) != 1 || u.MissingBlocks[0] != t.Bitcoin("B1").Hash {
		t.Errorf("a released %+v", u)
	}
	t.addBitcoin("B1")
	t.chain.Retry(t.now)
	t.tip("b")
}

func TestHeldInvalidShareIsReported(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Next("a", "g")
	t.Next("bad", "a", chaingen.Later(-2))
	t.accept("g")
	t.undecided(blockchain.ErrMissingParent, "bad")
	u := t.accept("a")
	if len(u.Refused) != 1 || !errors.Is(u.Refused[0].Err, blockchain.ErrTimeTooOld) {
		t.Errorf("refused: %+v", u.Refused)
	}
}

// TestUndecidedPoolIsBounded holds far more shares than the limit, and some for
// longer than allowed.
func TestUndecidedPoolIsBounded(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Next("p", "g")
	var names []string
	for i := range 250 {
		names = append(names, fmt.Sprint("o", i))
		t.Next(names[i], "p", chaingen.Payee(i))
	}
	t.accept("g")
	for _, name := range names {
		t.undecided(blockchain.ErrMissingParent, name)
	}
	if n := t.chain.Stats().Undecided; n != 100 {
		t.Errorf("%d shares held, the limit is 100", n)
	}
	t.chain.Retry(t.now.Add(11 * time.Minute))
	if n := t.chain.Stats().Undecided; n != 0 {
		t.Errorf("%d shares held after 11 minutes", n)
	}
}

// TestForgedBodyHidesNothing: a real header with forged data around it arrives
// first, and so often that it could fill the pool.
func TestForgedBodyHidesNothing(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Next("p", "g")
	t.Next("s", "p")
	t.accept("g")
	forge := func(i int) {
		forged := t.decoded("s")
		forged.Data.Payee = chaingen.Script(100 + i)
		if _, err := t.chain.Accept(forged, t.now); !errors.Is(err, share.ErrMerkleRoot) {
			t.Fatal(err)
		}
	}
	forge(0)
	t.undecided(blockchain.ErrMissingParent, "s")
	for i := range 20 {
		forge(i)
	}
	if n := t.chain.Stats().Undecided; n != 1 {
		t.Errorf("%d shares are held", n)
	}
	u := t.accept("p")
	t.tip("s")
	if len(u.Refused) != 0 {
		t.Errorf("refused: %+v", u.Refused)
	}
}

// tangle makes a chain of forks, uncles and two Bitcoin blocks, and returns its
// share names.
func tangle(t *test) []string {
	t.NextBitcoin("B1", "genesis")
	names := []string{"g"}
	t.Next("g", "")
	tip, below := "g", ""
	for i := range 40 {
		name, uncle := fmt.Sprint("m", i), fmt.Sprint("s", i)
		var opts []chaingen.Option
		if i >= 20 {
			opts = append(opts, chaingen.On("B1"))
		}
		if below != "" && i%3 == 0 {
			// A sibling of the tip, for this share to reference.
			t.Next(uncle, below, append(opts, chaingen.Payee(50+i))...)
			names = append(names, uncle)
			opts = append(opts, chaingen.Uncles(uncle))
		}
		t.Next(name, tip, append(opts, chaingen.Payee(i%6))...)
		names = append(names, name)
		tip, below = name, tip
	}
	// A losing branch.
	return append(names, t.Line("l", "m30", 5, 4)...)
}

// TestAnyOrderOfArrival: whatever order shares and Bitcoin blocks come in, with
// duplicates, the tip and the scores are the same. Shares are offered until
// nothing is missing any more, as peers would.
func TestAnyOrderOfArrival(tt *testing.T) {
	ref := newTest(tt)
	names := tangle(ref)
	ref.addBitcoin("B1")
	ref.accept(names...)
	ref.tip("m39")
	want, err := ref.chain.Scores(ref.chain.Tip().ID, ref.Params.Bitcoin.PowLimitBits)
	if err != nil {
		tt.Fatal(err)
	}
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		chain := blockchain.New(ref.Params)
		genesis, b1 := ref.Bitcoin("genesis"), ref.Bitcoin("B1")
		if err := chain.AddBitcoinHeader(&genesis.Header, 0); err != nil {
			tt.Fatal(err)
		}
		for round := 0; chain.Tip().ID != ref.Share("m39").ID || chain.Len() != len(names); round++ {
			if round > 60 {
				tt.Fatalf("seed %d: stuck with %d of %d shares", seed, chain.Len(), len(names))
			}
			for _, i := range rng.Perm(len(names)) {
				_, err := chain.Accept(ref.Share(names[i]).Share, ref.now)
				if _, invalid := errors.AsType[blockchain.RuleError](err); invalid {
					tt.Fatalf("seed %d: %s: %v", seed, names[i], err)
				}
			}
			if round == 2 {
				if err := chain.AddBitcoinHeader(&b1.Header, 1); err != nil {
					tt.Fatal(err)
				}
				chain.Retry(ref.now)
			}
		}
		got, err := chain.Scores(chain.Tip().ID, ref.Params.Bitcoin.PowLimitBits)
		if err != nil || !reflect.DeepEqual(got, want) {
			tt.Fatalf("seed %d: scores differ: %v", seed, err)
		}
	}
}

// TestRestore: stored shares give the same chain without being judged again; damage
// is noticed.
func TestRestore(tt *testing.T) {
	t := newTest(tt)
	names := tangle(t)
	t.addBitcoin("B1")
	t.accept(names...)
	again := t.restored(names...)
	if got, want := again.Tip().ID, t.chain.Tip().ID; got != want || again.Stats().Uncles != t.chain.Stats().Uncles {
		t.Errorf("tip %v, want %v", got, want)
	}
	hole := blockchain.New(t.Params)
	if err := hole.Restore(t.decoded("m0"), false); !errors.Is(err, blockchain.ErrCorrupt) {
		t.Errorf("a hole: %v", err)
	}
	damaged := t.decoded("g")
	damaged.Data.Bits = 0x1d00ffff
	if err := hole.Restore(damaged, false); !errors.Is(err, blockchain.ErrCorrupt) {
		t.Errorf("damage: %v", err)
	}
}

// TestRestoredShareOnStaleBlock: the tip builds on a Bitcoin block that lost, and
// whose header is not there after a restart. What must not go back cannot be
// judged without it, and it is asked for.
func TestRestoredShareOnStaleBlock(tt *testing.T) {
	t := newTest(tt)
	t.NextBitcoin("B1", "genesis")
	t.NextBitcoin("B2", "B1")
	t.addBitcoin("B1")
	t.addBitcoin("B2")
	t.Next("g", "")
	t.Next("a", "g", chaingen.On("B2"))
	t.Next("back", "a", chaingen.On("genesis"))
	t.accept("g", "a")
	t.reject(blockchain.ErrBitcoinBackwards, "back")

	t.chain = t.restored("g", "a")
	t.addBitcoin("genesis")
	if w := t.undecided(blockchain.ErrMissingBitcoinBlock, "back"); *w.MissingBlock != t.Bitcoin("B2").Hash {
		t.Errorf("waits for %v", w.MissingBlock)
	}
	t.addBitcoin("B1")
	t.addBitcoin("B2")
	if u := t.chain.Retry(t.now); len(u.Refused) != 1 || !errors.Is(u.Refused[0].Err, blockchain.ErrBitcoinBackwards) {
		t.Errorf("after the block's arrival: %+v", u)
	}
}

// TestImplausibleIsNotHeld: what is far ahead of the tip or the clock, or far too
// easy, gets no place among the undecided.
func TestImplausibleIsNotHeld(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Next("p", "g")
	t.Next("far above", "p", chaingen.Data(func(d *share.Data) { d.Height = 102 }))
	t.Next("far ahead", "p", chaingen.Later(30*3600))
	t.accept("g")
	for _, name := range []string{"far above", "far ahead"} {
		t.reject(blockchain.ErrMissingParent, name)
	}
	if n := t.chain.Stats().Undecided; n != 0 {
		t.Errorf("%d shares are held", n)
	}
}

func TestLocatorAndQueries(tt *testing.T) {
	t := newTest(tt)
	if l := t.chain.Locator(); len(l) != 0 {
		t.Errorf("locator of an empty chain: %v", l)
	}
	names := tangle(t)
	t.addBitcoin("B1")
	t.accept(names...)
	locator := t.chain.Locator()
	if locator[0] != t.Share("m39").ID || locator[len(locator)-1] != t.Share("g").ID || len(locator) > 20 {
		t.Errorf("locator of %d", len(locator))
	}
	all := t.chain.AfterLocator(nil, chainhash.Hash{}, 1000)
	seen := map[chainhash.Hash]bool{}
	for _, id := range all {
		info, _ := t.chain.Info(id)
		for _, u := range info.Uncles {
			if !seen[u] {
				t.Errorf("uncle %v comes after its nephew", u)
			}
		}
		seen[id] = true
	}
	if want := 41 + t.chain.Stats().Uncles; len(all) != want {
		t.Errorf("%d shares after nothing, want %d", len(all), want)
	}
	// A peer on the losing branch forks at m30.
	after := t.chain.AfterLocator([]chainhash.Hash{t.Share("l4").ID, t.Share("m30").ID, t.Share("g").ID}, t.Share("m32").ID, 1000)
	if len(after) == 0 || after[len(after)-1] != t.Share("m32").ID || len(after) > 4 {
		t.Errorf("after m30 up to m32: %v", after)
	}
	if got := t.chain.AfterLocator(nil, chainhash.Hash{}, 7); len(got) > 7 {
		t.Errorf("%d shares, the limit was 7", len(got))
	}
	up := t.chain.Ancestors(t.Share("m5").ID, 3, []chainhash.Hash{t.Share("m2").ID})
	if len(up) < 2 || up[0] != t.Share("m4").ID || slices.Contains(up, t.Share("m2").ID) {
		t.Errorf("ancestors of m5: %v", up)
	}
	if len(t.chain.Latest(5)) != 5 || t.chain.Latest(5)[0].ID != t.Share("m39").ID {
		t.Error("the latest shares do not begin with the tip")
	}
	if t.chain.Hashrate(10) <= 0 {
		t.Error("no hashrate")
	}
}
