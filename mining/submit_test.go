package mining

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// events is a list that several goroutines write to.
type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) add(s string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, s)
}

func (e *events) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

// record makes chain and node write down when they are called.
func (f *fixture) record() *events {
	e := &events{}
	f.chain.accept = func(*share.Share) error { e.add("share"); return nil }
	f.node.submit = func(context.Context) error { e.add("block"); return nil }
	return e
}

// blockSolution returns a job and its solution that is a block and a share.
func (f *fixture) blockSolution() (*Job, Solution) {
	f.Helper()
	f.SetTemplate(f.template(2))
	j := f.job(payee(0), share.Class12)
	return j, solve(f, j, meets(&j.BlockTarget, nil))
}

func TestBlockComesBeforeShare(t *testing.T) {
	f := newFixture(t)
	e := f.record()
	j, s := f.blockSolution()
	out, err := f.Submit(t.Context(), j, s)
	if err != nil || !out.Block || !out.Share {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := e.all(); !slices.Equal(got, []string{"block", "share"}) {
		t.Errorf("order %v", got)
	}
	if h := j.Header(s.Extranonce, s.Version, s.Time, s.Nonce); out.Hash != h.BlockHash() {
		t.Errorf("hash %v", out.Hash)
	}
}

// recorder is a Journal that writes down its calls.
type recorder struct{ *events }

func (r recorder) Keep(*SolvedBlock)               { r.add("kept") }
func (r recorder) Submitted(chainhash.Hash, error) { r.add("submitted") }

// eager is a Node that is done before the block is safe.
type eager struct{ Node }

func (eager) SubmitBlock(context.Context, RawBlock, <-chan struct{}) error { return errors.New("no") }

// TestJournalComesFirst: no node has a whole block that isn't kept, and what came of it is
// noted afterwards.
func TestJournalComesFirst(t *testing.T) {
	f := newFixture(t)
	e := f.record()
	f.chain.accept, f.cfg.Journal = nil, recorder{e}
	j, s := f.blockSolution()
	if _, err := f.Submit(t.Context(), j, s); err != nil {
		t.Fatal(err)
	}
	f.Wait()
	if got := e.all(); !slices.Equal(got, []string{"kept", "block", "submitted"}) {
		t.Errorf("order %v", got)
	}
	e.list = nil
	f.cfg.Node = eager{}
	if _, err := f.Submit(t.Context(), j, s); err != nil {
		t.Fatal(err)
	}
	f.Wait()
	if got := e.all(); !slices.Equal(got, []string{"kept", "submitted"}) {
		t.Errorf("order %v", got)
	}
}

// stuck is a Journal that hangs until it is let go.
type stuck struct{ free chan struct{} }

func (s stuck) Keep(*SolvedBlock)               { <-s.free }
func (s stuck) Submitted(chainhash.Hash, error) { <-s.free }

// apart is a Node that hangs with others' blocks.
type apart struct {
	*fakeNode
	others chan struct{} // gets one for each
	free   chan struct{}
}

func (a apart) SubmitPeerBlock(context.Context, RawBlock) error {
	a.others <- struct{}{}
	<-a.free
	return nil
}

// TestOthersBlocksHang: others' blocks, as many as there may be, are not in the way of one
// found here.
func TestOthersBlocksHang(t *testing.T) {
	f := newFixture(t)
	node := apart{f.node, make(chan struct{}, 2*maxPeerBlocks), make(chan struct{})}
	f.cfg.Node = node
	j, s := f.blockSolution()
	other := j.share(s)
	for range 2 * maxPeerBlocks {
		f.SubmitPeerBlock(other, j.coinbase(s.Extranonce), nil)
	}
	for range maxPeerBlocks {
		<-node.others
	}
	own := make(chan struct{})
	f.node.submit = func(context.Context) error { close(own); return nil }
	if out, err := f.Submit(t.Context(), j, s); err != nil || !out.Block {
		t.Errorf("%+v, %v", out, err)
	}
	<-own
	close(node.free)
	f.Wait()
	if len(node.others) > 0 {
		t.Errorf("%d more than %d of others", len(node.others), maxPeerBlocks)
	}
}

// patient is a Node that doesn't have the block before its end may leave.
type patient struct {
	Node
	had chan<- struct{}
}

func (p patient) SubmitBlock(_ context.Context, _ RawBlock, safe <-chan struct{}) error {
	<-safe
	close(p.had)
	return nil
}

// TestHangingJournal: a Journal that hangs costs neither the block nor the end of the
// program.
func TestHangingJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.record()
		had, free := make(chan struct{}), make(chan struct{})
		f.cfg.Journal, f.cfg.Node = stuck{free}, patient{had: had}
		j, s := f.blockSolution()
		start := time.Now()
		if out, err := f.Submit(t.Context(), j, s); err != nil || !out.Share {
			t.Errorf("%+v, %v", out, err)
		}
		<-had
		if d := time.Since(start); d > keepTimeout+blockHeadStart {
			t.Errorf("the block left after %v", d)
		}
		f.Wait()
		if d := time.Since(start); d > 2*keepTimeout+blockHeadStart {
			t.Errorf("the end waited %v", d)
		}
		close(free)
	})
}

