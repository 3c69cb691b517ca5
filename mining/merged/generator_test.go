package merged_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chaingen"
	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/internal/realchain"
	"github.com/p2poold/p2poold/mining/merged"
	"github.com/p2poold/p2poold/mining/mergedtest"
)

// bitcoinNode keeps the blocks that it is offered.
type bitcoinNode struct {
	mining.Node // for what isn't found here, which nothing is
	mu          sync.Mutex
	blocks      [][]byte
}

func (n *bitcoinNode) SubmitBlock(_ context.Context, block mining.RawBlock, _ <-chan struct{}) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blocks = append(n.blocks, block.Bytes())
	return nil
}

func (n *bitcoinNode) submitted() [][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.blocks
}

// pool is a Generator and a Manager as p2poold joins them, on regtest.
type pool struct {
	*testing.T
	*mining.Generator
	bitcoin *bitcoinNode
	manager *merged.Manager
}

func newPool(t *testing.T, nodes ...*mergedtest.Node) *pool {
	t.Helper()
	params, err := chainparams.New(chainparams.Regtest, "main", chaingen.Easy)
	if err != nil {
		t.Fatal(err)
	}
	chain := realchain.New(t, params, time.Now)
	p := &pool{T: t, bitcoin: &bitcoinNode{}}
	cfg := merged.Config{Changed: func() { p.MergedChanged() }}
	for _, n := range nodes {
		end, err := merged.ParseURL(n.URL())
		if err != nil {
			t.Fatal(err)
		}
		cfg.Nodes = append(cfg.Nodes, end)
	}
	if p.manager, err = merged.New(cfg); err != nil {
		t.Fatal(err)
	}
	p.Generator, err = mining.NewGenerator(mining.Config{
		Params: params, Chain: chain, Node: p.bitcoin, Merged: p.manager, Tag: []byte("test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	now := uint32(time.Now().Unix())
	p.SetTemplate(&mining.Template{
		Version: 0x20000000, PrevBlock: *params.Bitcoin.GenesisHash, Height: 1, Bits: 0x207fffff, CurTime: now, MinTime: now - 600,
		CoinbaseValue: 50e8, WeightLimit: mining.DefaultWeightLimit, SigopLimit: mining.DefaultSigopLimit, Received: time.Now(),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.manager.Run(ctx) // always nil
	}()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

// job returns a job that has something of other chains in it, unless it has old.
func (p *pool) job(old *mining.Job) *mining.Job {
	p.Helper()
	changed, cancel := p.Subscribe()
	defer cancel()
	for {
		w := p.Work()
		if w == nil {
			p.Fatal(p.Reason())
		}
		j, err := w.Job(append([]byte{0, 20}, make([]byte, 20)...), share.Class12)
		if err != nil {
			p.Fatal(err)
		}
		if !j.AuxTarget.IsZero() && (old == nil || !bytes.Equal(old.Head, j.Head)) {
			return j
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Second):
			p.Fatal("no job with a commitment")
		}
	}
}

// solve returns a solution of the job whose hash meets one target and misses others.
func (p *pool) solve(j *mining.Job, goal *uint256.Uint256, not ...*uint256.Uint256) mining.Solution {
	p.Helper()
	s := mining.Solution{Version: j.Version, Time: j.Time, Worker: "rig"}
	header := j.Header(s.Extranonce, s.Version, s.Time, 0)
search:
	for ; s.Nonce < 1<<22; s.Nonce++ {
		header.Nonce = s.Nonce
		h := header.BlockHash()
		if !target.HashMeets(&h, goal) {
			continue
		}
		for _, bound := range not {
			if target.HashMeets(&h, bound) {
				continue search
			}
		}
		return s
	}
	p.Fatal("no solution")
	return s
}

// leaves returns the size of the tree that a job commits to.
func leaves(j *mining.Job) uint32 {
	_, commitment, _ := bytes.Cut(j.Head, []byte{44, 0xfa, 0xbe, 'm', 'm'})
	return binary.LittleEndian.Uint32(commitment[chainhash.HashSize:])
}

// accepted waits until a node has taken n blocks.
func (p *pool) accepted(node *mergedtest.Node, n int) []mergedtest.Accepted {
	p.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if list := node.Accepted(); len(list) >= n {
			return list
		}
		if time.Now().After(deadline) {
			p.Fatalf("%d blocks accepted, want %d; refused: %q; %+v", len(node.Accepted()), n, node.Refused(), p.manager.Status())
		}
	}
}

// TestBlockOfBothChains: one solution is a Bitcoin block, a share, and a block of two
// other chains.
func TestBlockOfBothChains(t *testing.T) {
	a, b := mergedtest.NewNode(t, 1, 0x207fffff), mergedtest.NewNode(t, 8228, 0x203fffff)
	p := newPool(t, a, b)
	j := p.job(nil)
	for leaves(j) < 2 { // until both nodes have answered
		j = p.job(j)
	}
	out, err := p.Submit(t.Context(), j, p.solve(j, &j.BlockTarget))
	if err != nil || !out.Block || !out.Share {
		t.Fatalf("%+v, %v", out, err)
	}
	for _, node := range []*mergedtest.Node{a, b} {
		proof := p.accepted(node, 1)[0].Proof
		if proof.Parent.BlockHash() != out.Hash || proof.BlockHash != out.Hash {
			t.Errorf("parent %v, found %v", proof.Parent.BlockHash(), out.Hash)
		}
	}
	p.Wait()
	blocks := p.bitcoin.submitted()
	if len(blocks) != 1 {
		t.Fatalf("%d Bitcoin blocks", len(blocks))
	}
	block, err := btcutil.NewBlockFromBytes(blocks[0])
	if err != nil || *block.Hash() != out.Hash {
		t.Errorf("%v, %v", block.Hash(), err)
	}
	if script := block.Transactions()[0].MsgTx().TxIn[0].SignatureScript; !bytes.Contains(script, []byte{44, 0xfa, 0xbe, 'm', 'm'}) {
		t.Errorf("coinbase script %x", script)
	}
}

// TestBlockOfTheOtherChainOnly: a hash that is worth nothing to Bitcoin and the
// sharechain is worth a block elsewhere; and an old job keeps what it commits to.
func TestBlockOfTheOtherChainOnly(t *testing.T) {
	node := mergedtest.NewNode(t, 1, 0x207fffff)
	p := newPool(t, node)
	j := p.job(nil)
	hard, err := target.FromCompact(0x1d00ffff)
	if err != nil {
		t.Fatal(err)
	}
	own := *j
	own.ShareTarget, own.BlockTarget = hard, hard
	s := p.solve(&own, &own.AuxTarget)
	out, err := p.Submit(t.Context(), &own, s)
	if err != nil || out.Block || out.Share {
		t.Fatalf("%+v, %v", out, err)
	}
	p.accepted(node, 1)
	if n := len(p.bitcoin.submitted()); n != 0 {
		t.Errorf("%d Bitcoin blocks", n)
	}
	// The next job is about the next block; what the old one finds is known to be late.
	next := p.job(j)
	if _, err := p.Submit(t.Context(), &own, p.solve(&own, &own.AuxTarget)); err != nil {
		t.Fatal(err)
	}
	if out, err := p.Submit(t.Context(), next, p.solve(next, &next.AuxTarget)); err != nil || !out.Share {
		t.Fatalf("%+v, %v", out, err)
	}
	p.accepted(node, 2)
	if refused := node.Refused(); len(refused) != 0 {
		t.Errorf("refused: %q", refused)
	}
}

// TestNodeGone: without any node of another chain there is work all the same, and it
// commits to nothing.
func TestNodeGone(t *testing.T) {
	node := mergedtest.NewNode(t, 1, 0x207fffff)
	node.Close()
	p := newPool(t, node)
	j, err := p.Work().Job(append([]byte{0, 20}, make([]byte, 20)...), share.Class12)
	if err != nil || !j.AuxTarget.IsZero() {
		t.Fatal(err)
	}
	out, err := p.Submit(t.Context(), j, p.solve(j, &j.ShareTarget))
	if err != nil || !out.Share {
		t.Errorf("%+v, %v", out, err)
	}
}

// TestTagWithMergedMining: a longer tag would make every share invalid.
func TestTagWithMergedMining(t *testing.T) {
	m, err := merged.New(merged.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for tag, ok := range map[string]bool{"": true, "abcd": true, "abcde": false} {
		if _, err := mining.NewGenerator(mining.Config{Merged: m, Tag: []byte(tag)}); (err == nil) != ok {
			t.Errorf("%q: %v", tag, err)
		}
	}
}
