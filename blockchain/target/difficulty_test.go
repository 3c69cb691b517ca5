package target

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/decred/dcrd/math/uint256"
)

// TestFromDifficultyIsExact: the target is the whole part of the quotient, as math/big has
// it, without an allocation.
func TestFromDifficultyIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		d := math.Ldexp(1+rng.Float64(), rng.IntN(256)-31)
		n, _ := new(big.Float).SetFloat64(difficulty1 / d).Int(nil)
		var want uint256.Uint256
		want.SetBig(n)
		if want.IsZero() {
			want.SetUint64(1)
		}
		if got := FromDifficulty(d); got != want {
			t.Fatalf("difficulty %v: target %x, want %x", d, got.Bytes(), want.Bytes())
		}
	}
	if n := testing.AllocsPerRun(100, func() { FromDifficulty(1234.5) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
