package target

import (
	"math"
	"math/big"

	"github.com/decred/dcrd/math/uint256"
)

// difficulty1 is the target that pool software calls difficulty 1, "pdiff 1":
// 0x00000000ffff0000…0000 = 0xffff · 2²⁰⁸, the highest target of Bitcoin's
// mainnet (compact 0x1d00ffff).
var difficulty1 = math.Ldexp(0xffff, 208)

// Difficulty expresses a target as a multiple of difficulty 1, for displays and
// for Stratum's set_difficulty. It is floating point and never judges a share.
func Difficulty(t *uint256.Uint256) float64 {
	f, _ := new(big.Float).SetInt(t.ToBig()).Float64()
	if f == 0 {
		return math.Inf(1)
	}
	return difficulty1 / f
}

// FromDifficulty returns the target for a Stratum difficulty: the counterpart
// of Difficulty, clamped to [1, 2²⁵⁶−1]. A difficulty that is not a positive
// number gives the easiest target. It allocates nothing, as each submission needs it.
func FromDifficulty(d float64) uint256.Uint256 {
	var t uint256.Uint256
	easiest := *new(uint256.Uint256).Not()
	if !(d > 0) {
		return easiest
	}
	f := difficulty1 / d
	if f >= math.Ldexp(1, 256) {
		return easiest
	}
	if f < 1 {
		return *t.SetUint64(1)
	}
	const mantissa = 53 // bits
	fraction, exponent := math.Frexp(f)
	t.SetUint64(uint64(math.Ldexp(fraction, mantissa)))
	if exponent < mantissa {
		return *t.Rsh(uint32(mantissa - exponent))
	}
	return *t.Lsh(uint32(exponent - mantissa))
}

// WorkFloat returns work as a float, for hashrate displays.
func WorkFloat(work *uint256.Uint256) float64 {
	f, _ := new(big.Float).SetInt(work.ToBig()).Float64()
	return f
}
