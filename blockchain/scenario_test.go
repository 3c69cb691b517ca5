package blockchain_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
)

// A step of a story offers one share, as it comes from a peer, and says what
// must come of it. Between steps the chain must agree with the generator, which
// adds up work and scores by the definitions.
type step struct {
	offer string
	kind  blockchain.ErrorKind // of the verdict
	tip   string               // afterwards
	moved [2]int               // shares disconnected and connected, if the tip moved
}

// accepted is the kind of no error.
const accepted = blockchain.ErrorKind("")

func stays(offer, tip string) step { return step{offer: offer, tip: tip} }
func grows(offer string) step      { return step{offer: offer, tip: offer, moved: [2]int{0, 1}} }

func reorgs(offer string, disconnected, connected int) step {
	return step{offer: offer, tip: offer, moved: [2]int{disconnected, connected}}
}

func refused(kind blockchain.ErrorKind, offer, tip string) step {
	return step{offer: offer, kind: kind, tip: tip}
}

// play goes through the steps of a story.
func (t *test) play(steps ...step) {
	t.T.Helper()
	for i, s := range steps {
		before, held := t.chain.Len(), t.chain.Stats().Undecided
		u, err := t.chain.Accept(t.decoded(s.offer), t.now)
		where := fmt.Sprintf("step %d, %s", i, s.offer)
		if s.kind == accepted && err != nil || s.kind != accepted && !errors.Is(err, s.kind) {
			t.Fatalf("%s: verdict %v, want %q", where, err, s.kind)
		}
		if s.kind != accepted {
			if _, undecided := errors.AsType[*blockchain.UndecidedError](err); !undecided && t.chain.Stats().Undecided != held {
				t.Fatalf("%s: %d shares held, %d before", where, t.chain.Stats().Undecided, held)
			}
			if t.chain.Len() != before {
				t.Fatalf("%s: the index has %d shares, %d before", where, t.chain.Len(), before)
			}
		}
		if got := [2]int{u.Disconnected, u.Connected}; got != s.moved || u.TipChanged != (s.moved != [2]int{}) {
			t.Fatalf("%s: disconnected and connected %v, tip changed %v, want %v", where, got, u.TipChanged, s.moved)
		}
		t.agrees(where, s.tip)
	}
}

// agrees holds the chain's view of its tip against the generator's.
func (t *test) agrees(where, name string) {
	t.T.Helper()
	want, tip := t.Share(name), t.chain.Tip()
	if tip.ID != want.ID || tip.Work != want.Total || tip.NextBits != t.NextBits(name) {
		t.Fatalf("%s: tip %v with work %v and next bits %08x, want %s with %v and %08x",
			where, tip.ID, tip.Work, tip.NextBits, name, want.Total, t.NextBits(name))
	}
	scores, err := t.chain.Scores(tip.ID, t.Params.Bitcoin.PowLimitBits)
	if err != nil || !reflect.DeepEqual(scores, t.Scores(want)) {
		t.Fatalf("%s: scores %v, want %v, error %v", where, scores, t.Scores(want), err)
	}
}

// free expects the tip to offer exactly these shares as uncles.
func (t *test) free(names ...string) {
	t.T.Helper()
	got := t.chain.Tip().Uncles
	if len(got) != len(names) {
		t.Fatalf("%d shares are free to be uncles, want %v", len(got), names)
	}
	for _, name := range names {
		if !slices.Contains(got, t.Share(name).ID) {
			t.Fatalf("%s is not free to be an uncle", name)
		}
	}
}

