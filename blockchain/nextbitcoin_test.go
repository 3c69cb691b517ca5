package blockchain

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/blockchain/chainparams"
)

// headerChain enters count headers that end at a height, with times from first to last
// in even steps, and returns the chain and the last one's hash.
func headerChain(t testing.TB, net chainparams.Network, count int, last uint32, firstTime, lastTime int64, bits uint32) (*Chain, *wire.BlockHeader) {
	t.Helper()
	params, err := chainparams.New(net, "main")
	if err != nil {
		t.Fatal(err)
	}
	c := New(params)
	header := new(wire.BlockHeader)
	for i := range count {
		at := firstTime + (lastTime-firstTime)*int64(i)/int64(max(1, count-1))
		header = &wire.BlockHeader{Version: anyVersion, PrevBlock: header.BlockHash(), Bits: bits, Timestamp: time.Unix(at, 0)}
		if err := c.AddBitcoinHeader(header, last-uint32(count-1-i)); err != nil {
			t.Fatal(err)
		}
	}
	return c, header
}

// TestNextBitcoinRetargets checks difficulties that Bitcoin's chain really had, and the
// two bounds of an adjustment.
func TestNextBitcoinRetargets(t *testing.T) {
	for _, test := range []struct {
		name        string
		last        uint32 // height
		first, time int64  // of the period's first and last block
		bits, want  uint32
	}{
		{"the first adjustment of all", 32255, 1261130161, 1262152739, 0x1d00ffff, 0x1d00d86a},
		{"the first period, at the limit", 2015, 1231006505, 1233061996, 0x1d00ffff, 0x1d00ffff},
		{"a quarter of the target at most", 68543, 1279008237, 1279297671, 0x1c05a3f4, 0x1c0168fd},
		{"four times the target at most", 46367, 1263163443, 1269211443, 0x1c387f6f, 0x1d00e1fd},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, last := headerChain(t, chainparams.Mainnet, 2016, test.last, test.first, test.time, test.bits)
			next, err := c.NextBitcoinWork(last.BlockHash())
			if err != nil {
				t.Fatal(err)
			}
			if next.Height != test.last+1 || next.Bits != test.want {
				t.Errorf("height %d, bits %08x; want %d, %08x", next.Height, next.Bits, test.last+1, test.want)
			}
			if next.MinTime < uint32(test.time)-maxTimeWarp {
				t.Errorf("least time %d is more than %d s before the parent's %d", next.MinTime, maxTimeWarp, test.time)
			}
			// One header fewer, and nobody can know.
			short, last := headerChain(t, chainparams.Mainnet, 2015, test.last, test.first, test.time, test.bits)
			if _, err := short.NextBitcoinWork(last.BlockHash()); !errors.Is(err, ErrNoNextBitcoin) {
				t.Errorf("without the period's first block: %v", err)
			}
		})
	}
}

