package share

import (
	"errors"
	"runtime"
	"testing"
)

// TestClaimedLengths sets each length of an encoding to the greatest that a byte can
// claim, or just beyond its bound. It is refused for what it is, and nothing is
// allocated for it.
func TestClaimedLengths(t *testing.T) {
	b := shortShare().Encode()
	uncles := headerSize + 4 + 32
	payee := uncles + 1 + 5*4 + MaxWorkBits/8
	tag := payee + 1 + len(p2wpkh) + 4 + 8 + 1
	for _, field := range []struct {
		kind ErrorKind
		at   int
		most int
	}{
		{ErrTooManyUncles, uncles, MaxUncles},
		{ErrPayee, payee, MaxPayee},
		{ErrTag, tag, MaxTag},
		{ErrWitnessCommitment, tag + 1, WitnessCommitmentSize},
		{ErrMergedMining, tag + 2, MergedMiningSize},
		{ErrBranch, tag + 3 + ExtranonceSize + 32 + 4, MaxBranch},
	} {
		was := b[field.at]
		for _, length := range []int{field.most + 1, 255} {
			b[field.at] = byte(length)
			s, err := Decode(b)
			if _, isRule := errors.AsType[RuleError](err); s != nil || !isRule || !errors.Is(err, field.kind) {
				t.Errorf("length %d at %d: %v, want %s", length, field.at, err, field.kind)
			}
			if n := allocated(func() { Decode(b) }); n > 2*MaxEncodedSize { //nolint:errcheck // judged above
				t.Errorf("%s: %d bytes are allocated", field.kind, n)
			}
		}
		b[field.at] = was
	}
	if _, err := Decode(b); err != nil {
		t.Fatal(err)
	}
	long := fullShare().Encode()
	if n := allocated(func() { Decode(long) }); n > 4*MaxEncodedSize { //nolint:errcheck // it is valid
		t.Errorf("the longest share takes %d bytes", n)
	}
}

// allocated returns the bytes that f allocates on average.
func allocated(f func()) uint64 {
	const runs = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}
