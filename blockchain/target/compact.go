package target

import (
	"errors"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"
)

// Errors that FromCompact returns. A caller that judges somebody else's bits
// wraps them in an error of its own kind.
var (
	ErrNegative = errors.New("compact target is negative")
	ErrZero     = errors.New("compact target is zero")
	ErrOverflow = errors.New("compact target exceeds 256 bits")
)

// The compact form ("nBits") of Bitcoin Core's arith_uint256::SetCompact: one
// byte of base-256 exponent, one sign bit, 23 bits of mantissa.
const (
	mantissaMask  = 0x007fffff
	signBit       = 0x00800000
	mantissaBytes = 3
)

// FromCompact expands Bitcoin's compact representation. Unlike Bitcoin Core's
// SetCompact it has no way to yield a zero, negative or overflowing target:
// those are errors, so that no caller can forget to look.
func FromCompact(bits uint32) (uint256.Uint256, error) {
	var t uint256.Uint256
	mantissa := bits & mantissaMask
	exponent := bits >> 24
	if exponent <= mantissaBytes {
		mantissa >>= 8 * (mantissaBytes - exponent)
	}
	if mantissa == 0 {
		return t, ErrZero
	}
	if bits&signBit != 0 {
		return t, ErrNegative
	}
	// The mantissa's top byte may be zero, which leaves room for a larger
	// exponent; 34 is the largest exponent with any room at all.
	if exponent > 34 || (mantissa > 0xff && exponent > 33) || (mantissa > 0xffff && exponent > 32) {
		return t, ErrOverflow
	}
	t.SetUint64(uint64(mantissa))
	if exponent > mantissaBytes {
		t.Lsh(8 * (exponent - mantissaBytes))
	}
	return t, nil
}

// ToCompact packs a target, rounding down to the 23 bits of mantissa as
// Bitcoin Core's arith_uint256::GetCompact does.
func ToCompact(t *uint256.Uint256) uint32 {
	size := (uint32(t.BitLen()) + 7) / 8
	var mantissa uint32
	if size <= mantissaBytes {
		mantissa = t.Uint32() << (8 * (mantissaBytes - size))
	} else {
		var shifted uint256.Uint256
		mantissa = shifted.RshVal(t, 8*(size-mantissaBytes)).Uint32()
	}
	// A set top bit would read as the sign: move one byte over.
	if mantissa&signBit != 0 {
		mantissa >>= 8
		size++
	}
	return size<<24 | mantissa
}

// Work returns the number of hashes expected to meet t: ⌊2²⁵⁶ / (t+1)⌋, the
// formula of Bitcoin Core's GetBlockProof. The easiest conceivable target,
// 2²⁵⁶−1, counts one hash; 0, which FromCompact never yields, saturates.
func Work(t *uint256.Uint256) uint256.Uint256 {
	if t.IsZero() {
		return *new(uint256.Uint256).Not()
	}
	// 2²⁵⁶ does not fit, but 2²⁵⁶/(t+1) = (2²⁵⁶−(t+1))/(t+1) + 1 = ^t/(t+1) + 1.
	divisor := *t
	divisor.AddUint64(1)
	if divisor.IsZero() {
		return *new(uint256.Uint256).SetUint64(1)
	}
	work := *t
	work.Not().Div(&divisor).AddUint64(1)
	return work
}

// HashToUint256 reads a block hash as the number that proof of work compares.
func HashToUint256(hash *chainhash.Hash) uint256.Uint256 {
	var n uint256.Uint256
	n.SetBytesLE((*[32]byte)(hash))
	return n
}

// HashMeets reports whether hash, read as a number, does not exceed t.
func HashMeets(hash *chainhash.Hash, t *uint256.Uint256) bool {
	n := HashToUint256(hash)
	return n.LtEq(t)
}
