package stratum

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/target"
)

// hashesPerDifficulty is the number of hashes expected to meet difficulty 1,
// whose target is 0xffff·2²⁰⁸: 2²⁵⁶ / (0xffff·2²⁰⁸) = 2⁴⁸ / 0xffff.
const hashesPerDifficulty = float64(1<<48) / 0xffff

// easiestDifficulty is that of the target 2²⁵⁶−1, which every hash meets:
// 0xffff·2²⁰⁸ / 2²⁵⁶, a little under 2⁻³². Clients compute a target from the
// difficulty with 256 bits and must not overflow.
const easiestDifficulty = float64(0xffff) / (1 << 48)

// integerFrom is the difficulty from which only whole numbers are sent: the S9
// family reads the integer part alone, which from here on loses at most an
// eighth of the value.
const integerFrom = 8

// difficultyDigits is how many significant digits a fractional difficulty has
// on the wire.
const difficultyDigits = 6

// tolerance forgives clients that compute targets with 32-bit floats.
const tolerance = 1 - 1.0/(1<<20)

// roundDifficulty makes a difficulty fit for the wire. It rounds down, so that
// a device given the share's difficulty reports every share.
func roundDifficulty(d float64) float64 {
	switch {
	case !(d > easiestDifficulty): // also NaN
		return easiestDifficulty
	case d >= 1<<53:
		return min(d, math.MaxFloat64)
	case d >= integerFrom:
		return math.Floor(d)
	}
	// The exact quotient of two doubles: digits as an integer over a power of ten
	// is what a client's decimal parser yields, too.
	scale := math.Pow(10, math.Ceil(difficultyDigits-1-math.Log10(d)))
	rounded := math.Floor(d*scale) / scale
	if rounded > d {
		rounded = (math.Floor(d*scale) - 1) / scale
	}
	return max(rounded, easiestDifficulty)
}

// appendDifficulty prints a difficulty as old firmware wants it: whole numbers
// without a point and never with an exponent. The shortest decimal that reads
// back as the same float64 is used, however small it is.
func appendDifficulty(dst []byte, d float64) []byte {
	return strconv.AppendFloat(dst, d, 'f', -1, 64)
}

// deviceTarget is the target that a hash must meet for difficulty d.
func deviceTarget(d float64) uint256.Uint256 { return target.FromDifficulty(d * tolerance) }

// hashDifficulty expresses a header hash as the difficulty it just meets, to
// 53 bits and without allocating.
func hashDifficulty(hash *chainhash.Hash) float64 {
	// The hash is a little-endian number; take the 64 bits below its highest
	// byte that is not zero.
	top := len(hash)
	for top > 8 && hash[top-1] == 0 {
		top--
	}
	mantissa := binary.LittleEndian.Uint64(hash[top-8 : top])
	if mantissa == 0 {
		return math.Inf(1)
	}
	return math.Ldexp(0xffff, 208-8*(top-8)) / float64(mantissa)
}

// maxSuggested bounds the difficulties that clients may ask for; that of the
// hardest target, 1, is near 2²²⁴.
const maxSuggested = 1 << 62

// parseDifficulty reads a difficulty that a client suggests, as a number or in
// a string. It is false unless the value is positive and of a possible size.
func parseDifficulty(raw []byte) (float64, bool) {
	if s, ok := stringValue(raw); ok {
		raw = s
	}
	d, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || !(d > 0) || d > maxSuggested {
		return 0, false
	}
	return max(d, easiestDifficulty), true
}
