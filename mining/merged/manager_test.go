package merged

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/mining/mergedtest"
)

// TestSeveralChains: one solution is a block of each chain whose target it meets, with
// all chains in one tree, and the judge of each node accepts it.
func TestSeveralChains(t *testing.T) {
	var nodes []*mergedtest.Node
	var urls []string
	for _, id := range []uint32{1, 3, 20, 8252, 1224, 90, 17} {
		n := mergedtest.NewNode(t, id, easyBits)
		nodes, urls = append(nodes, n), append(urls, n.URL())
	}
	hard := mergedtest.NewNode(t, 6, hardBits)
	b := run(t, fastTiming(), append(urls, hard.URL())...)
	w := b.work(append(nodes, hard)...)
	if easy, _ := target.FromCompact(easyBits); w.Target != easy {
		t.Errorf("target %v", &w.Target)
	}
	w.Solved(solve(t, w, easyBits))
	b.until("all accepted", func() bool {
		return !slices.ContainsFunc(nodes, func(n *mergedtest.Node) bool { return len(n.Accepted()) != 1 })
	})
	b.work(append(nodes, hard)...) // the next ones
	for i, s := range b.Status() {
		if mined := i < len(nodes); s.Found != s.Accepted || (s.Accepted == 1) != mined || !s.Healthy || s.Error != "" || s.LastFound.IsZero() == mined {
			t.Errorf("%+v", s)
		}
		if strings.Contains(s.URL, mergedtest.Pass) || s.Height < 101 || s.Difficulty <= 0 || s.Address != mergedtest.Address {
			t.Errorf("%+v", s)
		}
	}
}

// TestOneSubmission: miners who find one solution after another for the same block
// bother its node once.
func TestOneSubmission(t *testing.T) {
	n := mergedtest.NewNode(t, 1, easyBits)
	b := run(t, fastTiming(), n.URL())
	w := b.work(n)
	s := solve(t, w, easyBits)
	if poor := (chainhash.Hash{31: 0xff}); !w.Wanted(s.Hash) || w.Wanted(poor) {
		t.Error("not exactly what solves the block is wanted")
	}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { w.Solved(s) })
	}
	wg.Wait()
	b.until("accepted", func() bool { return len(n.Accepted()) == 1 })
	if w.Wanted(s.Hash) {
		t.Error("another solution is wanted")
	}
	w.Solved(s)
	b.work(n)
	if calls := n.Calls("submitauxblock"); calls != 1 {
		t.Errorf("%d submissions", calls)
	}
}

// BenchmarkFurtherSolution is what is left of a solution for blocks that have one, of one
// chain or five.
func BenchmarkFurtherSolution(b *testing.B) {
	for _, chains := range []int{1, 5} {
		b.Run(fmt.Sprint(chains), func(b *testing.B) {
			tree, err := newTree([]uint32{1}, make([]chainhash.Hash, 1))
			if err != nil {
				b.Fatal(err)
			}
			var leaves []*leaf
			for range chains {
				solved := &block{done: true}
				solved.target.Not()
				leaves = append(leaves, &leaf{block: solved})
			}
			w := newAuxWork(leaves, tree)
			var hash chainhash.Hash
			b.ReportAllocs()
			for b.Loop() {
				if w.Wanted(hash) {
					b.Fatal("wanted")
				}
			}
		})
	}
}

// TestTips: a new tip of the chain makes new work at once, new transactions do not; a
// proof for a block that the node has forgotten is counted as such.
func TestTips(t *testing.T) {
	n := mergedtest.NewNode(t, 1, easyBits)
	b := run(t, fastTiming(), n.URL())
	first := b.work(n)
	n.Refresh()
	calls := n.Calls("createauxblock")
	b.until("some more questions", func() bool { return n.Calls("createauxblock") > calls+5 })
	if b.Current() != first {
		t.Error("new transactions made new work")
	}
	n.NewTip()
	second := b.work(n)
	if first.Commitment == second.Commitment {
		t.Error("the same commitment after a new tip")
	}
	first.Solved(solve(t, first, easyBits))
	b.until("stale", func() bool { return b.Status()[0].Stale == 1 })
	second.Solved(solve(t, second, easyBits))
	b.until("accepted", func() bool { return b.Status()[0].Accepted == 1 })
	if s := b.Status()[0]; s.Found != 2 || s.Rejected != 0 || !strings.Contains(s.Error, "forgotten") {
		t.Errorf("%+v", s)
	}
}

// TestNewTransactions: after a while they do make new work.
func TestNewTransactions(t *testing.T) {
	tm := fastTiming()
	tm.refresh = time.Millisecond
	n := mergedtest.NewNode(t, 1, easyBits)
	b := run(t, tm, n.URL())
	first := b.work(n)
	n.Refresh()
	if second := b.work(n); first.Commitment == second.Commitment {
		t.Error("the same commitment")
	}
	// The old block is still good, as it is on the same tip.
	first.Solved(solve(t, first, easyBits))
	b.until("accepted", func() bool { return b.Status()[0].Accepted == 1 })
}

// TestRejected: a node that refuses is not offered the same block for ever.
func TestRejected(t *testing.T) {
	n := mergedtest.NewNode(t, 1, easyBits)
	n.SetFaults(mergedtest.Faults{Reject: true})
	b := run(t, fastTiming(), n.URL())
	w := b.work(n)
	for i := range uint64(10) {
		w.Solved(solve(t, w, easyBits))
		b.until("the verdict", func() bool { return b.Status()[0].Rejected >= min(i+1, maxRefusals) })
	}
	if calls := n.Calls("submitauxblock"); calls != maxRefusals {
		t.Errorf("%d submissions", calls)
	}
}

func TestTooManyNodes(t *testing.T) {
	e, err := ParseURL("http://u:p@h:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Nodes: slices.Repeat([]*Endpoint{e}, MaxChains+1)}); err == nil {
		t.Error("no error")
	}
	m, err := New(Config{})
	if err != nil || m.Current() != nil || len(m.Status()) != 0 {
		t.Error(err)
	}
}

// TestFullTree: a tree of as many chains as there may be, whose blocks all share one
// solution.
func TestFullTree(t *testing.T) {
	var leaves []*leaf
	var ids []uint32
	var hashes []chainhash.Hash
	var most uint256.Uint256
	for i := range uint32(MaxChains) {
		goal, err := target.FromCompact(0x1f00ffff + i<<24)
		if err != nil {
			break
		}
		most = goal
		id := i * 1_000_003 % math.MaxInt32
		leaves = append(leaves, &leaf{block: &block{template: template{target: goal, chainID: id}}})
		ids, hashes = append(ids, id), append(hashes, chainhash.Hash{byte(i)})
	}
	tree, err := newTree(ids, hashes)
	if err != nil {
		t.Fatal(err)
	}
	if w := newAuxWork(leaves, tree); w.Target != most {
		t.Errorf("target %v, want %v", &w.Target, &most)
	}
}
