package blockchain

import (
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// header returns a header on top of another. The index believes its Bitcoin node,
// so it needs no proof of work.
func header(prev chainhash.Hash, at int64, bits uint32) *wire.BlockHeader {
	return &wire.BlockHeader{Version: 0x20000000, PrevBlock: prev, Timestamp: time.Unix(at, 0), Bits: bits}
}

// line makes headers of the heights first to last, at times from start to end,
// spread evenly.
func line(first, last uint32, start, end int64, bits uint32) []*wire.BlockHeader {
	prev := chainhash.Hash{1}
	var out []*wire.BlockHeader
	for h := first; h <= last; h++ {
		at := start + (end-start)*int64(h-first)/int64(max(1, last-first))
		out = append(out, header(prev, at, bits))
		prev = out[len(out)-1].BlockHash()
	}
	return out
}

// indexOf enters headers, the first of which has that height, and returns the
// block of the last.
func indexOf(t *testing.T, params *chaincfg.Params, first uint32, headers []*wire.BlockHeader) (*bitcoinIndex, *bitcoinBlock) {
	t.Helper()
	x := newBitcoinIndex(params)
	for i, h := range headers {
		if err := x.add(h, first+uint32(i)); err != nil {
			t.Fatal(err)
		}
	}
	return x, x.blocks[headers[len(headers)-1].BlockHash()]
}

// TestHeadersInAnyOrder: a header finds its parent whichever comes first, comes
// twice without harm, and must fit its parent's height.
func TestHeadersInAnyOrder(t *testing.T) {
	headers := line(100, 104, 1e9, 1e9+2400, 0x207fffff)
	x := newBitcoinIndex(&chaincfg.RegressionNetParams)
	for _, i := range []int{3, 1, 1, 4, 0, 2} {
		if err := x.add(headers[i], 100+uint32(i)); err != nil {
			t.Fatal(err)
		}
	}
	b := x.blocks[headers[4].BlockHash()]
	for i := 4; i >= 0; i-- {
		if b == nil || b.hash != headers[i].BlockHash() || b.height != 100+int32(i) {
			t.Fatalf("ancestor %d is %+v", i, b)
		}
		if i == 0 && oldest(x.blocks[headers[4].BlockHash()]) != b {
			t.Error("the oldest is another")
		}
		b = b.parent
	}
	if b != nil || len(x.rootless) != 1 {
		t.Errorf("below the first is %+v, and %d parents are awaited", b, len(x.rootless))
	}
	if err := x.add(header(headers[4].BlockHash(), 2e9, 0x207fffff), 106); err == nil {
		t.Error("a header two above its parent was taken")
	}
}

// TestRetargetVectors holds the retargets that Bitcoin Core's pow_tests publish,
// each between the first and the last block of a period of mainnet.
func TestRetargetVectors(t *testing.T) {
	for _, test := range []struct {
		name       string
		last       uint32
		start, end int64
		bits, want uint32
	}{
		{"first change", 32255, 1261130161, 1262152739, 0x1d00ffff, 0x1d00d86a},
		{"at the limit", 2015, 1231006505, 1233061996, 0x1d00ffff, 0x1d00ffff},
		{"at most four times harder", 68543, 1279008237, 1279297671, 0x1c05a3f4, 0x1c0168fd},
		{"at most four times easier", 46367, 1263163443, 1269211443, 0x1c387f6f, 0x1d00e1fd},
	} {
		headers := line(test.last-2015, test.last, test.start, test.end, test.bits)
		x, parent := indexOf(t, &chaincfg.MainNetParams, test.last-2015, headers)
		next := header(parent.hash, test.end+600, test.want)
		if err := x.checkHeader(next, parent); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		next.Bits--
		if err := x.checkHeader(next, parent); err == nil || errors.Is(err, errNeedsOlder) {
			t.Errorf("%s: bits %08x, want %08x: %v", test.name, next.Bits, test.want, err)
		}
		// Without the first block of the period nobody can say.
		x, parent = indexOf(t, &chaincfg.MainNetParams, test.last-2014, headers[1:])
		if err := x.checkHeader(next, parent); !errors.Is(err, errNeedsOlder) {
			t.Errorf("%s, without the first block: %v", test.name, err)
		}
	}
}

// TestHeaderTimes: a header's time lies above the median of the eleven before it,
// which have to be known unless the chain is shorter.
func TestHeaderTimes(t *testing.T) {
	const bits = 0x1c05a3f4
	headers := line(1000, 1011, 1e9, 1e9+11*600, bits)
	x, parent := indexOf(t, &chaincfg.MainNetParams, 1000, headers)
	median := int64(1e9 + 6*600)
	if err := x.checkHeader(header(parent.hash, median+1, bits), parent); err != nil {
		t.Errorf("just above the median: %v", err)
	}
	if err := x.checkHeader(header(parent.hash, median, bits), parent); err == nil {
		t.Error("at the median, but taken")
	}
	x, parent = indexOf(t, &chaincfg.MainNetParams, 1002, headers[2:])
	if err := x.checkHeader(header(parent.hash, median, bits), parent); !errors.Is(err, errNeedsOlder) {
		t.Errorf("with ten of eleven known: %v", err)
	}
	x, parent = indexOf(t, &chaincfg.MainNetParams, 0, headers[:3])
	if err := x.checkHeader(header(parent.hash, 1e9+601, bits), parent); err != nil {
		t.Errorf("near genesis: %v", err)
	}
}

// TestMinimumDifficulty: on testnet4 a block that comes twenty minutes after its
// parent may have the easiest bits, and the next one has again those of the last
// other block, which has to be known back to the retarget.
func TestMinimumDifficulty(t *testing.T) {
	const bits = 0x1c05a3f4
	params := &chaincfg.TestNet4Params
	easiest := params.PowLimitBits
	headers := line(2016, 2046, 2e9, 2e9+30*600, bits)
	end := int64(2e9 + 30*600)
	late := header(headers[len(headers)-1].BlockHash(), end+1201, easiest)
	x, parent := indexOf(t, params, 2016, headers)
	if err := x.checkHeader(late, parent); err != nil {
		t.Errorf("twenty minutes after its parent: %v", err)
	}
	if err := x.checkHeader(header(parent.hash, end+1200, easiest), parent); err == nil {
		t.Error("a second earlier, but taken")
	}
	x, parent = indexOf(t, params, 2016, append(headers, late))
	if err := x.checkHeader(header(parent.hash, end+1300, bits), parent); err != nil {
		t.Errorf("after a block of the easiest bits: %v", err)
	}
	if err := x.checkHeader(header(parent.hash, end+1300, easiest), parent); err == nil {
		t.Error("the easiest bits stayed")
	}
	x, parent = indexOf(t, params, 2017, append(headers[1:], late))
	if err := x.checkHeader(header(parent.hash, end+1300, bits), parent); !errors.Is(err, errNeedsOlder) {
		t.Errorf("without the first block of the period: %v", err)
	}
}
