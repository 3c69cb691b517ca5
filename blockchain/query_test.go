package blockchain_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
)

// TestQueriesOfNothing: an empty chain answers everything, with nothing.
func TestQueriesOfNothing(tt *testing.T) {
	t := newTest(tt)
	none, c := chainhash.Hash{}, t.chain
	if _, ok := c.Info(none); ok {
		t.Error("information about no share")
	}
	if _, ok := c.IDAt(0); ok {
		t.Error("a share at height 0")
	}
	if _, ok := c.HeightOf(none); ok {
		t.Error("a height of no share")
	}
	if len(c.Latest(5))+len(c.Blocks(5))+len(c.Locator())+len(c.AfterLocator(nil, none, 5))+len(c.Ancestors(none, 5, nil)) != 0 {
		t.Error("shares of an empty chain")
	}
	if c.Hashrate(5) != 0 || c.Window(none, t.Params.Bitcoin.PowLimitBits) != (blockchain.Window{}) || c.Stats() != (blockchain.Stats{}) {
		t.Error("figures of an empty chain")
	}
	if e := c.WindowEntries(none, t.Params.Bitcoin.PowLimitBits); e != nil {
		t.Errorf("entries of an empty chain: %v", e)
	}
	// The first share of all pays its finder everything.
	r, err := c.Payouts(none, t.Params.Bitcoin.PowLimitBits, 100, share.Class12)
	if err != nil || r.Finder != 100 || len(r.Payouts) != 0 {
		t.Errorf("payouts of a first share: %+v, %v", r, err)
	}
}

func TestQueriesByHeight(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.accept("g")
	names := t.Line("a", "g", 70, 3)
	t.accept(names...)
	for i, name := range names {
		id := t.Share(name).ID
		height, known := t.chain.HeightOf(id)
		at, there := t.chain.IDAt(uint32(i + 1))
		if kept := uint32(i+1) >= t.chain.Base(); known != kept || there != kept || kept && (height != uint32(i+1) || at != id) {
			t.Errorf("%s: height %d, %v, and at its height %v, %v", name, height, known, at, there)
		}
	}
	if _, ok := t.chain.IDAt(math.MaxUint32); ok {
		t.Error("a share at the greatest height")
	}
	if b := t.Bitcoin("genesis").Hash; !t.chain.HasBitcoinBlock(b) || t.chain.HasBitcoinBlock(chainhash.Hash{1}) {
		t.Error("Bitcoin blocks are confused")
	}
}

func TestLimitedAnswers(tt *testing.T) {
	t := newTest(tt)
	names := tangle(t)
	t.addBitcoin("B1")
	t.accept(names...)
	all := t.chain.Blocks(math.MaxInt)
	if len(all) < 2 {
		t.Fatalf("%d blocks: this tests nothing", len(all))
	}
	for n := range len(all) + 2 {
		if got := t.chain.Blocks(n); len(got) != min(n, len(all)) {
			t.Errorf("%d blocks of at most %d", len(got), n)
		}
	}
	if ids := t.chain.Ancestors(t.Share("m39").ID, 0, nil); len(ids) != len(t.Share("m39").Data.Uncles) {
		t.Errorf("no generation of ancestors: %v", ids)
	}
	for generations := range 5 {
		parents := 0
		for _, id := range t.chain.Ancestors(t.Share("m39").ID, generations, nil) {
			if info, _ := t.chain.Info(id); info.OnMainChain {
				parents++
			}
		}
		if parents != generations {
			t.Errorf("%d parents in %d generations", parents, generations)
		}
	}
	if ids := t.chain.AfterLocator(nil, chainhash.Hash{}, 0); len(ids) != 0 {
		t.Errorf("%d ids of none", len(ids))
	}
}

// TestWindowEntries: the window is told as it is counted, of any share of a chain with
// uncles and branches.
func TestWindowEntries(tt *testing.T) {
	t := newTest(tt)
	names := tangle(t)
	t.addBitcoin("B1")
	t.accept(names...)
	bits := t.Params.Bitcoin.PowLimitBits
	withUncles := 0
	for _, info := range t.chain.Latest(math.MaxInt) {
		w, entries := t.chain.Window(info.ID, bits), t.chain.WindowEntries(info.ID, bits)
		uncles := 0
		for i, e := range entries {
			uncles += len(e.Uncles)
			if e.Height != w.First+uint32(i) {
				t.Fatalf("entry %d of %v has height %d, not %d", i, info.ID, e.Height, w.First+uint32(i))
			}
		}
		if len(entries) != w.Shares || uncles != w.Uncles {
			t.Errorf("%d entries with %d uncles behind %v, want %+v", len(entries), uncles, info.ID, w)
		}
		withUncles += uncles
	}
	if withUncles == 0 {
		t.Error("no uncles: this tests little")
	}
	if e := t.chain.WindowEntries(t.chain.Tip().ID, 0); e != nil {
		t.Errorf("entries for bits that are no target: %d", len(e))
	}
}

// TestHashrateWithoutTime: times may stand still or run backwards for some shares.
func TestHashrateWithoutTime(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Next("a", "g")
	t.Next("b", "a", chaingen.Later(20))
	t.Next("c", "b", chaingen.Later(-20))
	t.accept("g", "a", "b", "c")
	for n := range 5 {
		if r := t.chain.Hashrate(n); n > 0 && r <= 0 || math.IsInf(r, 0) || math.IsNaN(r) {
			t.Errorf("hashrate of the last %d shares: %v", n, r)
		}
	}
}

