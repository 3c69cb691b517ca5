package stratum

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/target"
)

func TestDifficultyOnTheWire(t *testing.T) {
	for d, want := range map[float64]string{
		1:                   "1",
		1024:                "1024",
		77777.9:             "77777",
		1e21:                "1000000000000000000000",
		1.5:                 "1.5",
		0.1:                 "0.1",
		1.0 / 3:             "0.333333",
		4.6566128730774e-10: "0.000000000465661",
		0:                   "0.000000000232827",
		math.NaN():          "0.000000000232827",
	} {
		got := string(appendDifficulty(nil, roundDifficulty(d)))
		if !strings.HasPrefix(got, want) || (d >= 1 && got != want) {
			t.Errorf("difficulty %g is sent as %s, want %s", d, got, want)
		}
	}
}

// Rounding never raises a difficulty, loses little, and what is printed reads
// back as the same number without an exponent.
func TestRoundDifficulty(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		d := math.Exp2(rng.Float64()*96 - 32)
		r := roundDifficulty(d)
		loss := 1e-5
		if d >= integerFrom {
			loss = 1 / d
		}
		if r > max(d, easiestDifficulty) || r < d*(1-loss) {
			t.Fatalf("%g rounded to %g", d, r)
		}
		text := string(appendDifficulty(nil, r))
		if back, err := strconv.ParseFloat(text, 64); err != nil || back != r || strings.ContainsAny(text, "e+") {
			t.Fatalf("%g printed as %s", r, text)
		}
		if d >= integerFrom && strings.Contains(text, ".") {
			t.Fatalf("%g printed as %s", r, text)
		}
	}
}

// A device given the share's difficulty must report every share.
func TestShareDifficultyIsEasierThanShare(t *testing.T) {
	for _, bits := range []uint32{0x207fffff, 0x20100000, 0x1f123456, 0x1e00ffff, 0x1d00ffff, 0x1b0404cb, 0x17034219} {
		share, err := target.FromCompact(bits)
		if err != nil {
			t.Fatal(err)
		}
		device := target.FromDifficulty(roundDifficulty(target.Difficulty(&share)))
		if device.Lt(&share) {
			t.Errorf("bits %08x: device target %064x below the share's %064x", bits, &device, &share)
		}
	}
}

func TestHashDifficulty(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 10_000 {
		var hash chainhash.Hash
		for i := range rng.IntN(33) {
			hash[i] = byte(rng.Uint32())
		}
		number := target.HashToUint256(&hash)
		want, got := target.Difficulty(&number), hashDifficulty(&hash)
		if math.IsInf(want, 1) && math.IsInf(got, 1) {
			continue
		}
		if math.Abs(got/want-1) > 1e-9 {
			t.Fatalf("hash %v: difficulty %g, want %g", hash, got, want)
		}
	}
}

func TestParseDifficulty(t *testing.T) {
	for text, want := range map[string]float64{
		"1024": 1024, "0.0001": 0.0001, `"2048"`: 2048, "1e3": 1000, "1e-30": easiestDifficulty,
		"0": 0, "-1": 0, "NaN": 0, "Inf": 0, "1e300": 0, `"x"`: 0, "": 0, "[1]": 0, "null": 0,
	} {
		if got, ok := parseDifficulty([]byte(text)); got != want || ok != (want > 0) {
			t.Errorf("%s: %g, %v", text, got, ok)
		}
	}
}
