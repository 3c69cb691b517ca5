package bitcoind

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// nodeStyles are the kinds of nodes a [bitcoindtest.Fake] can be.
var nodeStyles = map[string]bool{"Core": false, "btcd": true}

// TestHeader checks what is said of blocks in the best chain, beside it, and unknown.
func TestHeader(t *testing.T) {
	for name, btcd := range nodeStyles {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, btcd)
			c := newClient(t, Config{URL: f.URL()})
			fork := f.Mine(3)
			side1 := f.MineOn(fork)
			tip := f.Mine(2) // on side1, until the next two take over
			other := f.MineOn(fork)
			other = f.MineOn(other)
			f.MarkInvalid(other)

			info, err := c.Header(ctx, tip)
			if err != nil || !info.InBestChain || info.Invalid || info.Height != 6 || info.Confirmations != 1 ||
				info.Hash != tip || info.Header.BlockHash() != tip {
				t.Errorf("tip: %+v, %v", info, err)
			}
			info, err = c.Header(ctx, *chaincfg.RegressionNetParams.GenesisHash)
			if err != nil || !info.InBestChain || info.Height != 0 || info.Confirmations != 7 {
				t.Errorf("genesis: %+v, %v", info, err)
			}
			info, err = c.Header(ctx, side1)
			if err != nil || !info.InBestChain || info.Height != 4 {
				t.Errorf("block 4: %+v, %v", info, err)
			}
			info, err = c.Header(ctx, other)
			if err != nil || info.InBestChain || !info.Invalid || info.Height != 5 || info.Confirmations != -1 {
				t.Errorf("side tip: %+v, %v", info, err)
			}
			info, err = c.Header(ctx, info.Header.PrevBlock)
			if err != nil || info.InBestChain || info.Invalid || info.Height != 4 {
				t.Errorf("side block: %+v, %v", info, err)
			}
			_, err = c.Header(ctx, chainhash.Hash{1})
			wantError(t, err, ErrUnknownBlock, "doesn't know block")
		})
	}
}

// TestQueries checks the small questions.
func TestQueries(t *testing.T) {
	for name, btcd := range nodeStyles {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, btcd)
			c := newClient(t, Config{URL: f.URL()})
			tip := f.Mine(3)
			if got, err := c.TipHash(ctx); err != nil || got != tip {
				t.Errorf("tip %v, %v", got, err)
			}
			if got, err := c.HashAt(ctx, 3); err != nil || got != tip {
				t.Errorf("block 3: %v, %v", got, err)
			}
			_, err := c.HashAt(ctx, 4)
			wantError(t, err, ErrUnknownBlock, "height 4")
			if n, err := c.Confirmations(ctx, tip); err != nil || n != 1 {
				t.Errorf("confirmations %d, %v", n, err)
			}
			_, err = c.Confirmations(ctx, chainhash.Hash{9})
			wantError(t, err, ErrUnknownBlock)
			if block, err := c.Block(ctx, tip); err != nil || block.BlockHash() != tip {
				t.Errorf("block %v, %v", block, err)
			}
			_, err = c.Block(ctx, chainhash.Hash{9})
			wantError(t, err, ErrUnknownBlock)
		})
	}
}

// TestHeadersBack checks the headers up to tips in and beside the best chain, in batches
// of which the last is a short one.
func TestHeadersBack(t *testing.T) {
	for name, btcd := range nodeStyles {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, btcd)
			c := newClient(t, Config{URL: f.URL()})
			const height = headerBatch + 50
			fork := f.Mine(height)
			tip := f.Mine(2)
			side := f.MineOn(fork)

			for _, test := range []struct {
				tip     chainhash.Hash
				n, want int
				height  uint32
			}{
				{tip, 0, 0, 0},
				{tip, 1, 1, height + 2},
				{tip, 10, 10, height + 2},
				{tip, height + 3, height + 3, height + 2},
				{tip, MaxHeadersBack, height + 3, height + 2},
				{side, 1, 1, height + 1},
				{side, 20, 20, height + 1},
				{*chaincfg.RegressionNetParams.GenesisHash, 5, 1, 0},
			} {
				infos, err := c.HeadersBack(ctx, test.tip, test.n)
				if err != nil || len(infos) != test.want {
					t.Fatalf("%d headers back from %v: %d, %v", test.n, test.tip, len(infos), err)
				}
				for i, info := range infos {
					back := uint32(len(infos) - 1 - i)
					best := test.tip != side || back > 0
					confirmations := int64(height + 2 - info.Height + 1)
					if !best {
						confirmations = -1
					}
					if info.Height != test.height-back || info.InBestChain != best ||
						info.Confirmations != confirmations || info.Header.BlockHash() != info.Hash {
						t.Fatalf("header %d of %d: %+v", i, len(infos), info)
					}
					if i > 0 && info.Header.PrevBlock != infos[i-1].Hash {
						t.Fatalf("header %d doesn't follow", i)
					}
				}
			}
			if _, err := c.HeadersBack(ctx, chainhash.Hash{1}, 5); !errors.Is(err, ErrUnknownBlock) {
				t.Errorf("unknown tip: %v", err)
			}
			if _, err := c.HeadersBack(ctx, tip, MaxHeadersBack+1); err == nil {
				t.Error("too many headers allowed")
			}
		})
	}
}

// TestHostileReplies checks that replies which don't fit the question are errors.
func TestHostileReplies(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	c := newClient(t, Config{URL: f.URL()})
	tip := f.Mine(2)
	ctx := t.Context()
	calls := map[string]func() error{
		"getblockheader":   func() error { _, err := c.Header(ctx, tip); return err },
		"getblock":         func() error { _, err := c.Block(ctx, tip); return err },
		"getblockhash":     func() error { _, err := c.HashAt(ctx, 1); return err },
		"getbestblockhash": func() error { _, err := c.TipHash(ctx); return err },
	}
	genesis := serialize(t, chaincfg.RegressionNetParams.GenesisBlock)
	for method, call := range calls {
		for _, result := range []string{
			`null`, `7`, `"zz"`, `"00"`, `{}`, `[]`, `[[]]`, `{"confirmations":1,"bits":"zz"}`,
			`{"confirmations":1,"merkleroot":"` + tip.String() + `","bits":"1"}`, // hashes to something else
			`"` + hexString(genesis) + `"`,                                       // another block
			`"` + hexString(genesis) + `00"`,                                     // with a trailing byte
		} {
			f.SetFaults(bitcoindtest.Faults{Raw: map[string]string{method: `{"result":` + result + `}`}})
			if err := call(); !errors.Is(err, ErrBadReply) {
				t.Errorf("%s answered by %.60s: %v", method, result, err)
			}
		}
	}
}
