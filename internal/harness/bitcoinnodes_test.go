package harness_test

import (
	"path/filepath"
	"testing"

	"github.com/p2poold/p2poold/internal/harness"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// TestTwoBitcoinNodes: one p2poold on two Bitcoin nodes that don't know each other. Its
// blocks reach both. When the first goes away mining goes on with the second; when it is
// back, with the blocks that it lacks, it is mined on again.
func TestTwoBitcoinNodes(t *testing.T) {
	ctx := t.Context()
	first := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	second := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	payee, err := harness.NewPayee(0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	n, err := harness.NewNode(programs(t), harness.NodeOptions{
		Dir: dir, Bitcoind: first.URL(), Address: payee.Address, Args: []string{"--bitcoind=" + second.URL()},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Stop() })
	m, err := harness.StartMiner(programs(t), t.TempDir(), n, payee.Address+".rig", "1MH/s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Stop() })

	height := func(node *bitcoindtest.Node) int64 {
		h, err := node.Height(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	nodes := func() []rpcserver.BitcoinNode { return call[rpcserver.Info](t, n, "getinfo").Bitcoind.Nodes }
	wait(t, "blocks at both nodes", func() bool { return height(first) >= 1 && height(second) >= 1 })

	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	wait(t, "the second to be mined on", func() bool { return nodes()[1].Current })
	was := height(second)
	wait(t, "a block at the second node", func() bool { return height(second) > was })
	if i := call[rpcserver.Info](t, n, "getinfo"); i.Healthy || i.Bitcoind.Error != "" || !i.Bitcoind.Connected {
		t.Errorf("with one node: %+v", i)
	}

	if err := first.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
	// It gets what was found last from p2poold, which goes on trying; what is older, where
	// the test took long, and what it lacks of the second's branch, from here.
	for h := int64(1); h <= height(second); h++ {
		var hash, block string
		if err := second.Call(ctx, &hash, "getblockhash", h); err != nil {
			t.Fatal(err)
		}
		if err := second.Call(ctx, &block, "getblock", hash, 0); err != nil {
			t.Fatal(err)
		}
		if err := first.Call(ctx, nil, "submitblock", block); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, "the first to be mined on again", func() bool { return nodes()[0].Current && nodes()[0].Healthy })

	for _, b := range call[[]rpcserver.FoundBlock](t, n, "getblocksfound") {
		if b.Status != rpcserver.BlockAccepted || !b.Own || b.Worker == "" {
			t.Errorf("%+v", b)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "regtest-main", "blocks-found", "*.block"))
	if err != nil || len(left) == 0 {
		t.Errorf("no blocks on disk, %v", err)
	}
}
