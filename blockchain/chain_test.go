package blockchain_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

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
	opts = append([]chainparams.Option{chainparams.WithWindow(20, 5, 60, 10), chaingen.Easy}, opts...)
	params, err := chainparams.New(chainparams.Regtest, "main", opts...)
	if err != nil {
		t.Fatal(err)
	}
	test := &test{T: t, Generator: chaingen.New(t, params), chain: blockchain.New(params)}
	test.addBitcoin("genesis")
	test.now = test.Bitcoin("genesis").Header.Timestamp.Add(24 * time.Hour)
	return test
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
// a little more work, but it does with twice the work.
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
	for _, name := range b[11:22] {
		if u := t.accept(name); u.TipChanged || !u.DeepReorg {
			t.Errorf("%s, 11 deep: %+v", name, u)
		}
	}
	t.tip(a[10])
	if u := t.accept(b[22]); !u.TipChanged || u.DeepReorg || u.Disconnected != 11 {
		t.Errorf("with 24 against 12 shares: %+v", u)
	}
	t.tip(b[22])
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
	t := newTest(tt)
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

// TestUncles walks through the rules of uncles. The nephew is at height 4:
//
//	g - a0 - a1 - a2 - nephew
//	 \    \    \- w2 (height 3)
//	  \    \- v1 (height 2)
//	   \- u0 (height 1, its parent 4 above the nephew: too far)
func TestUncles(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Line("a", "g", 3, 3)
	t.Next("u0", "g", chaingen.Payee(5))
	t.Next("v1", "a0", chaingen.Payee(6))
	t.Next("w2", "a1", chaingen.Payee(7))
	t.Next("sibling", "a2", chaingen.Payee(8))
	t.Next("vv", "v1", chaingen.Payee(8))
	t.accept("g", "a0", "a1", "a2", "u0", "v1", "w2", "sibling", "vv")

	t.Next("too deep", "a2", chaingen.Uncles("u0"))
	t.reject(blockchain.ErrUncleDepth, "too deep")
	t.Next("same height", "a2", chaingen.Uncles("sibling"))
	t.reject(blockchain.ErrUncleDepth, "same height")
	t.Next("first share", "a0", chaingen.Uncles("g"))
	t.reject(blockchain.ErrUncleDepth, "first share")
	t.Next("ancestor", "a2", chaingen.Uncles("a1"))
	t.reject(blockchain.ErrUncleIsAncestor, "ancestor")
	t.Next("parent", "a2", chaingen.Uncles("a2"))
	t.reject(blockchain.ErrUncleIsAncestor, "parent")
	t.Next("elsewhere", "a2", chaingen.Uncles("vv"))
	t.reject(blockchain.ErrUncleParent, "elsewhere")

	want := []chainhash.Hash{t.Share("v1").ID, t.Share("w2").ID}
	t.Next("nephew", "a2", chaingen.Uncles("v1", "w2"), chaingen.Payee(1))
	// The sibling was seen before, but the nephew brings its uncles' work.
	t.accept("nephew")
	t.tip("nephew")
	if info, _ := t.chain.Info(t.Share("nephew").ID); len(info.Uncles) != 2 || !slices.Contains(info.Uncles, want[0]) {
		t.Errorf("uncles %v", info.Uncles)
	}
	t.Next("again", "nephew", chaingen.Uncles("w2"))
	t.reject(blockchain.ErrUncleTwice, "again")
	t.Next("next", "nephew", chaingen.Uncles("sibling"))
	t.accept("next")
	if got := t.chain.Stats().Uncles; got != 3 {
		t.Errorf("%d uncles on the main chain, want 3", got)
	}
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

// TestRules breaks each rule of context by itself.
func TestRules(tt *testing.T) {
	t := newTest(tt)
	t.NextBitcoin("B1", "genesis")
	t.NextBitcoin("B2", "B1")
	t.NextBitcoin("C1", "genesis")
	for _, b := range []string{"B1", "B2", "C1"} {
		t.addBitcoin(b)
	}
	t.Next("g", "")
	t.Next("a", "g", chaingen.On("B1"))
	t.accept("g", "a")

	data := chaingen.Data
	tests := []struct {
		kind blockchain.ErrorKind
		name string
		opts []chaingen.Option
	}{
		{blockchain.ErrHeight, "height", []chaingen.Option{data(func(d *share.Data) { d.Height++ })}},
		{blockchain.ErrTimeTooOld, "time", []chaingen.Option{chaingen.Later(-2)}},
		{blockchain.ErrUnexpectedBits, "easy bits", []chaingen.Option{chaingen.Bits(0x2100ffff)}},
		{blockchain.ErrUnexpectedBits, "hard bits", []chaingen.Option{chaingen.Bits(0x203fffff)}},
		{share.ErrBits, "bits of zero", []chaingen.Option{chaingen.Bits(0)}},
		{blockchain.ErrBitcoinHeight, "Bitcoin height", []chaingen.Option{data(func(d *share.Data) { d.BitcoinHeight++ })}},
		{blockchain.ErrBitcoinHeader, "Bitcoin bits", []chaingen.Option{chaingen.Header(func(h *wire.BlockHeader) { h.Bits = 0x207ffffe })}},
		{blockchain.ErrBitcoinHeader, "header time", []chaingen.Option{chaingen.Header(func(h *wire.BlockHeader) { h.Timestamp = time.Unix(0, 0) })}},
		{blockchain.ErrBitcoinHeader, "header version", []chaingen.Option{chaingen.Header(func(h *wire.BlockHeader) { h.Version = 3 })}},
		{blockchain.ErrBitcoinBackwards, "older Bitcoin block", []chaingen.Option{chaingen.On("genesis")}},
		{share.ErrMerkleRoot, "payouts", []chaingen.Option{chaingen.Header(func(h *wire.BlockHeader) { h.MerkleRoot[0]++ })}},
		{share.ErrCoinbaseValue, "value", []chaingen.Option{data(func(d *share.Data) { d.CoinbaseValue = -1 })}},
	}
	for _, test := range tests {
		t.Next(test.name, "a", test.opts...)
		t.reject(test.kind, test.name)
	}
	t.Next("times before Bitcoin's", "a", chaingen.On("B2"), chaingen.Later(-3*3600))
	t.reject(blockchain.ErrTimeTooOld, "times before Bitcoin's")

	// What lies just inside of the rules.
	t.Next("on another branch", "a", chaingen.On("C1"))
	t.Next("on the newest", "a", chaingen.On("B2"))
	t.Next("one back on another branch", "on the newest", chaingen.On("C1"))
	t.accept("on another branch", "on the newest", "one back on another branch")

	// From there it must not go back further: B1 lies below B2.
	t.Next("zig-zag", "one back on another branch", chaingen.On("B1"))
	t.reject(blockchain.ErrBitcoinBackwards, "zig-zag")
	t.NextBitcoin("B3", "B2")
	t.addBitcoin("B3")
	t.Next("on B3", "on the newest", chaingen.On("B3"))
	t.accept("on B3")
	t.Next("two lower", "on B3", chaingen.On("C1"))
	t.reject(blockchain.ErrBitcoinBackwards, "two lower")
	// A block that nobody knows is not asked for if its height alone is wrong.
	t.NextBitcoin("D1", "genesis")
	t.Next("unknown and two lower", "on B3", chaingen.On("D1"))
	t.reject(blockchain.ErrBitcoinBackwards, "unknown and two lower")
}

func TestTimeBeforeBitcoin(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "", chaingen.Later(-3600)) // at the time of Bitcoin's genesis
	names := []string{"genesis"}
	for i := range 13 { // 130 minutes of blocks
		names = append(names, string(rune('A'+i)))
		t.NextBitcoin(names[i+1], names[i])
		t.addBitcoin(names[i+1])
	}
	t.accept("g")
	t.Next("early", "g", chaingen.On("M"))
	t.reject(blockchain.ErrTimeBeforeBitcoin, "early")
	t.Next("in time", "g", chaingen.On("K")) // 110 minutes
	t.accept("in time")
}