// TestNotedBlocksAreBounded: peers can make a node ask for any number of Bitcoin
// blocks that do not exist.
func TestNotedBlocksAreBounded(tt *testing.T) {
	t := newTest(tt)
	for i := range uint64(2_500) {
		var hash chainhash.Hash
		binary.LittleEndian.PutUint64(hash[:], i+1)
		t.chain.BitcoinBlockAbsent(hash)
		t.chain.BitcoinBlockInvalid(hash)
	}
	t.sound("many blocks noted")
	// A block that is there is not absent, whoever said so.
	genesis := t.Bitcoin("genesis").Hash
	t.chain.BitcoinBlockAbsent(genesis)
	if !t.chain.HasBitcoinBlock(genesis) {
		t.Error("a known block was forgotten")
	}
	t.Next("g", "")
	t.accept("g")
}

// TestImplausiblyEasyIsNotHeld: far easier than the tip and with an unknown parent.
func TestImplausiblyEasyIsNotHeld(tt *testing.T) {
	t := newFloodTest(tt)
	held := t.chain.Stats().Undecided
	newFlood(t, "honest", t.Params.EasiestBits).pour(t, 10)
	if got := t.chain.Stats().Undecided; got != held {
		t.Errorf("%d shares are held, %d before", got, held)
	}
}

func TestUpdatesAdd(t *testing.T) {
	one := blockchain.Update{
		Accepted: make([]blockchain.Accepted, 2), Refused: make([]blockchain.Refused, 1), MissingBlocks: make([]chainhash.Hash, 3),
		TipChanged: true, Disconnected: 4, Connected: 5,
	}
	var sum blockchain.Update
	for range 2 {
		sum.Add(blockchain.Update{})
		sum.Add(one)
	}
	sum.Add(blockchain.Update{DeepReorg: true})
	sum.Add(blockchain.Update{})
	if len(sum.Accepted) != 4 || len(sum.Refused) != 2 || len(sum.MissingBlocks) != 6 || !sum.TipChanged || !sum.DeepReorg || sum.Disconnected != 8 || sum.Connected != 10 {
		t.Errorf("%+v", sum)
	}
}

// TestNewcomersCanPlaceWhatTheyAreOffered: of what follows the lowest share kept,
// every parent is that share or comes before, uncles' parents included.
func TestNewcomersCanPlaceWhatTheyAreOffered(tt *testing.T) {
	t := newTest(tt)
	names, _ := t.weave(rand.New(rand.NewPCG(6, 6)), 90)
	for _, name := range names {
		t.accept(name)
		if t.chain.Base() == 0 {
			continue
		}
		lowest, _ := t.chain.IDAt(t.chain.Base())
		for _, locator := range [][]chainhash.Hash{nil, {lowest}} {
			here := map[chainhash.Hash]bool{lowest: locator != nil}
			for i, id := range t.chain.AfterLocator(locator, chainhash.Hash{}, 1000) {
				if s := t.byID(id); !here[s.Data.Previous] && (i > 0 || locator != nil) {
					t.Fatalf("after %s: share %d, of height %d on the base %d, has no place", name, i, s.Data.Height, t.chain.Base())
				}
				here[id] = true
			}
		}
	}
}

// TestChainsApart: three chains that have nothing in common grow by turns. The
// window follows each of them.
func TestChainsApart(tt *testing.T) {
	t := newTest(tt)
	var lines [3][]string
	for i := range lines {
		first := fmt.Sprint("first", i)
		t.Next(first, "", chaingen.Payee(i))
		lines[i] = append([]string{first}, t.Line(fmt.Sprint("line", i, "-"), first, 30+i, 2+i)...)
	}
	for i := range lines[0] {
		for _, line := range lines {
			t.accept(line[i])
		}
		t.sound(lines[0][i])
	}
	t.tip(lines[0][30])
	for _, line := range lines {
		scores, err := t.chain.Scores(t.Share(line[30]).ID, t.Params.Bitcoin.PowLimitBits)
		if err != nil || !reflect.DeepEqual(scores, t.Scores(t.Share(line[30]))) {
			t.Errorf("%s: %v, %v", line[30], scores, err)
		}
	}
}

// TestBlockOnTrust: a share that is taken on trust, and whose hash meets the bits of
// its header, is called a Bitcoin block only if Bitcoin would have it.
func TestBlockOnTrust(tt *testing.T) {
	t := newTest(tt, func(p *chainparams.Params) { p.BlockEvery = 1 })
	t.NextBitcoin("B1", "genesis")
	t.Next("g", "")
	t.Next("a", "g")
	t.Next("on B1", "a", chaingen.On("B1"))
	for name, want := range map[string]bool{"a": true, "on B1": false} {
		c := blockchain.New(t.Params)
		genesis := t.Bitcoin("genesis")
		if err := c.AddBitcoinHeader(&genesis.Header, 0); err != nil {
			t.Fatal(err)
		}
		u, err := c.AcceptRoot(t.decoded(name), t.now)
		if err != nil || !u.Accepted[0].Root || u.Accepted[0].Block != want {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
}
