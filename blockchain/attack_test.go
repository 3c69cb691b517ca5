package blockchain_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// wholeChain makes every share weigh alike and none leave the window, so that
// scores are plain sums: a unit of work counts 2¹⁶.
func wholeChain(p *chainparams.Params) {
	p.WindowShares, p.DecayShares = 1<<20, 1<<30
	p.RetentionShares, p.MaxReorgShares = 1<<21, 1<<19
}

// units returns the sum of scores in units of work.
func units(scores []payout.Score) uint256.Uint256 {
	var sum uint256.Uint256
	for i := range scores {
		sum.Add(&scores[i].Weight)
	}
	return *sum.Rsh(16)
}

// everyHashOnce walks down a share's chain and expects that no share counts
// twice in it, as share or as uncle, that its work is the sum of those that
// count, and that each is credited ten units for a hash.
func (t *test) everyHashOnce(head chainhash.Hash) {
	t.T.Helper()
	counted := map[chainhash.Hash]bool{}
	var sum uint256.Uint256
	count := func(id chainhash.Hash) blockchain.Info {
		info, ok := t.chain.Info(id)
		if !ok || counted[id] {
			t.Fatalf("share %v is counted again, or unknown: %v", id, ok)
		}
		counted[id] = true
		sum.Add(&info.Work)
		return info
	}
	for id := head; id != (chainhash.Hash{}); {
		info := count(id)
		for _, u := range info.Uncles {
			count(u)
		}
		id = info.Previous
	}
	info, _ := t.chain.Info(head)
	scores, err := t.chain.Scores(head, t.Params.Bitcoin.PowLimitBits)
	if err != nil {
		t.Fatal(err)
	}
	credited := units(scores)
	if info.TotalWork != sum || credited != *sum.MulUint64(10) {
		t.Fatalf("chain of %d shares and uncles: work %v, credited %v units, want %v", len(counted), info.TotalWork, credited, sum)
	}
}

