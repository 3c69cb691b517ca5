package chainman

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
)

// chainOf adds n Bitcoin blocks on top of one another, named prefix1 to prefixN,
// and returns them; the Manager does not know them yet.
func (f *fixture) chainOf(prefix, parent string, n int) []chaingen.BitcoinBlock {
	f.T.Helper()
	var blocks []chaingen.BitcoinBlock
	for i := range n {
		name := fmt.Sprint(prefix, i+1)
		blocks = append(blocks, f.NextBitcoin(name, parent))
		parent = name
	}
	return blocks
}

// held offers a share that must be held for want of a Bitcoin block.
func (f *fixture) held(name string) {
	f.T.Helper()
	if err := f.offer(name); !errors.Is(err, blockchain.ErrMissingBitcoinBlock) {
		f.Fatalf("%s: %v", name, err)
	}
}

// TestMissingBitcoinBlock: a share on a block that our node has but the chain does
// not is held, the block is fetched, and the share accepted without being sent
// again.
func TestMissingBitcoinBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tips := 0
		f := newFixture(t, func(c *Config) { c.Hooks.Tip = func() { tips++ } })
		f.bitcoin.add(f.chainOf("B", "genesis", 3)...)
		f.Next("g", "")
		f.Next("a", "g", chaingen.On("B3"))
		f.accept("g")
		stop := f.run()
		synctest.Wait()
		f.held("a")
		synctest.Wait()
		f.tipIs("a")
		if tips != 2 || len(f.mem.stored()) != 2 {
			t.Errorf("%d tips, %d stored", tips, len(f.mem.stored()))
		}
		if len(f.blocks.all(f.cfg.Now())) != 0 {
			t.Error("the block is still asked for")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// recent makes a share too young for its Bitcoin block to be done without.
var recent = chaingen.Later(23 * 3600)

// TestAbsentBlock: a share that is old, on a block that the node says it does not
// have, is accepted, and what stands on it too.
func TestAbsentBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.chainOf("B", "genesis", 1)
		f.Next("g", "")
		f.Next("a", "g", chaingen.On("B1"))
		f.Next("b", "a", chaingen.On("B1"), recent)
		f.accept("g")
		stop := f.run()
		f.held("a")
		synctest.Wait()
		f.tipIs("a")
		f.held("b")
		time.Sleep(retryInterval + time.Second)
		f.tipIs("a")
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestInvalidBlock: a share on a block that the node calls invalid is invalid.
func TestInvalidBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		block := f.chainOf("B", "genesis", 1)
		f.bitcoin.add(block...)
		f.bitcoin.invalid = map[chainhash.Hash]bool{block[0].Hash: true}
		f.Next("g", "")
		f.Next("a", "g", chaingen.On("B1"))
		f.accept("g")
		stop := f.run()
		f.held("a")
		synctest.Wait()
		f.tipIs("g")
		if err := f.offer("a"); !errors.Is(err, blockchain.ErrBitcoinInvalid) {
			t.Errorf("got %v", err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestMissingBlockArrivesLater: the node is asked again until it has the block.
func TestMissingBlockArrivesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		block := f.chainOf("B", "genesis", 1)
		f.Next("g", "")
		f.Next("a", "g", chaingen.On("B1"), recent)
		f.accept("g")
		stop := f.run()
		f.held("a")
		time.Sleep(3 * retryInterval)
		f.tipIs("g")
		f.bitcoin.add(block...)
		time.Sleep(retryInterval + time.Second)
		f.tipIs("a")
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestMissingBlockIsGivenUp: a block that never comes is not asked for longer than
// its share is held.
func TestMissingBlockIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.chainOf("B", "genesis", 1)
		f.Next("g", "")
		f.Next("a", "g", chaingen.On("B1"), recent)
		f.accept("g")
		stop := f.run()
		f.held("a")
		time.Sleep(missingBlockFor + retryInterval)
		calls := f.bitcoin.count()
		time.Sleep(time.Hour)
		if more := f.bitcoin.count() - calls; more != 0 || calls < 50 {
			t.Errorf("asked %d times in ten minutes and %d times in the hour after", calls, more)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestHangingBitcoinNode: while a node does not answer, shares are accepted, hooks
// called, and Run can be ended.
func TestHangingBitcoinNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accepted := 0
		f := newFixture(t, func(c *Config) { c.Hooks.Accepted = func(chainhash.Hash) { accepted++ } })
		ended := false
		f.bitcoin.hook = func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended = true
			return ctx.Err()
		}
		f.chainOf("B", "genesis", 1)
		f.Next("g", "")
		f.Next("a", "g", chaingen.On("B1"))
		f.Next("b", "g")
		f.accept("g")
		stop := f.run()
		f.held("a")
		synctest.Wait()
		f.accept("b")
		synctest.Wait()
		if accepted != 2 {
			t.Errorf("%d hooks called, want 2", accepted)
		}
		if err := stop(); err != nil || !ended {
			t.Errorf("Run has ended, its fetch %v: %v", ended, err)
		}
	})
}