// TestStoryForksOfForks: branches off branches, of which the heaviest leads at
// each step and the first seen among equals.
//
//	g - a1 - a2 - a3 ------------------ a4
//	  \    \ b2 - b3 - b4
//	   \        \ c3 - c4 - c5 - c6
//	    \ d1      \ e4 - e5
func TestStoryForksOfForks(tt *testing.T) {
	t := newTest(tt)
	payee := chaingen.Payee
	t.Next("g", "")
	for i, link := range [][2]string{
		{"a1", "g"}, {"a2", "a1"}, {"a3", "a2"}, {"a4", "a3"}, {"b2", "a1"}, {"b3", "b2"}, {"b4", "b3"},
		{"c3", "b2"}, {"c4", "c3"}, {"c5", "c4"}, {"c6", "c5"}, {"e4", "c3"}, {"e5", "e4"}, {"d1", "g"},
	} {
		t.Next(link[0], link[1], payee(i%5))
	}
	t.play(
		grows("g"), grows("a1"), stays("d1", "a1"), grows("a2"),
		stays("b2", "a2"),  // a tie at height 2
		reorgs("b3", 1, 2), // a2 gives way to b2, b3
		stays("a3", "b3"),  // a tie: b3 was seen first
		stays("c3", "b3"),  // a three-way tie
		grows("b4"),        //
		stays("c4", "b4"),  //
		stays("e4", "b4"),  // a fork of a fork of a fork
		stays("a4", "b4"),  // four ends of equal work, one tip
		reorgs("e5", 2, 3), // b3, b4 give way to c3, e4, e5
		stays("c5", "e5"),  //
		reorgs("c6", 2, 3), // e4, e5 give way to c4, c5, c6
		refused(blockchain.ErrDuplicate, "e5", "c6"), // on the index, if not on the main chain
	)
	if s := t.chain.Stats(); s.Main != 7 || s.Side != 8 || s.Uncles != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestStoryUnclesOfBothBranches: each branch has its own account of uncles, and
// a reorganisation changes which are free to be used.
//
//	g - a1 - a2(u1) - a3(b1)
//	 |\ u1
//	 |\ c1
//	  \ b1 - b2(a1 c1) - b3(u1)
func TestStoryUnclesOfBothBranches(tt *testing.T) {
	t := newTest(tt)
	uncles, payee := chaingen.Uncles, chaingen.Payee
	t.Next("g", "")
	t.Next("a1", "g", payee(1))
	t.Next("u1", "g", payee(2))
	t.Next("c1", "g", payee(3))
	t.Next("b1", "g", payee(4))
	t.Next("a2", "a1", uncles("u1"), payee(1))
	t.Next("b2", "b1", uncles("a1", "c1"), payee(4))
	t.Next("a3", "a2", uncles("b1"), payee(1))
	t.Next("b3", "b2", uncles("u1"), payee(4))
	t.Next("u1 again", "a2", uncles("u1"))
	t.Next("own parent", "b2", uncles("b1"))
	t.Next("a1 again", "b2", uncles("a1"))
	t.Next("a1 again, later", "b3", uncles("a1"))
	t.Next("of the other branch", "b2", uncles("a2"))

	t.play(grows("g"), grows("a1"), stays("u1", "a1"), stays("c1", "a1"), stays("b1", "a1"))
	t.free("u1", "c1", "b1")
	t.play(grows("a2"), refused(blockchain.ErrUncleTwice, "u1 again", "a2"))
	t.free("c1", "b1")

	// b2 brings more work than a2 although its branch is as long. a1 leaves the
	// main chain to become its uncle, and u1 is free again.
	t.play(reorgs("b2", 2, 2))
	t.free("u1")
	t.play(
		refused(blockchain.ErrUncleTwice, "a1 again", "b2"),
		refused(blockchain.ErrUncleIsAncestor, "own parent", "b2"),
		refused(blockchain.ErrUncleParent, "of the other branch", "b2"),
	)

	// And back: b1 was its branch's own share, here it is an uncle.
	t.play(reorgs("a3", 2, 3))
	t.free()
	if info, _ := t.chain.Info(t.Share("b1").ID); info.OnMainChain || !info.IsUncle {
		t.Errorf("b1 beside the main chain: %+v", info)
	}

	// u1 is in a2 on the one branch and in b3 on the other.
	t.play(reorgs("b3", 3, 3), refused(blockchain.ErrUncleDepth, "a1 again, later", "b3"))
	if s := t.chain.Stats(); s.Main != 4 || s.Uncles != 3 || s.Side != 2 {
		t.Errorf("stats %+v, want uncles a1, c1, u1 and a2, a3 beside", s)
	}
}

// TestStoryUncleWithUncles: an uncle's own uncles are not included with it; they
// count where somebody on the chain references them. For a4, u1 is too far back.
//
//	g - a1 - a2 - a3(v2) - a4(u1)
//	  \    \    \ n3(u1 v2)
//	   \ u1 \ v2(u1)
func TestStoryUncleWithUncles(tt *testing.T) {
	t := newTest(tt)
	uncles, payee := chaingen.Uncles, chaingen.Payee
	t.Next("g", "")
	t.Next("a1", "g", payee(1))
	t.Next("u1", "g", payee(2))
	t.Next("a2", "a1", payee(1))
	t.Next("v2", "a1", uncles("u1"), payee(3))
	t.Next("a3", "a2", uncles("v2"), payee(1))
	t.Next("a4", "a3", uncles("u1"), payee(1))
	t.Next("n3", "a2", uncles("u1", "v2"), payee(4))
	t.play(
		grows("g"), grows("a1"), stays("u1", "a1"), grows("a2"),
		reorgs("v2", 1, 1), // u1's work makes it the heavier
	)
	t.free("a2")
	t.play(reorgs("a3", 1, 2), refused(blockchain.ErrUncleDepth, "a4", "a3"), reorgs("n3", 1, 1))
	t.free("a3")
}

// TestStoryDuplicates offers shares again in every state they can be in.
//
//	g - a1 - a2
func TestStoryDuplicates(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.Line("a", "g", 3, 2)
	t.Next("bad", "a1", chaingen.Later(-4))
	t.play(
		grows("g"), refused(blockchain.ErrDuplicate, "g", "g"),
		refused(blockchain.ErrMissingParent, "a1", "g"), // held
		refused(blockchain.ErrMissingParent, "a1", "g"), // held once
		refused(blockchain.ErrMissingParent, "a2", "g"),
	)
	if n := t.chain.Stats().Undecided; n != 2 {
		t.Errorf("%d shares held", n)
	}
	t.play(
		reorgsTo("a0", "a2", 3), // a1 and a2 come with it
		refused(blockchain.ErrDuplicate, "a1", "a2"),
		refused(blockchain.ErrTimeTooOld, "bad", "a2"), // invalid is not remembered:
		refused(blockchain.ErrTimeTooOld, "bad", "a2"), // the verdict is found again
	)
}

// reorgsTo is a share that brings waiting ones with it.
func reorgsTo(offer, tip string, connected int) step {
	return step{offer: offer, tip: tip, moved: [2]int{0, connected}}
}

// TestStoryManyWindows: on a chain of six windows every share moves the tip, as
// work is never taken off again, and a fork at the end is decided by the work
// since the fork.
//
//	g - a0 - … - a114 - a115 - … - a119
//	                  \ b0 - … - b5
func TestStoryManyWindows(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	t.play(grows("g"))
	names := t.Line("a", "g", 120, 7)
	for _, name := range names {
		t.play(grows(name))
	}
	b := t.Line("b", "a114", 6, 3)
	for _, name := range b[:5] {
		t.play(stays(name, "a119"))
	}
	t.play(reorgs("b5", 5, 6))
	want := t.Share("g").Total
	want.MulUint64(122)
	if got := t.chain.Tip().Work; got != want {
		t.Errorf("work %v after 122 equal shares, want %v", got, want)
	}
}

// TestStoryHeavyPast: the chain with more work leads even if the other one did
// more in its last window. The shares of a come fast at first, so that they
// become hard, and slowly in the end; those of b come on time and then fast.
//
//	g - a0 - … - a119
//	  \ b0 - … - b119
func TestStoryHeavyPast(tt *testing.T) {
	orders := [][2]string{{"a", "b"}, {"b", "a"}}
	for _, order := range orders {
		t := newTest(tt, chainparams.WithWindow(20, 5, 320, 300), func(p *chainparams.Params) { p.EasiestBits = 0x2007ffff })
		t.Next("g", "")
		line := map[string][]string{}
		for branch, late := range map[string]func(i int) int{
			"a": func(i int) int { return []int{-1, -1, 2}[i/40] }, // 80 s ahead of the schedule, and back
			"b": func(i int) int { return []int{0, 0, -1}[i/40] },
		} {
			parent := "g"
			for i := range 120 {
				name := fmt.Sprint(branch, i)
				t.Next(name, parent, chaingen.Later(late(i)), chaingen.Payee(i%3))
				line[branch], parent = append(line[branch], name), name
			}
		}
		lastWindow := func(branch string) uint256.Uint256 {
			work := t.Share(branch + "119").Total
			before := t.Share(branch + "99").Total
			return *work.Sub(&before)
		}
		wa, wb := lastWindow("a"), lastWindow("b")
		ta, tb := t.Share("a119").Total, t.Share("b119").Total
		if wa.GtEq(&wb) || ta.LtEq(&tb) {
			t.Fatalf("the story needs a heavy past: last windows %v and %v, totals %v and %v", wa, wb, ta, tb)
		}
		t.accept("g")
		t.accept(line[order[0]]...)
		t.accept(line[order[1]]...)
		t.agrees("in the end", "a119")
	}
}
