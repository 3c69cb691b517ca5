package target

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/decred/dcrd/math/uint256"
	"pgregory.net/rapid"
)

// bchAsert is the rule with the constants of Bitcoin Cash's mainnet, for which
// the public aserti3-2d vectors were made.
func bchAsert(t testing.TB) *Asert {
	limit, err := FromCompact(0x1d00ffff)
	if err != nil {
		t.Fatal(err)
	}
	return &Asert{Spacing: 600, HalfLife: 172_800, Limit: limit}
}

// TestAsertPublicRuns replays those of the twelve public aserti3-2d runs whose
// block times follow a formula. The rows "iteration height time bits" are made
// anew here and their SHA-256 compared with that of the published file's rows.
func TestAsertPublicRuns(t *testing.T) {
	const bitsNow = 0x1802aee8
	tests := []struct {
		name               string
		anchorHeight       uint64
		anchorTime         int64
		anchorBits         uint32
		startTime, step    int64
		heightStep, rows   uint64
		firstRowsAsWritten []string
		digest             string
	}{{
		name: "run1 steady 600 s at the limit", anchorHeight: 1, anchorBits: 0x1d00ffff,
		startTime: 1200, step: 600, heightStep: 1, rows: 10,
		firstRowsAsWritten: []string{"1 2 1200 0x1d00ffff", "2 3 1800 0x1d00ffff"},
		digest:             "acdb1ecbb9bb5ecaefe12e08dfb35d4d4ff77a7fff848309e84472c6be867c9f",
	}, {
		name: "run2 steady 600 s at 1a2b3c4d", anchorHeight: 1, anchorBits: 0x1a2b3c4d,
		startTime: 1200, step: 600, heightStep: 1, rows: 10,
		firstRowsAsWritten: []string{"1 2 1200 0x1a2b3c4d"},
		digest:             "a6865d5781572faf1d2ecb5d192812bdb10662d6ccce2f6c03a99480a9091a93",
	}, {
		name: "run3 steady 600 s at the minimum", anchorHeight: 1, anchorBits: 0x01010000,
		startTime: 1200, step: 600, heightStep: 1, rows: 10,
		firstRowsAsWritten: []string{"1 2 1200 0x01010000"},
		digest:             "9b453a955658d4ca4100708916a5abf9bff810e04a635f908c5ea91ed5227607",
	}, {
		name: "run4 doubling at each block", anchorHeight: 1, anchorBits: 0x01010000,
		startTime: 174_000, step: 173_400, heightStep: 1, rows: 225,
		firstRowsAsWritten: []string{"1 2 174000 0x01020000", "2 3 347400 0x01040000"},
		digest:             "3203f2eb025d42dcdd1d967f23b0a5e13a39f35df7493ce86f74cc19e164922d",
	}, {
		name: "run5 halving at each block", anchorHeight: 1, anchorBits: 0x1d00ffff,
		startTime: 0, step: 0, heightStep: 288, rows: 225,
		firstRowsAsWritten: []string{"1 2 0 0x1d00fec5", "2 290 0 0x1c7f62c0"},
		digest:             "86f3d5d46768a3b87050e462be63297cdb29a488720db7f3218ca8bfc01ec002",
	}, {
		name: "run9 across 2^31 heights", anchorHeight: 2147483642, anchorTime: 1234567290,
		anchorBits: bitsNow, startTime: 1234568190, step: 300, heightStep: 1, rows: 10,
		firstRowsAsWritten: []string{"1 2147483643 1234568190 0x1802ae16"},
		digest:             "7a2bc4ca29a1c027d0683c9a0d42d358011e96ab8cee256b1c6b97c2aad207ae",
	}, {
		name: "run10 across 2^63 heights and 2^31 seconds", anchorHeight: 9223372036854775802,
		anchorTime: 2147483047, anchorBits: bitsNow, startTime: 2147484547, step: 900,
		heightStep: 1, rows: 10,
		firstRowsAsWritten: []string{"1 9223372036854775803 2147484547 0x1802afbb"},
		digest:             "fa110660ec9d0d7a63cab89bd90e2b90445a90561dba22712f1a55be063b2e86",
	}, {
		name: "run12 each block 1 s before the last", anchorHeight: 1, anchorTime: 10000,
		anchorBits: bitsNow, startTime: 11200, step: -1, heightStep: 1, rows: 10000,
		firstRowsAsWritten: []string{"1 2 11200 0x1802aee8", "2 3 11199 0x1802ad44"},
		digest:             "04dfa99a1669b32cf113353471e36b9a407b06bd2f01d0d3645858e292582c07",
	}}
	a := bchAsert(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sum := sha256.New()
			height, at := test.anchorHeight+1, test.startTime
			for i := range test.rows {
				bits, err := a.Next(test.anchorBits, at-test.anchorTime, int64(height-test.anchorHeight))
				if err != nil {
					t.Fatal(err)
				}
				row := fmt.Sprintf("%d %d %d 0x%08x", i+1, height, at, bits)
				if i < uint64(len(test.firstRowsAsWritten)) && row != test.firstRowsAsWritten[i] {
					t.Errorf("row %q, published %q", row, test.firstRowsAsWritten[i])
				}
				fmt.Fprintln(sum, row)
				height += test.heightStep
				at += test.step
			}
			if got := hex.EncodeToString(sum.Sum(nil)); got != test.digest {
				t.Errorf("rows have digest %s, the published ones %s", got, test.digest)
			}
		})
	}
}