// TestAttackUncleAbuse offers shares whose parents and uncles are chosen at
// random among the last ones, which breaks every rule of uncles now and then, and
// holds every chain that comes of it to the account above.
func TestAttackUncleAbuse(tt *testing.T) {
	steps := 2_000
	if testing.Short() {
		steps = 400
	}
	t := newTest(tt, wholeChain)
	rng := rand.New(rand.NewPCG(2026, 3))
	names := []string{"g"}
	t.Next("g", "")
	t.accept("g")
	var used []string // the uncles included last
	refusals := map[blockchain.ErrorKind]int{}
	for i := range steps {
		recent := names[max(0, len(names)-7):]
		var uncles []string
		for _, j := range rng.Perm(len(recent))[:min(rng.IntN(3), len(recent))] {
			uncles = append(uncles, recent[j])
		}
		if len(used) > 0 && rng.IntN(3) == 0 {
			uncles = used // once more
		}
		name := fmt.Sprint("s", i)
		s := t.Next(name, recent[len(recent)-1-rng.IntN(min(3, len(recent)))], chaingen.Uncles(uncles...), chaingen.Payee(i%9))
		_, err := t.chain.Accept(s.Share, t.now)
		if rule, invalid := errors.AsType[blockchain.RuleError](err); invalid {
			refusals[rule.Kind]++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
		if len(uncles) > 0 {
			used = uncles
		}
		t.everyHashOnce(s.ID)
	}
	for _, kind := range []blockchain.ErrorKind{blockchain.ErrUncleTwice, blockchain.ErrUncleDepth, blockchain.ErrUncleParent, blockchain.ErrUncleIsAncestor} {
		if refusals[kind] == 0 {
			t.Errorf("the search never broke %s: %v", kind, refusals)
		}
	}
	t.Logf("%d chains, every hash credited once; refused: %v", len(names), refusals)
}

// TestAttackUncleTwice is the attack itself: three nephews in a row include one
// uncle. The window knows no rule about uncles and credits it three times; the
// chain accepts the first of them only. That the same uncle is in a branch too
// does not matter.
//
//	g - a1 - n2(u) - n3(u) - n4(u)
//	  \    \ m2(u)
//	   \ u
func TestAttackUncleTwice(tt *testing.T) {
	t := newTest(tt, wholeChain)
	t.Next("g", "")
	t.Next("a1", "g", chaingen.Payee(1))
	t.Next("u", "g", chaingen.Payee(2))
	t.Next("n2", "a1", chaingen.Uncles("u"), chaingen.Payee(1))
	t.Next("m2", "a1", chaingen.Uncles("u"), chaingen.Payee(3))
	t.Next("n3", "n2", chaingen.Uncles("u"), chaingen.Payee(1))
	t.Next("n4", "n3", chaingen.Uncles("u"), chaingen.Payee(1))

	// Without the rule, by the window's own arithmetic.
	work := target.Work(&t.Params.EasiestTarget)
	w := payout.NewWindow(t.Params)
	for h, name := range []string{"g", "a1", "n2", "n3", "n4"} {
		e := &payout.Entry{Height: uint32(h), Work: work, Payee: t.Share(name).Data.Payee}
		if h >= 2 {
			e.Uncles = []payout.Uncle{{Work: work, Payee: t.Share("u").Data.Payee}}
		}
		w.AddNewest(e)
	}
	hashes := work
	hashes.MulUint64(6)
	off := units(w.Scores())
	if want := *hashes.MulUint64(10); off.LtEq(&want) {
		t.Fatalf("the attack fails without the rule: %v units for %v", off, want)
	}

	t.play(grows("g"), grows("a1"), stays("u", "a1"), grows("n2"), stays("m2", "n2"),
		refused(blockchain.ErrUncleTwice, "n3", "n2"), refused(blockchain.ErrMissingParent, "n4", "n2"))
	t.everyHashOnce(t.Share("n2").ID)
	t.everyHashOnce(t.Share("m2").ID)
	t.Logf("an uncle in three nephews: %v units credited for %v; with the rule each chain credits what was hashed", off, hashes)
}

// flood makes shares with proof of work for some bits whose parents nobody knows.
type flood struct {
	share   share.Share
	target  uint256.Uint256
	chainID *chainhash.Hash
	n       uint64
}

func newFlood(t *test, like string, bits uint32) *flood {
	t.T.Helper()
	f := &flood{share: *t.decoded(like), chainID: &t.Params.ChainID}
	f.share.Data.Bits = bits
	var err error
	if f.target, err = target.FromCompact(bits); err != nil {
		t.Fatal(err)
	}
	return f
}

// next returns another share. All of them have the same slices.
func (f *flood) next() *share.Share {
	f.n++
	s := f.share
	binary.LittleEndian.PutUint64(s.Data.Previous[:], f.n)
	s.SetMerkleRoot(f.chainID)
	for id := s.ID(); !target.HashMeets(&id, &f.target); id = s.ID() {
		s.Header.Nonce++
	}
	return &s
}

// pour offers that many shares, none of which can be judged.
func (f *flood) pour(t *test, shares int) {
	t.T.Helper()
	for range shares {
		if _, err := t.chain.Accept(f.next(), t.now); !errors.Is(err, blockchain.ErrMissingParent) {
			t.Fatal(err)
		}
	}
}

// newFloodTest returns a chain whose tip is 32 times as hard as the easiest share
// and which holds a share that waits for its parent.
//
//	g - a0 - … - a299 - (p) - honest
func newFloodTest(tt *testing.T) *test {
	t := newTest(tt, wholeChain)
	t.Next("g", "")
	t.accept("g")
	last := "g"
	for i := range 300 {
		name := fmt.Sprint("a", i)
		t.Next(name, last, chaingen.Later(-1))
		t.accept(name)
		last = name
	}
	t.Next("p", last)
	t.Next("honest", "p")
	t.undecided(blockchain.ErrMissingParent, "honest")
	return t
}

// heap returns the bytes of live objects.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestAttackLowDifficultyFlood: a strong machine sends proof of work at the
// easiest bits with unknown parents. None of it gets a place, and the honest
// share keeps its own until its parent comes.
func TestAttackLowDifficultyFlood(tt *testing.T) {
	t := newFloodTest(tt)
	shares := 1_000_000
	if testing.Short() {
		shares = 100_000
	}
	f := newFlood(t, "honest", t.Params.EasiestBits)
	before := heap()
	f.pour(t, shares)
	grown := heap() - before
	if s := t.chain.Stats(); s.Undecided != 1 || grown > 8<<20 {
		t.Errorf("%d shares held, the heap has grown by %d bytes", s.Undecided, grown)
	}
	t.accept("p")
	t.tip("honest")

	// A node that keeps what it cannot judge, without any rule.
	sample := shares / 20
	kept := make(map[chainhash.Hash]*share.Share)
	before = heap()
	for range sample {
		s := f.next()
		kept[s.ID()] = s
	}
	without := float64(heap()-before) / float64(len(kept)) * 1_000_000
	if without < 8<<20 {
		t.Errorf("without the rule a million shares would take %.0f bytes only", without)
	}
	t.Logf("%d shares at the easiest bits: the heap has grown by %.2f MiB; a million, kept, take %.0f MiB", shares, float64(grown)/(1<<20), without/(1<<20))
}

// TestAttackPlausibleFlood is the same flood without the rule of plausible bits,
// that is, at the tip's own: it costs as much as mining does. The pool keeps its
// bound, but the honest share loses its place and has to be asked for again.
func TestAttackPlausibleFlood(tt *testing.T) {
	t := newFloodTest(tt)
	newFlood(t, "honest", t.chain.Tip().NextBits).pour(t, 200)
	if n := t.chain.Stats().Undecided; n != 100 {
		t.Errorf("%d shares held", n)
	}
	t.accept("p")
	t.tip("p")
	t.accept("honest")
}