func TestFirstShare(tt *testing.T) {
	t := newTest(tt)
	t.Next("with a height", "", chaingen.Data(func(d *share.Data) { d.Height = 1 }))
	t.reject(blockchain.ErrFirstShare, "with a height")
	t.Next("with an uncle", "", chaingen.Data(func(d *share.Data) { d.Uncles = []chainhash.Hash{{1}} }))
	t.reject(blockchain.ErrFirstShare, "with an uncle")
	t.Next("g", "")
	t.accept("g")
	t.reject(blockchain.ErrDuplicate, "g")
	t.Next("another", "", chaingen.Payee(1))
	if u := t.accept("another"); u.TipChanged {
		t.Error("a second first share moved the tip")
	}
}

// TestWrongPayoutIsRefused: a share that pays itself everything.
func TestWrongPayoutIsRefused(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.accept("g")
	thief := t.Next("thief", "g", chaingen.Payee(3))
	all := thief.Coinbase(&t.Params.ChainID, chaingen.CoinbaseValue, nil)
	thief.Header.MerkleRoot = share.MerkleRoot(chainhash.DoubleHashH(all), thief.Branch)
	for {
		if _, err := thief.CheckSanity(); err == nil {
			break
		}
		thief.Header.Nonce++
	}
	t.reject(share.ErrMerkleRoot, "thief")
}

// TestOtherChainsShareIsRefused: a share is worth nothing in another pool.
func TestOtherChainsShareIsRefused(tt *testing.T) {
	t := newTest(tt)
	params, err := chainparams.New(chainparams.Regtest, "other", chainparams.WithWindow(20, 5, 60, 10), chaingen.Easy)
	if err != nil {
		t.Fatal(err)
	}
	other := chaingen.New(t, params)
	if _, err := t.chain.Accept(other.Next("g", "").Share, t.now); !errors.Is(err, share.ErrMerkleRoot) {
		t.Errorf("got %v", err)
	}
}

func TestBlocksAreMarked(tt *testing.T) {
	t := newTest(tt)
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
