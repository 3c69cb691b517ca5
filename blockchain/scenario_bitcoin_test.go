package blockchain_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
)

// TestStoryBitcoinReorg: shares follow Bitcoin from block to block and through a
// reorganisation of two blocks; nobody goes back.
//
//	Bitcoin: genesis - B1 - B2 - B3
//	                      \ C2 - C3 - C4
//
//	g(genesis) - s1(B1) - s2(B2) - s3(B3) - s4(C4)
func TestStoryBitcoinReorg(tt *testing.T) {
	t := newTest(tt)
	for _, link := range [][2]string{{"B1", "genesis"}, {"B2", "B1"}, {"B3", "B2"}, {"C2", "B1"}, {"C3", "C2"}, {"C4", "C3"}} {
		t.NextBitcoin(link[0], link[1])
	}
	on := chaingen.On
	t.Next("g", "")
	t.Next("s1", "g", on("B1"))
	t.Next("s2", "s1", on("B2"))
	t.Next("s3", "s2", on("B3"))
	t.Next("s4", "s3", on("C4"))
	// Whatever stands on s3 while the reorganisation goes on, and on s4 after it.
	for _, block := range []string{"genesis", "B1", "B2", "C2", "C3"} {
		t.Next("s3 to "+block, "s3", on(block))
		t.Next("s4 to "+block, "s4", on(block))
	}
	t.Next("s4 to B3", "s4", on("B3"))

	// The blocks come one by one; a share on a block that has not come waits.
	t.play(grows("g"), refused(blockchain.ErrMissingBitcoinBlock, "s1", "g"))
	t.addBitcoin("B1")
	if u := t.chain.Retry(t.now); !u.TipChanged || len(u.Accepted) != 1 {
		t.Fatalf("B1 brought %+v", u)
	}
	t.agrees("after B1", "s1")
	for _, b := range []string{"B2", "B3"} {
		t.addBitcoin(b)
	}
	t.play(grows("s2"), grows("s3"))

	back := blockchain.ErrBitcoinBackwards
	t.play(refused(back, "s3 to genesis", "s3"), refused(back, "s3 to B1", "s3"), refused(back, "s3 to B2", "s3"),
		refused(blockchain.ErrMissingBitcoinBlock, "s3 to C2", "s3"))

	// The other branch takes over. A tie or a reorganisation on Bitcoin lets a
	// miner one lower, not two.
	for _, b := range []string{"C2", "C3", "C4"} {
		t.addBitcoin(b)
	}
	if u := t.chain.Retry(t.now); len(u.Accepted) != 1 || u.Accepted[0].ID != t.Share("s3 to C2").ID {
		t.Fatalf("C2 brought %+v", u)
	}
	t.play(stays("s3 to C3", "s3 to C2"), stays("s4", "s3 to C2"))
	t.Next("s5", "s4")
	t.play(
		reorgs("s5", 1, 2),
		refused(back, "s4 to genesis", "s5"), refused(back, "s4 to B1", "s5"), refused(back, "s4 to B2", "s5"),
		refused(back, "s4 to C2", "s5"), refused(back, "s4 to C3", "s5"), stays("s4 to B3", "s5"),
	)
	if tip := t.chain.Tip(); tip.Bitcoin != t.Bitcoin("C4").Hash || tip.BitcoinHeight != 4 {
		t.Errorf("the tip builds on Bitcoin block %v of height %d", tip.Bitcoin, tip.BitcoinHeight)
	}
}

// TestStoryBitcoinZigzag: the newest block of the last shares counts, so that a
// share on another branch does not open the way back.
//
//	Bitcoin: genesis - B1 - B2 - B3
//	                      \ C2
//
//	g(B3) - z1(C2) - z2(C2) - … - z16(C2) - back17(B2)
//	              \ back2(B2)? …
func TestStoryBitcoinZigzag(tt *testing.T) {
	t := newTest(tt)
	for _, link := range [][2]string{{"B1", "genesis"}, {"B2", "B1"}, {"B3", "B2"}, {"C2", "B1"}} {
		t.NextBitcoin(link[0], link[1])
		t.addBitcoin(link[0])
	}
	on := chaingen.On
	t.Next("g", "", on("B3"))
	t.Next("z1", "g", on("C2"))
	t.play(grows("g"), grows("z1"))
	for i := 2; i <= 16; i++ {
		before := fmt.Sprint("z", i-1)
		back, next := t.Next(fmt.Sprint("back", i), before, on("B2")), t.Next(fmt.Sprint("z", i), before)
		t.play(refused(blockchain.ErrBitcoinBackwards, back.Name, before), grows(next.Name))
	}
	// Sixteen shares have stood by C2: it is the chain's block by now, and B2 is
	// another of its height.
	t.Next("back17", "z16", on("B2"))
	t.play(grows("back17"))
}

