package nodes

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
	"github.com/p2poold/p2poold/mining/bitcoinp2p"
)

// TestRealPeerPort sends a real node blocks over its port for peers only.
func TestRealPeerPort(t *testing.T) {
	ctx := t.Context()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	peers := l.Addr().String()
	l.Close()
	from := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	to := bitcoindtest.StartTest(t, bitcoindtest.Options{P2PListen: peers})
	client, err := bitcoind.New(bitcoind.Config{URL: from.URL(), Params: &chaincfg.RegressionNetParams})
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := from.Generate(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, hash := range blocks {
		block, err := client.Block(ctx, hash)
		if err != nil {
			t.Fatal(err)
		}
		var raw bytes.Buffer
		if err := block.Serialize(&raw); err != nil {
			t.Fatal(err)
		}
		for range 2 { // once more does no harm
			start := time.Now()
			if err := bitcoinp2p.Send(ctx, peers, chaincfg.RegressionNetParams.Net, "/test:1/", mining.RawBlock{raw.Bytes()}); err != nil {
				t.Fatal(err)
			}
			t.Logf("block %d in %v", i+1, time.Since(start))
		}
		if h, err := to.Height(ctx); err != nil || h != int64(i+1) {
			t.Errorf("height %d, %v; want %d", h, err, i+1)
		}
	}
}
