package main

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcjson"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// TestFoundBlocks follows a block through everything that can become of it.
func TestFoundBlocks(t *testing.T) {
	withHome(t)
	fake := newFake(t)
	p, n := startNode(t, t.TempDir(), fake)
	awaitInfo(t, p, "the node works", healthy)
	if rows := call[[]rpcserver.FoundBlock](t, p, "getblocksfound"); len(rows) != 0 {
		t.Errorf("found %+v", rows)
	}
	parent := n.generator.Template().PrevBlock
	job, err := n.generator.Work().Job(n.cfg.payee, share.Class12)
	if err != nil {
		t.Fatal(err)
	}
	block, err := n.generator.Submit(t.Context(), job, solve(t, job, &job.BlockTarget))
	if err != nil || !block.Block || !block.Share {
		t.Fatalf("%+v, %v", block, err)
	}
	check := func(status string, confirmations int64) {
		t.Helper()
		deadline := time.Now().Add(patience)
		for {
			rows := call[[]rpcserver.FoundBlock](t, p, "getblocksfound", 5)
			if len(rows) == 1 && rows[0].Status == status && rows[0].Confirmations == confirmations {
				if b := rows[0]; b.Hash != block.Hash.String() || b.Height != 4 || b.Address != regP2WPKH || b.Value <= 0 {
					t.Errorf("%+v", b)
				}
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("want %s with %d confirmations, got %+v", status, confirmations, rows)
			}
			time.Sleep(time.Millisecond)
		}
	}
	check(rpcserver.BlockImmature, 1)
	fake.MineOn(fake.MineOn(parent)) // a longer branch beside it
	check(rpcserver.BlockStale, -1)
	fake.MarkInvalid(block.Hash)
	check(rpcserver.BlockRejected, -1)
	tip := block.Hash
	for range 99 { // its own branch is the longest again
		tip = fake.MineOn(tip)
	}
	check(rpcserver.BlockImmature, 100)
	fake.MineOn(tip)
	check(rpcserver.BlockMature, 101)
	fake.SetFaults(bitcoindtest.Faults{Errors: map[string]*btcjson.RPCError{
		"getblockheader": btcjson.NewRPCError(btcjson.ErrRPCBlockNotFound, "Block not found")}})
	check(rpcserver.BlockPending, 0)
	fake.SetFaults(bitcoindtest.Faults{})
	fake.Down()
	check(rpcserver.BlockUnknown, 0)
	p.stop(t)
}