// TestRefusedBlockIsStillAShare: what the node thinks of the block is one thing.
func TestRefusedBlockIsStillAShare(t *testing.T) {
	f := newFixture(t)
	f.record()
	f.node.submit = func(context.Context) error { return errors.New("bad-txns") }
	j, s := f.blockSolution()
	if out, err := f.Submit(t.Context(), j, s); err != nil || !out.Share || !out.Block {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestHangingNode: a node that does not answer costs the share the head start and
// no more, and is given up in the end.
func TestHangingNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		e := f.record()
		f.node.submit = func(ctx context.Context) error {
			<-ctx.Done()
			e.add("given up")
			return ctx.Err()
		}
		j, s := f.blockSolution()
		start := time.Now()
		out, err := f.Submit(t.Context(), j, s)
		if err != nil || !out.Block || !out.Share {
			t.Errorf("%+v, %v", out, err)
		}
		if d := time.Since(start); d != blockHeadStart {
			t.Errorf("took %v, the head start is %v", d, blockHeadStart)
		}
		if len(f.node.submitted()) != 1 {
			t.Error("the block was not submitted first")
		}
		time.Sleep(submitTimeout - blockHeadStart - time.Second)
		if got := e.all(); !slices.Equal(got, []string{"share"}) {
			t.Errorf("before the time-out: %v", got)
		}
		time.Sleep(2 * time.Second)
		f.Wait()
		if got := e.all(); !slices.Equal(got, []string{"share", "given up"}) {
			t.Errorf("order %v", got)
		}
	})
}

// TestShutdownWithHangingNode: the end of the program waits a minute for a block.
func TestShutdownWithHangingNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.node.submit = func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		j, s := f.blockSolution()
		if _, err := f.Submit(t.Context(), j, s); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		f.Wait()
		if d := time.Since(start); d != shutdownGrace {
			t.Errorf("waited %v", d)
		}
	})
}

// TestDisconnectedMiner: the block outlives the connection that brought it.
func TestDisconnectedMiner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		e := f.record()
		ctx, cancel := context.WithCancel(t.Context())
		f.node.submit = func(ctx context.Context) error {
			cancel()
			select {
			case <-ctx.Done():
				e.add("cancelled")
			case <-time.After(10 * time.Second):
				e.add("block")
			}
			return nil
		}
		j, s := f.blockSolution()
		if out, err := f.Submit(ctx, j, s); err != nil || !out.Share {
			t.Errorf("%+v, %v", out, err)
		}
		cancelled, stop := context.WithCancel(t.Context())
		stop()
		if out, err := f.Submit(cancelled, j, s); err != nil || !out.Share || !out.Block {
			t.Errorf("cancelled before: %+v, %v", out, err)
		}
		f.Wait()
		if got := e.all(); slices.Contains(got, "cancelled") || len(f.node.submitted()) != 2 {
			t.Errorf("order %v", got)
		}
	})
}

// TestBlockThatIsNoShare: with shares harder than blocks, as at the start of a
// large pool on a test network, a block alone is submitted and no share.
func TestBlockThatIsNoShare(t *testing.T) {
	f := newFixture(t, func(p *chainparams.Params) { p.BlockEvery = 1 })
	e := f.record()
	hard, err := target.FromCompact(0x1f7fffff)
	if err != nil {
		t.Fatal(err)
	}
	tip := *f.chain.tip
	tip.NextTarget, tip.NextBits = hard, 0x1f7fffff
	f.chain.set(func(c *fakeChain) { c.tip = &tip })
	f.SetTemplate(f.template(1))
	j := f.job(payee(0), share.Class12)
	if !j.ShareTarget.Lt(&j.BlockTarget) {
		t.Fatal("shares are not harder than blocks")
	}
	out, err := f.Submit(t.Context(), j, solve(t, j, meets(&j.BlockTarget, &j.ShareTarget)))
	if err != nil || !out.Block || out.Share {
		t.Errorf("%+v, %v", out, err)
	}
	out, err = f.Submit(t.Context(), j, solve(t, j, meets(nil, &j.BlockTarget)))
	if err != nil || out.Block || out.Share {
		t.Errorf("neither block nor share: %+v, %v", out, err)
	}
	if got := e.all(); !slices.Equal(got, []string{"block"}) {
		t.Errorf("order %v", got)
	}
}

// TestVerdicts: the chain's verdict is the answer, and only a share that breaks a
// rule is worth an error in our own log.
func TestVerdicts(t *testing.T) {
	tests := []struct {
		name    string
		verdict error
		share   bool
	}{
		{"valid", nil, true},
		{"known", blockchain.ContextError{Kind: blockchain.ErrDuplicate}, true},
		{"invalid", blockchain.RuleError{Kind: blockchain.ErrHeight, Description: "height"}, false},
		{"undecided", &blockchain.UndecidedError{Kind: blockchain.ErrMissingBitcoinBlock}, false},
		{"stopped", errors.New("stopped"), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.chain.accept = func(*share.Share) error { return test.verdict }
			f.SetTemplate(f.template(1))
			j := f.job(payee(0), share.Class12)
			out, err := f.Submit(t.Context(), j, solve(t, j, meets(&j.ShareTarget, &j.BlockTarget)))
			if out.Share != test.share || (err == nil) != test.share || out.Block {
				t.Errorf("%+v, %v", out, err)
			}
			if !test.share && !errors.Is(err, test.verdict) && err.Error() != test.verdict.Error() {
				t.Errorf("verdict %v became %v", test.verdict, err)
			}
			if len(f.node.submitted()) != 0 {
				t.Error("a block was submitted")
			}
		})
	}
}

// TestStaleJob: a job stays good after its work has been replaced, down to the
// transactions of its block.
func TestStaleJob(t *testing.T) {
	f := newFixture(t)
	j, s := f.blockSolution()
	f.SetTemplate(f.template(9))
	if _, err := f.Submit(t.Context(), j, s); err != nil {
		t.Fatal(err)
	}
	block := parseBlock(t, f.node.submitted()[0])
	if len(block.Transactions()) != 3 {
		t.Errorf("block %v of %d transactions", block.Hash(), len(block.Transactions()))
	}
}
