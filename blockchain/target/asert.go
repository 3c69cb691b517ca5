package target

import (
	"math"

	"github.com/decred/dcrd/math/uint256"
)

// The cubic of aserti3-2d approximates 2^x for 0 ≤ x < 1 in 16-bit fixed point:
//
//	2^x ≈ 1 + 0.695502049·x + 0.2262698·x² + 0.0782318·x³
//
// with the coefficients scaled by 2⁴⁸ (less 16 bits for each power of the
// 16-bit x). Bitcoin Cash specification "2020-11-15 ASERT".
const (
	asertRadixBits = 16
	asertRadix     = 1 << asertRadixBits
	asertCoeff1    = 195_766_423_245_049
	asertCoeff2    = 971_821_376
	asertCoeff3    = 5_127
	asertRound     = 1 << 47
)

// asertHeadroomBits is how far a large anchor is shifted down before it is
// multiplied by the 17-bit factor 2^x, so that the product stays within 256
// bits. An anchor that needs it comes from compact form, whose mantissa has 24
// bits, so only zero bits are dropped.
const asertHeadroomBits = 18

// Asert is the difficulty rule of one chain: aserti3-2d ("absolutely scheduled
// exponentially rising targets") of the Bitcoin Cash specification, in integers
// throughout. A chain that is HalfLife seconds behind its schedule has twice
// the anchor's target; one that is HalfLife ahead has half of it. As it looks
// at the anchor and the parent alone there is no window to game.
type Asert struct {
	Spacing  int64 // seconds between shares on schedule, > 0
	HalfLife int64 // seconds, > 0
	Limit    uint256.Uint256
}

// Next returns the compact target of the block that follows one whose time is
// timeDelta seconds after that of the anchor's parent and whose height is
// heightDelta above the anchor's (0 for the anchor itself). The result lies in
// [1, Limit] for every input.
func (a *Asert) Next(anchorBits uint32, timeDelta, heightDelta int64) (uint32, error) {
	anchor, err := FromCompact(anchorBits)
	if err != nil {
		return 0, err
	}
	exponent := asertExponent(timeDelta-a.Spacing*(heightDelta+1), a.HalfLife)
	next := asertScale(anchor, exponent, &a.Limit)
	return ToCompact(&next), nil
}

// asertExponent returns drift/halfLife in 16-bit fixed point, truncated towards
// zero as the specification's C++ division does. A drift beyond ±2⁴⁷ seconds
// saturates, far outside of anything a 256-bit target can express.
func asertExponent(drift, halfLife int64) int64 {
	const bound = math.MaxInt64 / asertRadix
	drift = min(max(drift, -bound), bound)
	return drift * asertRadix / halfLife
}

// Exp2 approximates 2^(x/65536) in 16-bit fixed point by the cubic of
// aserti3-2d, with an error below 0.013 %. It grows from 65,536 for 0 to
// 131,071 for 65,535, so that Exp2(x)<<n grows across whole powers too.
func Exp2(x uint16) uint64 {
	v := uint64(x)
	return asertRadix + (asertCoeff1*v+asertCoeff2*v*v+asertCoeff3*v*v*v+asertRound)>>48
}

// asertScale returns anchor·2^(exponent/65536), at least 1 and at most limit.
func asertScale(anchor uint256.Uint256, exponent int64, limit *uint256.Uint256) uint256.Uint256 {
	shift := exponent >> asertRadixBits // floor, also of negative exponents
	factor := Exp2(uint16(exponent & (asertRadix - 1)))

	shift -= asertRadixBits
	if anchor.BitLen() > 256-asertHeadroomBits {
		anchor.Rsh(asertHeadroomBits)
		shift += asertHeadroomBits
	}
	next := anchor
	next.MulUint64(factor)
	switch {
	case shift <= -256:
		next.Zero()
	case shift < 0:
		next.Rsh(uint32(-shift))
	case int64(next.BitLen())+shift > 256:
		return *limit
	default:
		next.Lsh(uint32(shift))
	}
	if next.IsZero() {
		next.SetUint64(1)
	}
	if next.Gt(limit) {
		return *limit
	}
	return next
}
