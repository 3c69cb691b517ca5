package solutions

import (
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcjson"

	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// TestRescue: one call is enough to submit what the last run left, and it names the blocks
// that nobody takes.
func TestRescue(t *testing.T) {
	f := newFixture(t)
	if left := f.Rescue(t.Context()); len(left) != 0 || f.fake.Calls("getbestblockhash") != 0 {
		t.Errorf("%+v without a block", left)
	}
	for range 2 * maxResubmits {
		f.Keep(f.solve(true))
	}
	f.writers.Wait()
	f.open() // after a crash
	f.pass(time.Hour)
	f.fake.SetFaults(bitcoindtest.Faults{Errors: map[string]*btcjson.RPCError{
		"submitblock": btcjson.NewRPCError(btcjson.ErrRPCVerify, "prev-blk-not-found")}})
	if left := f.Rescue(t.Context()); len(left) != 2*maxResubmits || left[0].Height != 1 {
		t.Errorf("%+v", left)
	}
	f.writers.Wait()
	f.fake.SetFaults(bitcoindtest.Faults{})
	f.pass(resubmitEvery)
	if left := f.Rescue(t.Context()); len(left) != 0 {
		t.Errorf("%d left", len(left))
	}
	if _, height := f.fake.Tip(); height != 2*maxResubmits {
		t.Errorf("the node is at height %d", height)
	}

	// A block that the node refuses isn't waited for.
	f.fake.SetFaults(bitcoindtest.Faults{Errors: map[string]*btcjson.RPCError{
		"submitblock": btcjson.NewRPCError(btcjson.ErrRPCVerify, "bad-txns")}})
	f.Keep(f.solve(true))
	f.writers.Wait()
	f.open()
	if left := f.Rescue(t.Context()); len(left) != 0 {
		t.Errorf("%d left", len(left))
	}
	f.Close()
}
