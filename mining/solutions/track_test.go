package solutions

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcjson"

	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// TestLife follows a block through reorganisations to its maturity, with restarts of the
// program in between.
func TestLife(t *testing.T) {
	f := newFixture(t)
	b := f.solve(true)
	parent := b.Share.Header.PrevBlock
	f.Keep(b)
	f.wantFiles(1)
	f.check(Pending, 0, false)
	f.Submitted(b.Share.ID(), f.node.SubmitBlock(t.Context(), b.Raw, nil))
	r := f.check(Accepted, 1, false)
	if !r.Own || r.Worker != "rig" || r.Value != 5e9 || r.Height != 1 || r.ShareHeight != 77 || r.Time != 1_600_000_000 ||
		!bytes.Equal(r.Payee, payee) || r.Hash != b.Share.ID() || r.Checked != f.clock().Unix() {
		t.Errorf("%+v", r)
	}
	f.fake.MineOn(f.fake.MineOn(parent)) // two beat one
	f.check(Orphaned, -1, false)
	f.open()
	f.check(Orphaned, -1, false)
	f.wantFiles(1)
	tip := b.Share.ID()
	for range 99 {
		tip = f.fake.MineOn(tip)
	}
	f.check(Accepted, 100, false)
	f.wantFiles(1)
	tip = f.fake.MineOn(tip)
	f.check(Matured, 101, true)
	f.wantFiles(0)
	f.open()
	f.fake.MineOn(tip)
	f.check(Matured, 102, true)
	if r := f.List(5); len(r) != 1 || !r[0].Own {
		t.Errorf("%+v", r)
	}
}

// TestLost: another block matures in the place of ours.
func TestLost(t *testing.T) {
	f := newFixture(t)
	b := f.solve(true)
	f.fake.Mine(1)
	f.submit(b)
	f.check(Orphaned, -1, false)
	f.fake.Mine(99)
	f.check(Orphaned, -1, false)
	f.wantFiles(1)
	f.fake.Mine(1)
	f.check(Orphaned, -1, true)
	f.wantFiles(0)
}

// TestNeverSubmitted: a block that never got through is given up when another has
// matured in its place.
func TestNeverSubmitted(t *testing.T) {
	f := newFixture(t)
	f.Keep(f.solve(true))
	f.fake.Mine(101)
	f.check(Orphaned, 0, true)
	f.wantFiles(0)
	if n := f.fake.Calls("submitblock"); n != 0 {
		t.Errorf("submitted %d times", n)
	}
}

// TestCrashBeforeSubmission: the program ends between the solution and its submission;
// the next run submits the block, again and again while the node is away.
func TestCrashBeforeSubmission(t *testing.T) {
	f := newFixture(t)
	b := f.solve(true)
	f.Keep(b)
	f.fake.Down()
	f.open() // a crash: the old Journal saved nothing more
	if left := f.LeftShares(); len(left) != 1 || left[0].ID() != b.Share.ID() || left[0].Data.Height != 77 {
		t.Errorf("shares %+v", left)
	}
	f.pass(time.Hour)
	if err := f.Refresh(t.Context()); err == nil {
		t.Error("no error though the node is away")
	}
	if list := f.List(1); len(list) != 1 || list[0].Status != Pending || list[0].Worker != "rig" {
		t.Fatalf("%+v", list)
	}
	if err := f.fake.Up(); err != nil {
		t.Fatal(err)
	}
	f.writers.Wait() // and now submitted
	f.check(Accepted, 1, false)
	if n := f.fake.Calls("submitblock"); n != 1 {
		t.Errorf("submitted %d times", n)
	}

	// The node loses it, as by a crash of its own.
	unknown := map[string]*btcjson.RPCError{"getblockheader": btcjson.NewRPCError(btcjson.ErrRPCBlockNotFound, "Block not found")}
	f.fake.SetFaults(bitcoindtest.Faults{Errors: unknown})
	f.pass(2 * lookGap)
	f.look(t.Context(), &f.List(1)[0])
	f.writers.Wait()
	if n := f.fake.Calls("submitblock"); n != 1 {
		t.Errorf("submitted %d times within %v", n, resubmitEvery)
	}
	f.pass(resubmitEvery)
	f.look(t.Context(), &f.List(1)[0])
	f.writers.Wait()
	if n := f.fake.Calls("submitblock"); n != 2 || f.List(1)[0].Status != Pending {
		t.Errorf("submitted %d times, %+v", n, f.List(1))
	}
	f.fake.SetFaults(bitcoindtest.Faults{})
	f.check(Accepted, 1, false)
}

// TestNoDoubleSubmission: a block that is on its way isn't submitted beside that.
func TestNoDoubleSubmission(t *testing.T) {
	f := newFixture(t)
	b := f.solve(true)
	f.Keep(b)
	f.pass(time.Hour)
	f.check(Pending, 0, false)
	if n := f.fake.Calls("submitblock"); n != 0 {
		t.Errorf("submitted %d times", n)
	}
}

