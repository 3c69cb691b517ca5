package bitcoind

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcjson"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// serialize returns a block's bytes.
func serialize(t *testing.T, block *wire.MsgBlock) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := block.Serialize(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// wantRejected checks that err says the node rejects the block, for a reason.
func wantRejected(t *testing.T, err error, reason string) {
	t.Helper()
	e, ok := errors.AsType[*RejectedError](err)
	if !ok || !errors.Is(err, ErrRejected) {
		t.Fatalf("got %v, want a rejected block", err)
	}
	if e.Reason != reason {
		t.Errorf("rejected for %q, want %q", e.Reason, reason)
	}
}

// TestSubmitVerdicts checks how each of the node's answers is read.
func TestSubmitVerdicts(t *testing.T) {
	tests := []struct {
		reply  string
		reason string // "" if the block counts as submitted
	}{
		{`{"result":null}`, ""},
		{`{"result":"duplicate"}`, ""},
		{`{"result":"inconclusive"}`, ""},
		{`{"result":"duplicate-inconclusive"}`, ""},
		{`{"result":"rejected: already have block 00ab"}`, ""},
		{`{"result":"duplicate-invalid"}`, "duplicate-invalid"},
		{`{"result":"high-hash"}`, "high-hash"},
		{`{"result":"bad-txnmrklroot"}`, "bad-txnmrklroot"},
		{`{"result":"rejected: block hash is too high"}`, "block hash is too high"},
		{`{"error":{"code":-22,"message":"Block decode failed"}}`, "Block decode failed"},
	}
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	c := newClient(t, Config{URL: f.URL()})
	for _, test := range tests {
		f.SetFaults(bitcoindtest.Faults{Raw: map[string]string{"submitblock": test.reply}})
		err := c.SubmitBlock(t.Context(), mining.RawBlock{[]byte{1}}, nil)
		if test.reason != "" {
			wantRejected(t, err, test.reason)
		} else if err != nil {
			t.Errorf("%s: %v", test.reply, err)
		}
	}

	wantRejected(t, c.SubmitBlock(t.Context(), mining.RawBlock{make([]byte, mining.DefaultWeightLimit+1)}, nil),
		"4000001 bytes are more than a block may have")
}

// TestSubmitGoesOnWithoutVerdict: an answer that says nothing about the block is no
// reason to drop it. The error tells of it when the time is up.
func TestSubmitGoesOnWithoutVerdict(t *testing.T) {
	for name, faults := range map[string]bitcoindtest.Faults{
		"nonsense":       {Raw: map[string]string{"submitblock": `{"result":7}`}},
		"internal error": {Errors: map[string]*btcjson.RPCError{"submitblock": btcjson.NewRPCError(btcjson.ErrRPCMisc, "odd")}},
	} {
		t.Run(name, func(t *testing.T) {
			f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
			c := newClient(t, Config{URL: f.URL()})
			f.SetFaults(faults)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := c.SubmitBlock(ctx, mining.RawBlock{[]byte{1}}, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("gave up with %v", err)
			}
		})
	}
}

// TestSubmitOutlivesOutage checks that a block found while the node is away reaches it
// when it is back.
func TestSubmitOutlivesOutage(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	other := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	hash := other.Mine(1)
	block, err := newClient(t, Config{URL: other.URL()}).Block(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}

	f.Down()
	done := make(chan error, 1)
	c := newClient(t, Config{URL: f.URL()})
	go func() { done <- c.SubmitBlock(t.Context(), mining.RawBlock{serialize(t, block)}, nil) }()
	select {
	case err := <-done:
		t.Fatalf("gave up: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := f.Up(); err != nil {
		t.Fatal(err)
	}
	if err := wait(t, done, "submission"); err != nil {
		t.Fatal(err)
	}
	if tip, err := c.TipHash(t.Context()); err != nil || tip != hash {
		t.Errorf("tip %v, %v; want %v", tip, err, hash)
	}

	f.Down()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.SubmitBlock(ctx, mining.RawBlock{[]byte{1}}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestSubmitDuringLongpoll checks that a pending longpoll doesn't delay a block.
func TestSubmitDuringLongpoll(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	r := startRun(t, Config{URL: f.URL()}, func(tm *timing) { tm.poll = time.Hour })
	r.waitHealth(t, true)
	waitCalls(t, f, "getblocktemplate", 2)
	start := time.Now()
	wantRejected(t, r.SubmitBlock(t.Context(), mining.RawBlock{serialize(t, chaincfg.MainNetParams.GenesisBlock)}, nil), "prev-blk-not-found")
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %v", d)
	}
}

// TestOwnBlockFirst: a block found here leaves at once though the node hangs with more blocks
// of others than it is asked to take at a time, and with a block to be preferred.
func TestOwnBlockFirst(t *testing.T) {
	f := bitcoindtest.NewFakeTest(t, &chaincfg.RegressionNetParams, false)
	f.SetFaults(bitcoindtest.Faults{Delay: map[string]time.Duration{"submitblock": time.Hour, "preciousblock": time.Hour}})
	c := newClient(t, Config{URL: f.URL()})
	ctx, cancel := context.WithCancel(t.Context())
	var hanging sync.WaitGroup
	for range othersCalls + 2 {
		hanging.Go(func() { _ = c.SubmitPeerBlock(ctx, mining.RawBlock{[]byte{1}}) })
		hanging.Go(func() { _ = c.Precious(ctx, chainhash.Hash{1}) })
	}
	waitCalls(t, f, "submitblock", othersCalls)
	waitCalls(t, f, "preciousblock", 1)
	for i := range ownCalls {
		hanging.Go(func() { _ = c.SubmitBlock(ctx, mining.RawBlock{[]byte{2}}, nil) })
		waitCalls(t, f, "submitblock", othersCalls+i+1)
	}
	f.Down() // while they hang
	cancel()
	hanging.Wait()
}

// TestSubmitHeldBack: a block leaves before it is safe, but for its end.
func TestSubmitHeldBack(t *testing.T) {
	block := make([]byte, 1_000_000)
	s := bitcoindtest.NewSink(t)
	c := newClient(t, Config{URL: s.URL()})
	safe, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- c.SubmitBlock(t.Context(), mining.RawBlock{block}, safe) }()
	wait(t, s.First, "beginning of the block")
	select {
	case <-s.Last:
		t.Error("the node has the whole block")
	case err := <-done:
		t.Errorf("submitted: %v", err)
	default:
	}
	close(safe)
	wait(t, s.Last, "end of the block")
	if err := wait(t, done, "answer"); err != nil {
		t.Error(err)
	}
	c.lanes.closeIdle()
}