// TestStoryClock: what lies ahead of the clock waits, and the header's own time
// has Bitcoin's two hours.
//
//	g - a1 - a2
func TestStoryClock(tt *testing.T) {
	t := newTest(tt)
	t.Next("g", "")
	ahead := t.start().Add(5 * time.Hour)
	t.Next("a1", "g", chaingen.Header(func(h *wire.BlockHeader) { h.Timestamp = ahead }))
	t.Next("a2", "a1", chaingen.Header(func(h *wire.BlockHeader) { h.Timestamp = ahead.Add(time.Second) }))
	t.now = ahead.Add(-2*time.Hour - time.Second)
	t.play(grows("g"), refused(blockchain.ErrHeaderTimeTooNew, "a1", "g"), refused(blockchain.ErrMissingParent, "a2", "g"))
	if u := t.chain.Retry(t.now); u.TipChanged || len(u.Refused) != 0 {
		t.Errorf("nothing has come, but %+v", u)
	}
	// a1's second comes, and a2, released from waiting for it, waits for its own.
	t.now = t.now.Add(time.Second)
	if u := t.chain.Retry(t.now); len(u.Accepted) != 1 {
		t.Errorf("a1's time brought %+v", u)
	}
	t.agrees("in a1's second", "a1")
	t.now = t.now.Add(time.Second)
	t.chain.Retry(t.now)
	t.agrees("in a2's second", "a2")
}

// start returns the time of the generated chain's first share.
func (t *test) start() time.Time {
	return time.Unix(int64(t.Share("g").Data.Time), 0)
}

// TestStoryMissingPiecesInEveryOrder offers five shares once each, and a Bitcoin
// block, in all 720 orders. What comes too early must wait for the right reason,
// and the last piece completes the picture.
//
//	g - a1 - a2(u1) - a3 on B1
//	  \ u1
func TestStoryMissingPiecesInEveryOrder(tt *testing.T) {
	const block = "B1"
	pieces := []string{"g", "a1", "u1", "a2", "a3", block}
	needs := map[string][]string{"a1": {"g"}, "u1": {"g"}, "a2": {"a1", "u1"}, "a3": {"a2", block}}
	build := newTest(tt)
	build.NextBitcoin(block, "genesis")
	build.Next("g", "")
	build.Next("a1", "g", chaingen.Payee(1))
	build.Next("u1", "g", chaingen.Payee(2))
	build.Next("a2", "a1", chaingen.Payee(1), chaingen.Uncles("u1"))
	build.Next("a3", "a2", chaingen.Payee(3), chaingen.On(block))

	orders := 0
	for order := range permutations(pieces) {
		t := &test{T: tt, Generator: build.Generator, chain: blockchain.New(build.Params), now: build.now}
		t.addBitcoin("genesis")
		here := map[string]bool{}
		for _, piece := range order {
			if piece == block {
				t.addBitcoin(block)
				t.chain.Retry(t.now)
				here[block] = true
				settle(here, needs)
				continue
			}
			_, err := t.chain.Accept(t.decoded(piece), t.now)
			if want := waitsFor(piece, here, needs); want == accepted && err != nil || want != accepted && !errors.Is(err, want) {
				t.Fatalf("order %v, %s: %v, want %q", order, piece, err, want)
			}
			here[piece+" offered"] = true
			settle(here, needs)
		}
		if s := t.chain.Stats(); s.Main != 4 || s.Uncles != 1 || s.Undecided != 0 {
			t.Fatalf("order %v: %+v", order, s)
		}
		t.agrees(fmt.Sprint(order), "a3")
		orders++
	}
	if orders != 720 {
		tt.Errorf("%d orders", orders)
	}
}

// waitsFor returns what must be missing for a share, by the pieces accepted.
func waitsFor(name string, here map[string]bool, needs map[string][]string) blockchain.ErrorKind {
	kinds := []blockchain.ErrorKind{blockchain.ErrMissingParent, blockchain.ErrMissingUncle}
	if name == "a3" {
		kinds[1] = blockchain.ErrMissingBitcoinBlock
	}
	for i, need := range needs[name] {
		if !here[need] {
			return kinds[i]
		}
	}
	return accepted
}

// settle marks what can be accepted of the pieces offered.
func settle(here map[string]bool, needs map[string][]string) {
	for range 5 {
		for _, name := range []string{"g", "a1", "u1", "a2", "a3"} {
			if here[name+" offered"] && waitsFor(name, here, needs) == accepted {
				here[name] = true
			}
		}
	}
}

// permutations yields all orders of a list.
func permutations(list []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		order := slices.Clone(list)
		var place func(k int) bool
		place = func(k int) bool {
			if k == len(order) {
				return yield(order)
			}
			for i := k; i < len(order); i++ {
				order[k], order[i] = order[i], order[k]
				if !place(k + 1) {
					return false
				}
				order[k], order[i] = order[i], order[k]
			}
			return true
		}
		place(0)
	}
}
