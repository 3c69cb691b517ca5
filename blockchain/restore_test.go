package blockchain_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/share"
)

// TestErrorsTell: what the log says names the share and the cause.
func TestErrorsTell(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Next("a", "g")
	t.Next("b", "a")
	again := blockchain.New(t.Params)
	err := again.Restore(t.decoded("b"), false)
	if !errors.Is(err, blockchain.ErrCorrupt) || !errors.Is(err, blockchain.ErrMissingParent) || !strings.Contains(err.Error(), t.Share("b").ID.String()) ||
		!strings.Contains(err.Error(), t.Share("a").ID.String()) {
		t.Errorf("a hole in the store: %v", err)
	}
	if err := again.Restored(t.Share("g").ID, 0); !strings.Contains(err.Error(), t.Share("g").ID.String()) {
		t.Errorf("a missing tip: %v", err)
	}
	_, err = t.chain.Accept(t.decoded("b"), t.now)
	if !strings.Contains(err.Error(), t.Share("a").ID.String()) {
		t.Errorf("a missing parent: %v", err)
	}
	t.accept("g")
	s := clone(t.Share("g").Share)
	s.Data.Version = 7
	if _, err := t.chain.Accept(s, t.now); !errors.Is(err, blockchain.ErrDuplicate) || err.Error() == "" {
		t.Errorf("a duplicate: %v", err)
	}
	s.Header.Nonce++
	if _, err := t.chain.Accept(s, t.now); !strings.Contains(err.Error(), "7") {
		t.Errorf("an unknown version: %v", err)
	}
	if blockchain.ErrCorrupt.Error() != "ErrCorrupt" {
		t.Errorf("a kind calls itself %q", blockchain.ErrCorrupt.Error())
	}
}

// TestRestoreChecked: a store whose shares fit but whose coinbase does not is found
// where the window is known.
func TestRestoreChecked(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	names := append([]string{"g"}, t.Line("a", "g", 30, 3)...)
	wrong := clone(t.Share("a29").Share)
	wrong.SetCoinbase(&t.Params.ChainID, chaingen.CoinbaseValue, nil)
	solve(wrong)
	for _, from := range []int{0, 5, 15} {
		c := blockchain.New(t.Params)
		for i, name := range names[from : len(names)-1] {
			whole, err := c.RestoreChecked(t.decoded(name), from > 0 && i == 0)
			// From a root on, a window's worth of shares has to be there first.
			if want := from == 0 || i >= 20; err != nil || whole != want {
				t.Fatalf("from %d, %s: checked in full %v, want %v: %v", from, name, whole, want, err)
			}
		}
		_, err := c.RestoreChecked(wrong, false)
		if known := from < 15; known != errors.Is(err, share.ErrPayouts) || known != errors.Is(err, blockchain.ErrCorrupt) {
			t.Errorf("from %d: another coinbase: %v", from, err)
		}
	}
	if _, err := blockchain.New(t.Params).RestoreChecked(t.decoded("a3"), false); !errors.Is(err, blockchain.ErrCorrupt) {
		t.Errorf("a hole: %v", err)
	}
}

// TestBest: the tip of a store that has lost its own is the same in whatever order
// its shares come.
func TestBest(tt *testing.T) {
	t := newTest(tt)
	if best := t.chain.Best(); best != (chainhash.Hash{}) {
		t.Errorf("the best of nothing is %v", best)
	}
	t.Next("g", "")
	t.Line("a", "g", 3, 2)
	t.Line("b", "g", 3, 3)
	t.Line("c", "g", 2, 3)
	var want chainhash.Hash
	for _, order := range [][]string{{"a", "b", "c"}, {"c", "b", "a"}} {
		c := blockchain.New(t.Params)
		if err := c.Restore(t.decoded("g"), false); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			for _, branch := range order {
				if branch == "c" && i == 2 {
					continue
				}
				if err := c.Restore(t.decoded(branch+string(rune('0'+i))), false); err != nil {
					t.Fatal(err)
				}
			}
		}
		got := c.Best()
		if got != t.Share("a2").ID && got != t.Share("b2").ID || want != (chainhash.Hash{}) && got != want {
			t.Errorf("order %v: the best is %v, before %v", order, got, want)
		}
		if want = got; c.Restored(got, 0) != nil {
			t.Error("the best is no tip")
		}
	}
}

// TestStoreHasLostTheTip: shares without a tip, and a tip without shares.
func TestStoreHasLostTheTip(tt *testing.T) {
	t := newTest(tt)
	if err := blockchain.New(t.Params).Restored(chainhash.Hash{}, 0); err != nil {
		t.Errorf("an empty store: %v", err)
	}
	if err := blockchain.New(t.Params).Restored(chainhash.Hash{1}, 0); !errors.Is(err, blockchain.ErrCorrupt) {
		t.Errorf("a tip without shares: %v", err)
	}
	t.Next("g", "")
	c := blockchain.New(t.Params)
	if err := c.Restore(t.decoded("g"), false); err != nil {
		t.Fatal(err)
	}
	if err := c.Restored(chainhash.Hash{}, 0); !errors.Is(err, blockchain.ErrCorrupt) {
		t.Errorf("shares without a tip: %v", err)
	}
}

// TestRestoreRefusedBranch: a branch with more work that was refused for its depth
// is no damage.
func TestRestoreRefusedBranch(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	names := append([]string{"g"}, t.Line("a", "g", 12, 3)...)
	names = append(names, t.Line("b", "g", 15, 2)...)
	t.accept(names...)
	t.tip("a11")
	again := t.restored(names...)
	if again.Tip().ID != t.Share("a11").ID {
		t.Error("the restart took the branch")
	}
}

// TestAncestorsBlockIsAbsent: a restored share builds on a Bitcoin block that our
// node does not have any more. What stands on it waits no longer than until that
// is known, however young it is.
func TestAncestorsBlockIsAbsent(tt *testing.T) {
	t := newTest(tt)
	t.NextBitcoin("B1", "genesis")
	t.NextBitcoin("C1", "genesis")
	t.addBitcoin("B1")
	t.addBitcoin("C1")
	t.Next("g", "")
	t.Next("a", "g", chaingen.On("B1"))
	t.Next("b", "a", chaingen.On("C1"))
	t.accept("g", "a")
	t.chain = t.restored("g", "a")
	t.addBitcoin("genesis")
	t.addBitcoin("C1")
	t.now = time.Unix(int64(t.Share("b").Data.Time), 0)
	if w := t.undecided(blockchain.ErrMissingBitcoinBlock, "b"); *w.MissingBlock != t.Bitcoin("B1").Hash {
		t.Errorf("waits for %v", w.MissingBlock)
	}
	t.chain.BitcoinBlockAbsent(t.Bitcoin("B1").Hash)
	if u := t.chain.Retry(t.now); len(u.Accepted) != 1 {
		t.Errorf("the answer brought %+v", u)
	}
	t.tip("b")
}