// TestRejected: a block that the node calls invalid is submitted a few times, over
// restarts, and kept to be looked at.
func TestRejected(t *testing.T) {
	f := newFixture(t)
	reject := bitcoindtest.Faults{Errors: map[string]*btcjson.RPCError{
		"submitblock": btcjson.NewRPCError(btcjson.ErrRPCVerify, "bad-txns-inputs")}}
	f.fake.SetFaults(reject)
	f.submit(f.solve(true))
	for range 2 * maxRefusals {
		f.pass(resubmitEvery)
		r := f.check(Rejected, 0, false)
		if r.Reason != "bad-txns-inputs" {
			t.Errorf("%+v", r)
		}
		f.Close()
		f.open()
	}
	if n := f.fake.Calls("submitblock"); n != maxRefusals {
		t.Errorf("submitted %d times", n)
	}
	f.fake.Mine(101)
	f.check(Rejected, 0, true)
	f.wantFiles(1)
	f.open()
	f.wantFiles(1)

	// One that others accept is in the chain whatever our node said.
	g := newFixture(t)
	g.fake.SetFaults(reject)
	b := g.solve(true)
	g.submit(b)
	g.check(Rejected, 0, false)
	g.fake.SetFaults(bitcoindtest.Faults{})
	if err := g.node.SubmitBlock(t.Context(), b.Raw, nil); err != nil {
		t.Fatal(err)
	}
	g.check(Accepted, 1, false)
}

// TestInvalid: the node has it and calls it invalid.
func TestInvalid(t *testing.T) {
	f := newFixture(t)
	b := f.solve(true)
	f.submit(b)
	f.check(Accepted, 1, false)
	f.fake.MineOn(f.fake.MineOn(b.Share.Header.PrevBlock))
	f.fake.MarkInvalid(b.Share.ID())
	f.check(Rejected, -1, false)
}

// TestMissingParent: that the node lacks the block below is no verdict.
func TestMissingParent(t *testing.T) {
	f := newFixture(t)
	first := f.solve(true)
	b := f.solve(true)
	f.submit(b)
	f.check(Pending, 0, false)
	if err := f.node.SubmitBlock(t.Context(), first.Raw, nil); err != nil {
		t.Fatal(err)
	}
	f.pass(resubmitEvery)
	f.check(Pending, 0, false)
	f.check(Accepted, 1, false)
}

// TestOthers: blocks of other nodes are followed, too, without their bytes.
func TestOthers(t *testing.T) {
	f := newFixture(t)
	b := f.solve(false)
	f.submit(b)
	f.wantFiles(0)
	if r := f.check(Accepted, 1, false); r.Own {
		t.Errorf("%+v", r)
	}
	seen := f.solve(false)
	if err := f.node.SubmitBlock(t.Context(), seen.Raw, nil); err != nil {
		t.Fatal(err)
	}
	records := []Record{
		{Hash: seen.Share.ID(), Height: 2, Value: 7}, {Hash: b.Share.ID(), Height: 1, Value: 8},
	}
	f.Observe(records)
	f.Observe(records)
	if r := f.check(Accepted, 1, false); r.Value != 7 || r.Hash != seen.Share.ID() {
		t.Errorf("%+v", r)
	}
	list := f.List(10)
	if len(list) != 2 || list[1].Value != 5e9 || list[1].Confirmations != 2 {
		t.Errorf("%+v", list)
	}
}

// TestRun: a kick brings a round, the end saves.
func TestRun(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Journal.Run(ctx) }()
	f.submit(f.solve(true))
	for deadline := time.Now().Add(20 * time.Second); f.List(1)[0].Status != Accepted; time.Sleep(time.Millisecond) {
		f.pass(time.Millisecond)
		f.Kick()
		if time.Now().After(deadline) {
			t.Fatalf("%+v", f.List(1))
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	f.Close()
	records, err := loadHistory(f.dir)
	if err != nil || len(records) != 1 || records[0].Status != Accepted {
		t.Errorf("%+v, %v", records, err)
	}
}

// TestHangingNode: whoever wants to see the blocks doesn't wait for a node that hangs.
func TestHangingNode(t *testing.T) {
	f := newFixture(t)
	f.submit(f.solve(true))
	f.check(Accepted, 1, false)
	f.fake.SetFaults(bitcoindtest.Faults{Delay: map[string]time.Duration{"getblockheader": time.Hour}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Journal.Run(ctx) }()
	f.pass(2 * lookGap)
	for range 2 {
		start := time.Now()
		err := f.Refresh(t.Context())
		if d := time.Since(start); err == nil || d > refreshWait+time.Second {
			t.Errorf("%v after %v", err, d)
		}
		f.pass(2 * lookGap)
	}
	if list := f.List(1); len(list) != 1 || list[0].Status != Accepted {
		t.Errorf("%+v", list)
	}
	cancel()
	<-done
}
