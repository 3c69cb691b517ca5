package harness_test

import (
	"slices"
	"testing"

	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// TestPeersSubmitLeftBlock: a node finds a block and is killed before it could submit it.
// When it runs again its Bitcoin node is still gone; another node of the pool, which it knew
// nothing of, submits the block. With its Bitcoin node back it goes on like any other.
func TestPeersSubmitLeftBlock(t *testing.T) {
	ctx := t.Context()
	here := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	there := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	const start = 2
	if _, err := here.Generate(ctx, start); err != nil {
		t.Fatal(err)
	}
	if err := here.CopyChain(ctx, there); err != nil {
		t.Fatal(err)
	}
	finder := startNode(t, 0, here.URL())
	mineWithout(t, finder, here)
	left := call[[]rpcserver.FoundBlock](t, finder, "getblocksfound")
	finder.Kill()

	if err := finder.Launch(); err != nil {
		t.Fatal(err)
	}
	other := startNode(t, 1, there.URL())
	call[any](t, other, "addnode", finder.P2P)
	has := func(n *bitcoindtest.Node) func() bool {
		return func() bool {
			height, err := n.Height(ctx)
			return err == nil && height == start+1
		}
	}
	wait(t, "the other Bitcoin node to have the block", has(there))
	var hash string
	if err := there.Call(ctx, &hash, "getbestblockhash"); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(left, func(b rpcserver.FoundBlock) bool { return b.Hash == hash }) {
		t.Errorf("%s is none of the finder's blocks: %+v", hash, left)
	}
	if i := call[rpcserver.Info](t, finder, "getinfo"); !i.Starting || i.Bitcoind.Error == "" {
		t.Errorf("the finder has a Bitcoin node: %+v", i)
	}

	if err := here.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	wait(t, "one sharechain", func() bool {
		var a, b chainInfo
		return finder.Call(ctx, &a, "getsharechaininfo") == nil && other.Call(ctx, &b, "getsharechaininfo") == nil && a.Tip == b.Tip && a.Shares > 0
	})
	wait(t, "the finder's Bitcoin node to have the block", has(here))
}
