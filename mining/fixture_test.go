package mining

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fakeChain is a Chain whose every answer the test decides.
type fakeChain struct {
	params *chainparams.Params
	mu     sync.Mutex
	tip    *blockchain.Tip
	scores []payout.Score
	table  *payout.Table // of scores; nil: not made yet
	err    error         // of Payouts
	accept func(*share.Share) error
}

func (c *fakeChain) Tip() *blockchain.Tip {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tip
}

func (c *fakeChain) Payouts(parent chainhash.Hash, _ uint32, value int64, class share.Class) (payout.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.table == nil {
		c.table = payout.NewTable(c.scores)
	}
	return c.table.Compute(c.params, value, class, &parent), c.err
}

func (c *fakeChain) Accept(s *share.Share) error {
	if c.accept == nil {
		return nil
	}
	return c.accept(s)
}

func (c *fakeChain) set(f func(*fakeChain)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c)
	c.table = nil
}

// fakeNode keeps the blocks it is offered.
type fakeNode struct {
	mu     sync.Mutex
	blocks [][]byte
	submit func(ctx context.Context) error
}

func (n *fakeNode) SubmitBlock(ctx context.Context, block RawBlock, safe <-chan struct{}) error {
	if safe != nil {
		<-safe
	}
	n.mu.Lock()
	n.blocks = append(n.blocks, block.Bytes())
	n.mu.Unlock()
	if n.submit == nil {
		return nil
	}
	return n.submit(ctx)
}

func (n *fakeNode) SubmitPeerBlock(ctx context.Context, block RawBlock) error {
	return n.SubmitBlock(ctx, block, nil)
}

func (n *fakeNode) submitted() [][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.blocks)
}

// fixture is a Generator among fakes.
type fixture struct {
	testing.TB
	*Generator
	params *chainparams.Params
	clock  *clock
	chain  *fakeChain
	node   *fakeNode
}

// newFixture returns a Generator on regtest, on an empty sharechain and at the
// time of testTemplate.
func newFixture(t testing.TB, opts ...chainparams.Option) *fixture {
	t.Helper()
	params := testParams(t, opts...)
	f := &fixture{
		TB: t, params: params, node: &fakeNode{},
		clock: &clock{now: time.Unix(1_700_000_000, 0)},
		chain: &fakeChain{params: params, tip: blockchain.New(params).Tip()},
	}
	f.Generator = newGenerator(t, Config{
		Params: params, Chain: f.chain, Node: f.node, Tag: []byte("/test/"), Now: f.clock.Now,
	})
	return f
}

func testParams(t testing.TB, opts ...chainparams.Option) *chainparams.Params {
	t.Helper()
	params, err := chainparams.New(chainparams.Regtest, "main", append([]chainparams.Option{chaingen.Easy}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return params
}

func newGenerator(t testing.TB, cfg Config) *Generator {
	t.Helper()
	g, err := NewGenerator(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// template returns a template of n transactions that arrives now.
func (f *fixture) template(n int) *Template {
	f.Helper()
	tmpl := testTemplate(f, n)
	tmpl.Received = f.clock.Now()
	return tmpl
}

// job returns a job of work that must be there.
func (f *fixture) job(payee []byte, class share.Class) *Job {
	f.Helper()
	w := f.Work()
	if w == nil {
		f.Fatalf("no work: %s", f.Reason())
	}
	j, err := w.Job(payee, class)
	if err != nil {
		f.Fatal(err)
	}
	return j
}

// payee returns the i-th of a list of scripts that takes all five forms in turn.
func payee(i int) []byte {
	var h [32]byte
	binary.BigEndian.PutUint64(h[:], uint64(i)+1)
	switch i % 5 {
	case 0:
		return append([]byte{txscript.OP_0, 20}, h[:20]...)
	case 1:
		return append([]byte{txscript.OP_1, 32}, h[:]...)
	case 2:
		return append(append([]byte{txscript.OP_DUP, txscript.OP_HASH160, 20}, h[:20]...), txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
	case 3:
		return append(append([]byte{txscript.OP_HASH160, 20}, h[:20]...), txscript.OP_EQUAL)
	default:
		return append([]byte{txscript.OP_0, 32}, h[:]...)
	}
}

// testScores returns the scores of n payees made by script, ordered as the chain
// has them; the i-th has i+1 parts of the work.
func testScores(n int, script func(int) []byte) []payout.Score {
	scores := make([]payout.Score, n)
	for i := range n {
		scores[i] = payout.Score{Script: script(i), Weight: *new(uint256.Uint256).SetUint64(uint64(i) + 1)}
	}
	slices.SortFunc(scores, func(a, b payout.Score) int { return slices.Compare(a.Script, b.Script) })
	return scores
}

// solve returns a solution of the job whose hash satisfies want.
func solve(t testing.TB, j *Job, want func(h *chainhash.Hash) bool) Solution {
	t.Helper()
	s := Solution{
		Extranonce: [share.ExtranonceSize]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
		Version:    j.Version, Time: j.Time, Worker: "rig",
	}
	header := j.Header(s.Extranonce, s.Version, s.Time, 0)
	for range 1 << 20 {
		header.Nonce = s.Nonce
		if h := header.BlockHash(); want(&h) {
			return s
		}
		s.Nonce++
	}
	t.Fatal("no solution")
	return s
}

// meets makes a condition of solve: the hash meets one target and not another.
func meets(target1, not *uint256.Uint256) func(*chainhash.Hash) bool {
	return func(h *chainhash.Hash) bool {
		return (target1 == nil || target.HashMeets(h, target1)) && (not == nil || !target.HashMeets(h, not))
	}
}

// tryJob returns a job or why there is none, be it that there is no work.
func (f *fixture) tryJob(payee []byte, class share.Class) (*Job, error) {
	w := f.Work()
	if w == nil {
		return nil, errors.New(f.Reason())
	}
	return w.Job(payee, class)
}