// TestNextBitcoin checks the rules between retargets, and each case where they are not known.
func TestNextBitcoin(t *testing.T) {
	const start, bits = 1_700_000_000, 0x17053894
	c, last := headerChain(t, chainparams.Mainnet, 20, 800_003, start, start+19*600, bits)
	next, err := c.NextBitcoinWork(last.BlockHash())
	// The median of 11 is the sixth from the end.
	if want := (NextBitcoin{Height: 800_004, Bits: bits, MinTime: start + 14*600 + 1}); err != nil || next != want {
		t.Errorf("%+v, %v; want %+v", next, err, want)
	}

	refused := func(what string, err error, text string) {
		t.Helper()
		if !errors.Is(err, ErrNoNextBitcoin) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = c.NextBitcoinWork(chainhash.Hash{1})
	refused("unknown block", err, "unknown")
	c.BitcoinBlockInvalid(last.BlockHash())
	_, err = c.NextBitcoinWork(last.BlockHash())
	refused("invalid block", err, "invalid")
	short, last := headerChain(t, chainparams.Mainnet, 10, 800_003, start, start+600, bits)
	_, err = short.NextBitcoinWork(last.BlockHash())
	refused("no median", err, "older")
	testnet, last := headerChain(t, chainparams.Testnet4, 2016, 100_000, start, start+600, 0x1d00ffff)
	_, err = testnet.NextBitcoinWork(last.BlockHash())
	refused("testnet4", err, "depend on the block's time")
	end, last := headerChain(t, chainparams.Regtest, 20, math.MaxInt32, start, start+600, 0x207fffff)
	_, err = end.NextBitcoinWork(last.BlockHash())
	refused("the end of heights", err, "older")

	regtest, last := headerChain(t, chainparams.Regtest, 20, 2015, start, start+600, 0x207fffff)
	if next, err := regtest.NextBitcoinWork(last.BlockHash()); err != nil || next.Bits != 0x207fffff || next.Height != 2016 {
		t.Errorf("regtest: %+v, %v", next, err)
	}
	signet, last := headerChain(t, chainparams.Signet, 20, 5000, start, start+600, 0x1e0377ae)
	if next, err := signet.NextBitcoinWork(last.BlockHash()); err != nil || next.Bits != 0x1e0377ae {
		t.Errorf("signet: %+v, %v", next, err)
	}
}

// TestAddNextBitcoinHeader enters headers one by one, and refuses what Bitcoin would.
func TestAddNextBitcoinHeader(t *testing.T) {
	const start, bits = 1_700_000_000, 0x17053894
	c, last := headerChain(t, chainparams.Mainnet, 20, 800_003, start, start+19*600, bits)
	good := wire.BlockHeader{Version: anyVersion, PrevBlock: last.BlockHash(), Bits: bits, Timestamp: last.Timestamp.Add(time.Minute)}
	for what, change := range map[string]func(*wire.BlockHeader){
		"unknown parent": func(h *wire.BlockHeader) { h.PrevBlock[0]++ },
		"bits":           func(h *wire.BlockHeader) { h.Bits-- },
		"time":           func(h *wire.BlockHeader) { h.Timestamp = time.Unix(start, 0) },
		"version":        func(h *wire.BlockHeader) { h.Version = 1 },
	} {
		bad := good
		change(&bad)
		if _, err := c.AddNextBitcoinHeader(&bad); !errors.Is(err, ErrNoNextBitcoin) {
			t.Errorf("%s: %v", what, err)
		}
		if c.HasBitcoinBlock(bad.BlockHash()) {
			t.Errorf("%s: entered", what)
		}
	}
	for range 2 {
		next, err := c.AddNextBitcoinHeader(&good)
		if err != nil || next.Height != 800_005 || next.Bits != bits {
			t.Fatalf("%+v, %v", next, err)
		}
	}
}

// TestNextBitcoinAgrees: whatever the headers, what is returned passes btcd's rule and
// nothing near it does.
func TestNextBitcoinAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		params := &chaincfg.MainNetParams
		x := newBitcoinIndex(params)
		last := int32(2016*rapid.IntRange(1, 300).Draw(t, "period") - 1 + rapid.IntRange(0, 1).Draw(t, "behind"))
		at := rapid.Int64Range(1_300_000_000, 1_900_000_000).Draw(t, "start")
		step := rapid.Int64Range(1, 3000).Draw(t, "step")
		jitter := rapid.Int64Range(0, 7000).Draw(t, "jitter")
		bits := rapid.SampledFrom([]uint32{0x1d00ffff, 0x1c05a3f4, 0x1b0404cb, 0x17053894, 0x1d00d86a}).Draw(t, "bits")
		header := new(wire.BlockHeader)
		for i := range int32(2030) {
			at += step
			header = &wire.BlockHeader{Version: anyVersion, PrevBlock: header.BlockHash(), Bits: bits, Timestamp: time.Unix(at+jitter*int64(i%2), 0)}
			if err := x.add(header, uint32(last+1+i)); err != nil {
				t.Fatal(err)
			}
		}
		parent := x.blocks[header.BlockHash()]
		next, err := x.next(parent)
		if err != nil {
			t.Fatal(err)
		}
		check := func(bits, at uint32) error {
			return x.checkHeader(&wire.BlockHeader{Version: anyVersion, Bits: bits, Timestamp: time.Unix(int64(at), 0)}, parent)
		}
		if err := check(next.Bits, next.MinTime); err != nil {
			t.Fatal(err)
		}
		if check(next.Bits+1, next.MinTime) == nil || check(next.Bits-1, next.MinTime) == nil {
			t.Fatal("other bits pass too")
		}
	})
}
