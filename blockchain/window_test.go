package blockchain

import (
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/decred/dcrd/math/uint256"
	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/target"
)

// drawTree enters a random tree of shares with uncles' credits into the index,
// without judging them, and returns them. Most continue the newest.
func drawTree(t *rapid.T, c *Chain) []*node {
	var nodes []*node
	for i := range rapid.IntRange(1, 60).Draw(t, "shares") {
		n := &node{headerBits: c.params.Bitcoin.PowLimitBits}
		if i > 0 {
			from := i - 1
			if rapid.IntRange(0, 4).Draw(t, "branch off") == 0 {
				from = rapid.IntRange(max(0, i-12), i-1).Draw(t, "from")
			}
			n.parent = nodes[from]
			n.height = n.parent.height + 1
			n.total = n.parent.total
		}
		work := *new(uint256.Uint256).SetUint64(rapid.Uint64Range(1, 50).Draw(t, "work"))
		n.paid = payout.Entry{Height: n.height, Work: work, Payee: benchScript(rapid.IntRange(0, 5).Draw(t, "payee"))}
		if rapid.IntRange(0, 3).Draw(t, "uncle") == 0 {
			n.paid.Uncles = []payout.Uncle{{Work: work, Payee: benchScript(rapid.IntRange(0, 5).Draw(t, "uncle's payee"))}}
		}
		n.total.Add(&work)
		binary.LittleEndian.PutUint32(n.id[:], uint32(i)+1)
		c.insert(n)
		c.chooseTip(n, &Update{})
		nodes = append(nodes, n)
	}
	return nodes
}

// scoresByDefinition fills a window at once.
func scoresByDefinition(c *Chain, n *node, bits uint32) []payout.Score {
	t, err := target.FromCompact(bits)
	if err != nil {
		panic(err)
	}
	blockWork := target.Work(&t)
	limit := payout.LimitFor(c.params, &blockWork)
	w := payout.NewWindow(c.params)
	first := true
	for e := range limit.Entries(func(yield func(payout.Entry) bool) {
		for a := range n.ancestors() {
			if !yield(*a.entry()) {
				return
			}
		}
	}) {
		if first {
			w.AddNewest(&e)
		} else {
			w.AddOldest(&e)
		}
		first = false
	}
	return w.Scores()
}

// TestWindowMovesAnywhere moves the window between random shares of a tree, with
// header bits that cut it to different lengths, and compares it each time with
// one filled at once: reorganisations there and back restore every bit.
func TestWindowMovesAnywhere(t *testing.T) {
	params, err := chainparams.New(chainparams.Regtest, "main", chainparams.WithWindow(12, 3, 42, 30),
		func(p *chainparams.Params) { p.WindowBlocks = 4 })
	if err != nil {
		t.Fatal(err)
	}
	// Work of 1, 16 and 256 hashes, four times which cuts windows of 50 a share
	// at two shares, at about three, and not at all.
	bits := []uint32{0x21008000, 0x200fffff, 0x2000ffff}
	rapid.Check(t, func(t *rapid.T) {
		c := New(params)
		nodes := drawTree(t, c)
		for range rapid.IntRange(1, 40).Draw(t, "moves") {
			n := rapid.SampledFrom(nodes).Draw(t, "to")
			b := rapid.SampledFrom(bits).Draw(t, "bits")
			w, _ := c.windowBehind(n, b)
			if got, want := w.Scores(), scoresByDefinition(c, n, b); !reflect.DeepEqual(got, want) {
				t.Fatalf("window behind height %d with bits %08x: %v, want %v", n.height, b, got, want)
			}
		}
	})
}
