package blockchain_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// test is a chain under test beside the generator of its shares.
type test struct {
	*testing.T
	*chaingen.Generator
	chain *blockchain.Chain
	now   time.Time
}

// newTest returns an empty regtest chain with a window of 20 shares whose
// weights halve every 5, a reorg limit of 10 and a clock a day after the
// generated shares.
func newTest(t *testing.T, opts ...chainparams.Option) *test {
	t.Helper()
	params := testParams(t, "main", opts...)
	test := &test{T: t, Generator: chaingen.New(t, params), chain: blockchain.New(params)}
	test.addBitcoin("genesis")
	test.now = test.Bitcoin("genesis").Header.Timestamp.Add(24 * time.Hour)
	return test
}

func testParams(tb testing.TB, pool string, opts ...chainparams.Option) *chainparams.Params {
	tb.Helper()
	opts = append([]chainparams.Option{chainparams.WithWindow(20, 5, 60, 10), chaingen.Easy}, opts...)
	params, err := chainparams.New(chainparams.Regtest, pool, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	return params
}

func (t *test) addBitcoin(name string) {
	t.T.Helper()
	b := t.Bitcoin(name)
	if err := t.chain.AddBitcoinHeader(&b.Header, b.Height); err != nil {
		t.Fatal(err)
	}
}

// decoded returns the share as it comes from a peer.
func (t *test) decoded(name string) *share.Share {
	t.T.Helper()
	s, err := share.Decode(t.Share(name).Encode())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

func (t *test) accept(names ...string) blockchain.Update {
	t.T.Helper()
	var u blockchain.Update
	for _, name := range names {
		var err error
		if u, err = t.chain.Accept(t.decoded(name), t.now); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return u
}

// restored returns a chain made of what the test's chain has accepted and kept.
func (t *test) restored(names ...string) *blockchain.Chain {
	t.T.Helper()
	shares := make([]*share.Share, len(names))
	for i, name := range names {
		shares[i] = t.decoded(name)
	}
	slices.SortStableFunc(shares, func(a, b *share.Share) int { return cmp.Compare(a.Data.Height, b.Data.Height) })
	again, base := blockchain.New(t.Params), t.chain.Base()
	for _, s := range shares {
		if !t.chain.Have(s.ID()) {
			continue
		}
		if err := again.Restore(s, base > 0 && s.Data.Height == base); err != nil {
			t.Fatal(err)
		}
	}
	if err := again.Restored(t.chain.Tip().ID, base); err != nil {
		t.Fatal(err)
	}
	return again
}

// reject expects a verdict of that kind and that nothing has changed.
func (t *test) reject(kind blockchain.ErrorKind, name string) error {
	t.T.Helper()
	tip, shares := t.chain.Tip().ID, t.chain.Len()
	_, err := t.chain.Accept(t.Share(name).Share, t.now)
	if !errors.Is(err, kind) {
		t.Fatalf("%s: got %v, want %s", name, err, kind)
	}
	if t.chain.Tip().ID != tip || t.chain.Len() != shares {
		t.Fatalf("%s was refused, but the chain has changed", name)
	}
	return err
}

func (t *test) tip(name string) {
	t.T.Helper()
	if got := t.chain.Tip().ID; got != t.Share(name).ID {
		t.Fatalf("tip is %v, want %s", got, name)
	}
}

func TestMainChainGrows(tt *testing.T) {
	t := newTest(tt)
	if tip := t.chain.Tip(); !tip.Empty || tip.NextHeight != 0 || tip.NextBits != t.Params.EasiestBits {
		t.Errorf("empty chain: %+v", tip)
	}
	t.Next("g", "")
	u := t.accept("g")
	if !u.TipChanged || len(u.Accepted) != 1 || u.Connected != 1 || u.Disconnected != 0 {
		t.Errorf("first share: %+v", u)
	}
	names := t.Line("a", "g", 60, 7) // three times the window
	t.accept(names...)
	t.tip("a59")
	tip := t.chain.Tip()
	if tip.Height != 60 || tip.NextHeight != 61 || tip.Work != t.Share("a59").Total || tip.NextBits != t.NextBits("a59") {
		t.Errorf("tip %+v", tip)
	}
	scores, err := t.chain.Scores(tip.ID, t.Params.Bitcoin.PowLimitBits)
	if err != nil || len(scores) != 7 {
		t.Errorf("scores of %d payees, %v", len(scores), err)
	}
}

// TestReorg: the branch with more work wins, the first seen wins ties.
//
//	g - a0 - a1
//	  \ b0 - b1 - b2
func TestReorg(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Line("a", "g", 2, 3)
	t.Line("b", "g", 3, 2)
	t.accept("g", "a0", "a1", "b0")
	t.tip("a1")
	if u := t.accept("b1"); u.TipChanged {
		t.Error("equal work moved the tip")
	}
	if u := t.accept("b2"); !u.TipChanged || u.Disconnected != 2 || u.Connected != 3 {
		t.Errorf("reorganisation: %+v", u)
	}
	t.tip("b2")
	if info, ok := t.chain.Info(t.Share("a1").ID); !ok || info.OnMainChain {
		t.Errorf("a1 after the reorganisation: %+v, %v", info, ok)
	}
}

// TestDeepReorgIsRefused: with a limit of 10, a branch 11 deep does not win with
// a little more work, but it does with twice the work of what it replaces.
func TestDeepReorgIsRefused(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.accept("g")
	a := t.Line("a", "g", 12, 3)
	b := t.Line("b", "g", 25, 2)
	t.accept(a[:10]...)
	t.accept(b[:10]...) // as deep as the limit, not heavier
	t.accept(a[10:11]...)
	t.accept(b[10:11]...)
	t.tip(a[10])
	for _, name := range b[11:21] {
		if u := t.accept(name); u.TipChanged || !u.DeepReorg {
			t.Errorf("%s, 11 deep: %+v", name, u)
		}
	}
	t.tip(a[10])
	if u := t.accept(b[21]); !u.TipChanged || u.DeepReorg || u.Disconnected != 11 {
		t.Errorf("with 22 against 11 shares: %+v", u)
	}
	t.tip(b[21])
}

// TestCapturedNodeEscapes: a node that was fed a long worthless chain first finds
// the real one.
func TestCapturedNodeEscapes(tt *testing.T) {
	t := newTest(tt)
	t.Next("fake", "")
	t.accept("fake")
	t.accept(t.Line("f", "fake", 30, 1)...)
	t.Next("g", "", chaingen.Payee(1))
	t.accept("g")
	// The real chain is ahead of schedule and grows harder.
	last := "g"
	for i := range 200 {
		name := fmt.Sprint("r", i)
		t.Next(name, last, chaingen.Later(-1))
		t.accept(name)
		last = name
	}
	t.tip(last)
}

// TestCheapBranchIsRefused: a branch from below the tip whose shares say that
// hours have passed has the easiest bits again. It is not worth keeping.
func TestCheapBranchIsRefused(tt *testing.T) {
	t := newTest(tt, chainparams.WithWindow(20, 5, 300, 10))
	t.Next("g", "")
	t.accept("g")
	last := "g"
	for i := range 250 { // to a difficulty of about 16
		name := fmt.Sprint("a", i)
		t.Next(name, last, chaingen.Later(-1))
		t.accept(name)
		last = name
	}
	t.Next("fork", "a200", chaingen.Later(3600), chaingen.Payee(7))
	t.accept("fork") // its own bits are the parent's
	t.Next("cheap", "fork", chaingen.Payee(7))
	t.reject(blockchain.ErrLowWork, "cheap")
}

// TestUncleCandidates: the snapshot offers what the next share may reference.
func TestUncleCandidates(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Line("a", "g", 2, 3)
	for i, name := range []string{"u", "v", "w", "x"} {
		t.Next(name, "a0", chaingen.Payee(10+i))
	}
	t.Next("b", "g", chaingen.Payee(9))
	t.accept("g", "a0", "a1", "u", "v", "w", "x", "b")
	got := t.chain.Tip().Uncles
	if len(got) != 3 {
		t.Fatalf("%d candidates, want the limit of 3", len(got))
	}
	// Of equal work the earlier seen come first: b lies a generation lower.
	for _, name := range []string{"u", "v", "w"} {
		if !slices.Contains(got, t.Share(name).ID) {
			t.Errorf("%s is no candidate", name)
		}
	}
	t.Next("n", "a1", chaingen.Uncles("u", "v", "w"))
	t.accept("n")
	if got := t.chain.Tip().Uncles; len(got) != 1 || got[0] != t.Share("x").ID {
		t.Errorf("candidates after n: %v, want x", got)
	}
}

func TestBlocksAreMarked(tt *testing.T) {
	t := newTest(tt, chainparams.WithWindow(20, 5, 300, 10))
	t.Next("g", "")
	t.accept("g")
	names := t.Line("a", "g", 200, 3)
	want := 0
	for _, name := range names {
		u := t.accept(name)
		s := t.Share(name)
		easiest := t.Params.EasiestTarget
		limit := t.Params.BlockTarget(easiest, easiest)
		hash := s.ID
		isBlock := slices.Compare(reversed(hash), reversed(chainhash.Hash(limit.BytesLE()))) <= 0
		if u.Accepted[0].Block != isBlock {
			t.Fatalf("%s: block %v, want %v", name, u.Accepted[0].Block, isBlock)
		}
		if isBlock {
			want++
		}
	}
	if got := len(t.chain.Blocks(1000)); got != want || want == 0 {
		t.Errorf("%d blocks of %d", got, want)
	}
}

// reversed returns a hash in the byte order of numbers.
func reversed(h chainhash.Hash) []byte {
	b := slices.Clone(h[:])
	slices.Reverse(b)
	return b
}

// TestWeigh: a share that took a considerable part of the next one's work is dear,
// wherever it belongs; one that breaks a rule by itself is refused.
func TestWeigh(tt *testing.T) {
	t := newTest(tt, chainparams.WithWindow(20, 5, 300, 10))
	weigh := func(name string) (bool, error) { return t.chain.Tip().Weigh(t.Params, t.Share(name).Share) }
	t.Next("g", "")
	if dear, err := weigh("g"); !dear || err != nil {
		t.Errorf("the first share of all: %v, %v", dear, err)
	}
	t.accept("g")
	last := "g"
	for i := range 300 { // to a difficulty of more than 32
		name := fmt.Sprint("a", i)
		t.Next(name, last, chaingen.Later(-1))
		t.accept(name)
		last = name
	}
	t.Next("next", last)
	if dear, err := weigh("next"); !dear || err != nil {
		t.Errorf("the tip's child: %v, %v", dear, err)
	}
	if dear, err := weigh("g"); dear || err != nil {
		t.Errorf("an easy share: %v, %v", dear, err)
	}
	t.Next("stolen", last)
	t.Share("stolen").Data.Payee = chaingen.Script(1_000_000)
	t.Next("unworked", last)
	t.Share("unworked").Data.Bits = 0x1d00ffff
	for name, kind := range map[string]blockchain.ErrorKind{"stolen": share.ErrMerkleRoot, "unworked": share.ErrProofOfWork} {
		if dear, err := weigh(name); dear || !errors.Is(err, kind) {
			t.Errorf("%s: %v, %v", name, dear, err)
		}
	}
	easiest := *t.Params
	easiest.EasiestTarget = t.chain.Tip().NextTarget
	if _, err := t.chain.Tip().Weigh(&easiest, t.Share("g").Share); !errors.Is(err, blockchain.ErrUnexpectedBits) {
		t.Errorf("easier than the network allows: %v", err)
	}
}
