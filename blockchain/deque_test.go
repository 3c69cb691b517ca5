package blockchain

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestDequeAgainstSlice pushes and pops at both ends, in phases that favour each
// of the four, and compares with a slice.
func TestDequeAgainstSlice(t *testing.T) {
	rng := rand.New(rand.NewPCG(2026, 6))
	var d nodeDeque
	var want []*node
	for step := range 20_000 {
		action := rng.IntN(4)
		if rng.IntN(3) > 0 {
			action = step / 1000 % 4
		}
		switch n := new(node); {
		case action == 0:
			d.pushBack(n)
			want = append(want, n)
		case action == 1:
			d.pushFront(n)
			want = slices.Insert(want, 0, n)
		case action == 2 && len(want) > 0:
			d.popBack()
			want = want[:len(want)-1]
		case action == 3 && len(want) > 0:
			d.popFront()
			want = want[1:]
		}
		if d.len() != len(want) || len(want) > 0 && (d.front() != want[0] || d.back() != want[len(want)-1]) {
			t.Fatalf("step %d: %d nodes, want %d, or other ends", step, d.len(), len(want))
		}
		if step%100 == 0 && !slices.Equal(d.buf[d.lo:], want) {
			t.Fatalf("step %d: other nodes", step)
		}
	}
	for i := range d.lo {
		if d.buf[i] != nil {
			t.Fatal("a node that was taken off is kept alive")
		}
	}
}
