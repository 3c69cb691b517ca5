package target

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/chainhash/v2"
)

// differentialRounds is how many values are compared with btcd's.
func differentialRounds() int {
	if testing.Short() {
		return 10_000
	}
	return 100_000
}

// agree compares everything this package makes of compact bits with btcd. Where
// btcd sees a target that no 256 bits hold, or none above zero, FromCompact must
// refuse it.
func agree(t *testing.T, bits uint32) {
	t.Helper()
	want := blockchain.CompactToBig(bits)
	got, err := FromCompact(bits)
	if valid := want.Sign() > 0 && want.BitLen() <= 256; valid != (err == nil) {
		t.Fatalf("%08x: %v, btcd reads %x", bits, err, want)
	}
	if err != nil {
		return
	}
	if got.ToBig().Cmp(want) != 0 {
		t.Fatalf("%08x: %x, btcd %x", bits, got.ToBig(), want)
	}
	if c, btcd := ToCompact(&got), blockchain.BigToCompact(want); c != btcd {
		t.Fatalf("%08x packs to %08x, btcd %08x", bits, c, btcd)
	}
	if work := Work(&got); work.ToBig().Cmp(blockchain.CalcWork(bits)) != 0 {
		t.Fatalf("%08x: work %v, btcd %v", bits, work, blockchain.CalcWork(bits))
	}
}

// TestEveryExponentAgainstBtcd visits the corners of all 256 exponents, both
// signs.
func TestEveryExponentAgainstBtcd(t *testing.T) {
	for exponent := range uint32(256) {
		for _, mantissa := range []uint32{0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffff} {
			agree(t, exponent<<24|mantissa)
			agree(t, exponent<<24|signBit|mantissa)
		}
	}
}

// TestTargetsAgainstBtcd compares pseudo-random bits, mostly of the exponents
// that are targets, and packs pseudo-random targets of every length.
func TestTargetsAgainstBtcd(t *testing.T) {
	rng := rand.New(rand.NewPCG(256, 1))
	for range differentialRounds() {
		bits := rng.Uint32()
		if rng.IntN(8) > 0 {
			bits = rng.Uint32N(36)<<24 | bits&0x00ffffff
		}
		agree(t, bits)

		var hash chainhash.Hash
		for i := range rng.IntN(len(hash) + 1) {
			hash[i] = byte(rng.Uint32())
		}
		n := HashToUint256(&hash)
		if c, btcd := ToCompact(&n), blockchain.BigToCompact(blockchain.HashToBig(&hash)); c != btcd {
			t.Fatalf("%v packs to %08x, btcd %08x", hash, c, btcd)
		}
	}
}

// TestProofOfWorkAgainstBtcd judges pseudo-random hashes against targets that
// are near to them.
func TestProofOfWorkAgainstBtcd(t *testing.T) {
	rng := rand.New(rand.NewPCG(256, 2))
	met := 0
	for range differentialRounds() {
		var hash chainhash.Hash
		for i := range rng.IntN(len(hash)) + 1 {
			hash[i] = byte(rng.Uint32())
		}
		n := HashToUint256(&hash)
		bits := ToCompact(&n) + rng.Uint32N(3) - 1
		limit, err := FromCompact(bits)
		if err != nil {
			continue
		}
		want := blockchain.HashToBig(&hash).Cmp(blockchain.CompactToBig(bits)) <= 0
		if got := HashMeets(&hash, &limit); got != want {
			t.Fatalf("%v meets %08x: %v, btcd %v", hash, bits, got, want)
		}
		if want {
			met++
		}
	}
	if rounds := differentialRounds(); met < rounds/10 || met > rounds*9/10 {
		t.Errorf("%d of %d hashes met their target: the cases are one-sided", met, rounds)
	}
}

// TestPublishedDifficulties holds difficulties as Bitcoin's block explorers and
// wiki give them.
func TestPublishedDifficulties(t *testing.T) {
	for bits, want := range map[uint32]float64{
		0x1d00ffff: 1,
		0x1b0404cb: 16307.420938523983,
		0x1b04864c: 14484.162361225399,
	} {
		n, err := FromCompact(bits)
		if err != nil {
			t.Fatal(err)
		}
		if got := Difficulty(&n); math.Abs(got/want-1) > 1e-12 {
			t.Errorf("%08x: difficulty %v, published %v", bits, got, want)
		}
	}
}

// TestWorkFloat: the float for displays follows the integer.
func TestWorkFloat(t *testing.T) {
	for _, bits := range []uint32{0x1d00ffff, 0x207fffff, 0x1702f128} {
		n, err := FromCompact(bits)
		if err != nil {
			t.Fatal(err)
		}
		work := Work(&n)
		want, _ := blockchain.CalcWork(bits).Float64()
		if got := WorkFloat(&work); got != want {
			t.Errorf("%08x: work %v, want %v", bits, got, want)
		}
	}
}