// TestAsertPublicRandomRuns checks rows of the public runs whose block times
// are pseudo-random. All have anchor height 1, anchor time 0, bits 1802aee8.
func TestAsertPublicRandomRuns(t *testing.T) {
	tests := []struct {
		run          int
		height, time int64
		bits         uint32
	}{
		{6, 3, 1310, 0x1802ad91}, {6, 4, 1327, 0x1802abf8}, {6, 5, 1739, 0x1802ab73},
		{6, 127, 77349, 0x1802b215}, {6, 252, 159346, 0x1802c5c6}, {6, 502, 302957, 0x1802b3c7},
		{6, 752, 458088, 0x1802c233}, {6, 1000, 589215, 0x180291e0}, {6, 1001, 589738, 0x180291ad},
		{7, 127, 21547, 0x180227b2}, {7, 252, 25796, 0x18019f60}, {7, 502, 29608, 0x1800e710},
		{7, 752, 31992, 0x177fd0f4}, {7, 1000, 33360, 0x1746c2cd}, {7, 1001, 33365, 0x17469789},
		{8, 64, 138133, 0x180400bd}, {8, 127, 503376, 0x180ee2f0}, {8, 252, 2118367, 0x191c02ec},
		{8, 377, 4338902, 0x1b025631}, {8, 500, 7421433, 0x1d00ffff}, {8, 501, 7462933, 0x1d00ffff},
		{11, 3, 1496, 0x1802ae12}, {11, 4, 1398, 0x1802ac28}, {11, 5, 1996, 0x1802ac28},
		{11, 127, 36103, 0x180248e5}, {11, 252, 74578, 0x1801f91e}, {11, 502, 151773, 0x18017941},
		{11, 752, 224349, 0x18011483}, {11, 1000, 293956, 0x1800c943}, {11, 1001, 293713, 0x1800c896},
	}
	a := bchAsert(t)
	for _, test := range tests {
		got, err := a.Next(0x1802aee8, test.time, test.height-1)
		if err != nil || got != test.bits {
			t.Errorf("run %d height %d: bits %08x, %v; published %08x", test.run, test.height, got, err, test.bits)
		}
	}
}

