package target

import (
	"errors"
	"math"
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"
	"pgregory.net/rapid"
)

// TestFromCompactVectors holds the published SetCompact cases of Bitcoin Core's
// arith_uint256 tests, and Bitcoin's genesis bits.
func TestFromCompactVectors(t *testing.T) {
	tests := []struct {
		bits uint32
		want string // big-endian hex without leading zeros
		err  error
	}{
		{bits: 0, err: ErrZero}, {bits: 0x00123456, err: ErrZero}, {bits: 0x01003456, err: ErrZero},
		{bits: 0x02000056, err: ErrZero}, {bits: 0x03000000, err: ErrZero}, {bits: 0x04000000, err: ErrZero},
		{bits: 0x00923456, err: ErrZero}, {bits: 0x01803456, err: ErrZero}, {bits: 0x02800056, err: ErrZero},
		{bits: 0x03800000, err: ErrZero}, {bits: 0x04800000, err: ErrZero},
		{bits: 0x01123456, want: "12"}, {bits: 0x02123456, want: "1234"},
		{bits: 0x03123456, want: "123456"}, {bits: 0x04123456, want: "12345600"},
		{bits: 0x05009234, want: "92340000"},
		{bits: 0x01fedcba, err: ErrNegative}, {bits: 0x04923456, err: ErrNegative},
		{bits: 0x20123456, want: "1234560000000000000000000000000000000000000000000000000000000000"},
		{bits: 0xff123456, err: ErrOverflow}, {bits: 0x21123456, err: ErrOverflow},
		{bits: 0x2100ffff, want: "ffff000000000000000000000000000000000000000000000000000000000000"},
		{bits: 0x1d00ffff, want: "ffff0000000000000000000000000000000000000000000000000000"},
		{bits: 0x22000001, want: "100000000000000000000000000000000000000000000000000000000000000"},
		{bits: 0x220000ff, want: "ff00000000000000000000000000000000000000000000000000000000000000"},
		{bits: 0x22000100, err: ErrOverflow}, {bits: 0x23000001, err: ErrOverflow},
	}
	for _, test := range tests {
		got, err := FromCompact(test.bits)
		if !errors.Is(err, test.err) {
			t.Errorf("%08x: error %v, want %v", test.bits, err, test.err)
		}
		if err == nil && got.ToBig().Text(16) != test.want {
			t.Errorf("%08x: %s, want %s", test.bits, got.ToBig().Text(16), test.want)
		}
	}
}

// TestDifferential compares compact forms and work with btcd's over 100,000
// pseudo-random values.
func TestDifferential(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.Uint32().Draw(t, "bits")
		for i := range uint32(1000) {
			bits = bits*1664525 + 1013904223 + i
			got, err := FromCompact(bits)
			want := blockchain.CompactToBig(bits)
			if err != nil {
				if want.Sign() > 0 && want.BitLen() <= 256 {
					t.Fatalf("%08x refused: %v", bits, err)
				}
				continue
			}
			if got.ToBig().Cmp(want) != 0 {
				t.Fatalf("%08x: %v, btcd %v", bits, got, want)
			}
			if c := ToCompact(&got); c != blockchain.BigToCompact(want) {
				t.Fatalf("%08x packs to %08x, btcd %08x", bits, c, blockchain.BigToCompact(want))
			}
			if work := Work(&got); work.ToBig().Cmp(blockchain.CalcWork(bits)) != 0 {
				t.Fatalf("%08x: work %v, btcd %v", bits, work, blockchain.CalcWork(bits))
			}
		}
	})
}

func TestWorkOfExtremes(t *testing.T) {
	easiest := *new(uint256.Uint256).Not()
	if w := Work(&easiest); !w.EqUint64(1) {
		t.Errorf("work of 2^256-1 is %v, want 1", w)
	}
	var zero uint256.Uint256
	if w := Work(&zero); w != easiest {
		t.Errorf("work of 0 is %v, want the saturated %v", w, easiest)
	}
}

func TestHashMeets(t *testing.T) {
	genesis, _ := chainhash.NewHashFromStr("000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f")
	limit, _ := FromCompact(0x1d00ffff)
	if !HashMeets(genesis, &limit) {
		t.Error("Bitcoin's genesis block does not meet its bits")
	}
	exact := HashToUint256(genesis)
	if !HashMeets(genesis, &exact) {
		t.Error("a hash does not meet itself")
	}
	exact.SubUint64(1)
	if HashMeets(genesis, &exact) {
		t.Error("a hash meets a target one below it")
	}
}

func TestDifficulty(t *testing.T) {
	one, _ := FromCompact(0x1d00ffff)
	if d := Difficulty(&one); d != 1 {
		t.Errorf("difficulty of 1d00ffff is %v", d)
	}
	if got := FromDifficulty(1); got != one {
		t.Errorf("target of difficulty 1 is %v", got)
	}
	for _, d := range []float64{4.7e-10, 1e-4, 0.5, 1, 3, 1e9, 1.3e14} {
		back := FromDifficulty(d)
		if got := Difficulty(&back); math.Abs(got/d-1) > 1e-9 {
			t.Errorf("difficulty %v came back as %v", d, got)
		}
	}
	for _, d := range []float64{0, -1, math.NaN(), math.SmallestNonzeroFloat64} {
		if easiest := FromDifficulty(d); easiest != *new(uint256.Uint256).Not() {
			t.Errorf("difficulty %v gave %v", d, easiest)
		}
	}
	if hardest := FromDifficulty(math.Inf(1)); !hardest.EqUint64(1) {
		t.Errorf("infinite difficulty gave %v", hardest)
	}
}

// TestDifficultyOfNothing: no bits give a target of 0, but a display may ask.
func TestDifficultyOfNothing(t *testing.T) {
	if d := Difficulty(new(uint256.Uint256)); !math.IsInf(d, 1) {
		t.Errorf("difficulty %v", d)
	}
}
