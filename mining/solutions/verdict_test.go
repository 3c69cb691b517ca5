package solutions

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcjson"
	"github.com/btcsuite/btcd/chaincfg/v2"

	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
	"github.com/p2poold/p2poold/mining/nodes"
)

// TestDamagedNode: a node that refuses all blocks doesn't speak for a sound one that is
// away, and gets the block when it is back.
func TestDamagedNode(t *testing.T) {
	f := newFixture(t)
	sound := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	pool, err := nodes.New(nodes.Config{Nodes: []bitcoind.Config{
		{URL: f.fake.URL(), Params: &chaincfg.RegressionNetParams}, {URL: sound.URL(), Params: &chaincfg.RegressionNetParams},
	}})
	if err != nil {
		t.Fatal(err)
	}
	f.fake.SetFaults(bitcoindtest.Faults{Errors: map[string]*btcjson.RPCError{
		"submitblock": btcjson.NewRPCError(btcjson.ErrRPCVerify, "bad-txns-inputs-missingorspent")}})
	sound.Down()
	f.Journal = Open(Config{Dir: f.dir, Node: pool, Now: f.clock})
	b := f.solve(true)
	f.Keep(b)
	for range 2 * maxRefusals { // each stands for ten minutes
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := pool.SubmitBlock(ctx, b.Raw, nil)
		cancel()
		if err == nil {
			t.Fatal("taken")
		}
		f.Submitted(b.Share.ID(), err)
	}
	if r := f.List(1)[0]; r.Refusals != 0 || r.Status != Pending {
		t.Errorf("%d refusals, %s", r.Refusals, r.Status)
	}
	if err := sound.Up(); err != nil {
		t.Fatal(err)
	}
	f.pass(resubmitEvery)
	f.look(t.Context(), &f.List(1)[0])
	f.writers.Wait()
	if _, height := sound.Tip(); height != 1 {
		t.Error("the sound node didn't get the block")
	}
	f.writers.Wait()
}

// TestRejection: only a unanimous verdict is one.
func TestRejection(t *testing.T) {
	bad, worse := &bitcoind.RejectedError{Reason: "bad"}, &bitcoind.RejectedError{Reason: "worse"}
	orphan := &bitcoind.RejectedError{Reason: "prev-blk-not-found"}
	away := &bitcoind.Error{Kind: bitcoind.ErrTimeout, Err: errors.New("timeout")}
	for _, test := range []struct {
		err  error
		want *bitcoind.RejectedError
	}{
		{nil, nil}, {away, nil}, {orphan, nil}, {bad, bad}, {fmt.Errorf("node: %w", bad), bad},
		{errors.Join(bad, worse), bad}, {errors.Join(bad, away), nil}, {errors.Join(away, bad), nil},
		{errors.Join(bad, orphan), nil}, {errors.Join(bad, context.DeadlineExceeded), nil},
		{errors.Join(errors.Join(bad), fmt.Errorf("node: %w", worse)), bad},
	} {
		if got := rejection(test.err); got != test.want {
			t.Errorf("%v: %v, want %v", test.err, got, test.want)
		}
	}
}