// TestAsertAgainstBigInt compares the 256-bit arithmetic, with its shifted
// anchors, to unbounded integers for limits up to regtest's 2^255.
func TestAsertAgainstBigInt(t *testing.T) {
	limit, _ := FromCompact(0x207fffff)
	a := &Asert{Spacing: 2, HalfLife: 60, Limit: limit}
	rapid.Check(t, func(t *rapid.T) {
		bits := ToCompact(&limit)
		if rapid.Bool().Draw(t, "below the limit") {
			bits = uint32(rapid.IntRange(4, 32).Draw(t, "exponent"))<<24 |
				uint32(rapid.IntRange(1, mantissaMask).Draw(t, "mantissa"))
		}
		dt := rapid.Int64Range(-100_000, 100_000).Draw(t, "dt")
		dh := rapid.Int64Range(0, 50_000).Draw(t, "dh")
		got, err := a.Next(bits, dt, dh)
		if err != nil {
			t.Fatal(err)
		}
		anchor, _ := FromCompact(bits)
		e := (dt - 2*(dh+1)) * 65536 / 60
		shift, x := e>>16, uint64(e&0xffff)
		factor := 65536 + (195766423245049*x+971821376*x*x+5127*x*x*x+1<<47)>>48
		want := new(big.Int).Mul(anchor.ToBig(), new(big.Int).SetUint64(factor))
		if shift >= 16 {
			want.Lsh(want, uint(min(shift-16, 1024)))
		} else {
			want.Rsh(want, uint(16-shift))
		}
		if want.Sign() == 0 {
			want.SetInt64(1)
		}
		if want.Cmp(limit.ToBig()) > 0 {
			want = limit.ToBig()
		}
		n := new(uint256.Uint256).SetBig(want)
		if wantBits := ToCompact(n); got != wantBits {
			t.Fatalf("bits %08x dt %d dh %d: %08x, want %08x", bits, dt, dh, got, wantBits)
		}
	})
}

func TestAsertExtremes(t *testing.T) {
	a := bchAsert(t)
	for _, test := range []struct {
		name   string
		bits   uint32
		dt, dh int64
		want   uint32
	}{
		{"far behind schedule", 0x1802aee8, math.MaxInt64 / 2, 0, 0x1d00ffff},
		{"far ahead of schedule", 0x1802aee8, math.MinInt64 / 2, 0, 0x01010000},
		{"far ahead in height", 0x1802aee8, 0, math.MaxInt64 / 1200, 0x01010000},
	} {
		got, err := a.Next(test.bits, test.dt, test.dh)
		if err != nil || got != test.want {
			t.Errorf("%s: %08x, %v; want %08x", test.name, got, err, test.want)
		}
	}
	if _, err := a.Next(0, 0, 0); err == nil {
		t.Error("a zero anchor was taken")
	}
}

func TestExp2(t *testing.T) {
	last := uint64(0)
	for x := range 1 << 16 {
		got := Exp2(uint16(x))
		want := 65536 * math.Exp2(float64(x)/65536)
		if got < last || got > 131071 || math.Abs(float64(got)/want-1) > 0.00013 {
			t.Fatalf("2^(%d/65536) = %d, want about %.1f and no less than %d", x, got, want, last)
		}
		last = got
	}
	if Exp2(0) != 65536 {
		t.Errorf("2^0 = %d", Exp2(0))
	}
}

func FuzzAsert(f *testing.F) {
	f.Add(uint32(0x1d00ffff), int64(600), int64(1))
	f.Add(uint32(0), int64(math.MinInt64), int64(math.MaxInt64))
	a := bchAsert(f)
	f.Fuzz(func(t *testing.T, bits uint32, dt, dh int64) {
		got, err := a.Next(bits, dt, dh)
		if err != nil {
			return
		}
		if next, err := FromCompact(got); err != nil || next.Gt(&a.Limit) {
			t.Fatalf("bits %08x dt %d dh %d gave %08x, %v", bits, dt, dh, got, err)
		}
	})
}