// TestShareAheadOfTheClock is accepted when its time has come.
func TestShareAheadOfTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.Next("g", "")
		f.accept("g")
		stop := f.run()
		// A minute too early: 23 h to the clock, 90 s of tolerance.
		ahead := f.cfg.Now().Add(150*time.Second).Unix() - int64(f.Generator.Share("g").Data.Time)
		f.Next("a", "g", chaingen.Later(int(ahead)))
		if err := f.offer("a"); !errors.Is(err, blockchain.ErrTimeTooNew) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Second)
		f.tipIs("g")
		time.Sleep(20 * time.Second)
		f.tipIs("a")
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestBitcoinTipOverAGap: after an outage all headers in between are fetched, a
// handful at a time, and shares on any of them are valid.
func TestBitcoinTipOverAGap(t *testing.T) {
	const gap = 3*headersPerFetch + 5
	f := newFixture(t)
	blocks := f.chainOf("B", "genesis", gap)
	f.bitcoin.add(blocks...)
	before := f.bitcoin.count()
	if err := f.BitcoinTip(t.Context(), blocks[gap-1].Hash); err != nil {
		t.Fatal(err)
	}
	// The block's own header, then 16 at a time.
	if calls := f.bitcoin.count() - before; calls != 5 {
		t.Errorf("%d calls for %d headers", calls, gap)
	}
	for _, b := range blocks {
		if !f.knowsBitcoinBlock(b.Hash) {
			t.Errorf("block %d is missing", b.Height)
		}
	}
	f.Next("g", "")
	f.Next("a", "g", chaingen.On("B1"))
	f.Next("b", "a", chaingen.On(fmt.Sprint("B", gap-1)), chaingen.Later(gap*600))
	f.accept("g", "a", "b")

	// The same tip again, and a reorganisation to a branch.
	if err := f.BitcoinTip(t.Context(), blocks[gap-1].Hash); err != nil {
		t.Error(err)
	}
	branch := f.chainOf("C", "B40", 20)
	f.bitcoin.add(branch...)
	if err := f.BitcoinTip(t.Context(), branch[19].Hash); err != nil {
		t.Error(err)
	}
	if err := f.BitcoinTip(t.Context(), chainhash.Hash{1}); err == nil {
		t.Error("a tip that the node does not have")
	}
}

// TestInterruptedGap: a node that fails half way leaves no gap below headers that
// look known.
func TestInterruptedGap(t *testing.T) {
	const gap = 3 * headersPerFetch
	f := newFixture(t)
	blocks := f.chainOf("B", "genesis", gap)
	f.bitcoin.add(blocks...)
	down := errors.New("connection reset")
	start := f.bitcoin.count()
	f.bitcoin.hook = func(context.Context) error {
		if f.bitcoin.count() >= start+3 {
			return down
		}
		return nil
	}
	if err := f.BitcoinTip(t.Context(), blocks[gap-1].Hash); !errors.Is(err, down) {
		t.Fatal(err)
	}
	f.bitcoin.hook = nil
	if err := f.BitcoinTip(t.Context(), blocks[gap-1].Hash); err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if !f.knowsBitcoinBlock(b.Hash) {
			t.Fatalf("block %d is missing", b.Height)
		}
	}
}

// TestOldBitcoinBlock: a share on a block below all that is known costs one answer
// of the node, not the whole chain back to the first block.
func TestOldBitcoinBlock(t *testing.T) {
	f := newFixture(t)
	blocks := f.chainOf("B", "genesis", 200)
	f.bitcoin.add(blocks...)
	f.bitcoin.most = 20
	m := New(f.cfg)
	if err := m.Load(t.Context(), blocks[199].Hash); err != nil {
		t.Fatal(err)
	}
	if m.knowsBitcoinBlock(blocks[100].Hash) {
		t.Fatal("all headers are known")
	}
	before := f.bitcoin.count()
	if err := m.addBitcoinBlock(t.Context(), blocks[100].Hash); err != nil {
		t.Fatal(err)
	}
	if calls := f.bitcoin.count() - before; calls != 1 || !m.knowsBitcoinBlock(blocks[100].Hash) {
		t.Errorf("%d calls", calls)
	}
}

// TestBlockQueueIsBounded: the oldest makes room.
func TestBlockQueueIsBounded(t *testing.T) {
	var q blockQueue
	q.init()
	now := time.Unix(1_000_000, 0)
	for i := range 3 * maxMissingBlocks {
		hash := chainhash.Hash{byte(i), byte(i >> 8)}
		q.add(hash, now)
		q.add(hash, now)
	}
	list := q.all(now)
	if len(list) != maxMissingBlocks || list[0] != (chainhash.Hash{200}) {
		t.Errorf("%d blocks, the first %v", len(list), list[0])
	}
	q.remove(list[0])
	if got := len(q.all(now)); got != maxMissingBlocks-1 {
		t.Errorf("%d blocks after one has come", got)
	}
	if got := q.all(now.Add(missingBlockFor + time.Second)); len(got) != 0 {
		t.Errorf("%d blocks after their time", len(got))
	}
}
