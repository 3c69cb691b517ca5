package harness_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/internal/harness"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// TestFullMempool: a Bitcoin node has 3,000 transactions, with and without witnesses, of
// which two thirds need others. A miner finds a block with all of them, which the node
// takes as its best.
func TestFullMempool(t *testing.T) {
	w := newWallet(t)
	opts := bitcoindtest.Options{MiningAddress: w.addrs[p2wpkh].EncodeAddress()}
	if bitcoindtest.WantsCore() {
		opts.ExtraArgs = []string{"-checkmempool=0"} // on regtest it looks at all with each new one
	}
	bitcoin := bitcoindtest.StartTest(t, opts)
	begun := time.Now()
	pool := w.fill(bitcoin)
	filled := time.Now()
	before, err := bitcoin.Height(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	n := startNode(t, 0, bitcoin.URL())
	var tmpl rpcserver.TemplateInfo
	wait(t, "work", func() bool { return n.Call(t.Context(), &tmpl, "gettemplate") == nil && tmpl.Jobs })
	if tmpl.Transactions != poolSize || tmpl.CoinbaseValue != pool.value(before+1) {
		t.Fatalf("template with %d transactions for %d sat, want %d for %d", tmpl.Transactions, tmpl.CoinbaseValue, poolSize, pool.value(before+1))
	}
	mineBlock(t, n)
	wait(t, "a block", func() bool {
		height, err := bitcoin.Height(t.Context())
		return err == nil && height > before
	})
	block := blockAt(t, bitcoin, before+1)
	pool.check(t, block, before+1)
	t.Logf("%d transactions, %d with parents, inputs %v, %d bytes: made in %v, mined in %v", poolSize, pool.linked, pool.kinds,
		block.SerializeSize(), filled.Sub(begun).Round(time.Millisecond), time.Since(filled).Round(time.Millisecond))

	found := call[[]rpcserver.FoundBlock](t, n, "getblocksfound")
	first := found[len(found)-1]
	if first.Hash != block.BlockHash().String() || first.Value != pool.value(before+1) || first.Status != rpcserver.BlockAccepted {
		t.Errorf("found %+v", first)
	}
	s := loadShare(t, n, first.Hash)
	if s.ID() != block.BlockHash() || s.Data.CoinbaseValue != first.Value {
		t.Errorf("the share of the block has %d sat", s.Data.CoinbaseValue)
	}
}

// value is what a block at a height earns that has all of the transactions.
func (m *mempool) value(height int64) int64 {
	sum := blockchain.CalcBlockSubsidy(int32(height), &chaincfg.RegressionNetParams)
	for _, fee := range m.fees {
		sum += fee
	}
	return sum
}

// check looks at a block that should have all of the mempool: each transaction once and
// behind those that it needs, all fees paid out, and the witnesses committed to.
func (m *mempool) check(t *testing.T, block *wire.MsgBlock, height int64) {
	t.Helper()
	if got := len(block.Transactions) - 1; got != poolSize || len(m.fees) != poolSize {
		t.Fatalf("%d transactions of %d, want %d", got, len(m.fees), poolSize)
	}
	seen := make(map[chainhash.Hash]bool)
	for _, tx := range block.Transactions[1:] {
		hash := tx.TxHash()
		if _, ok := m.fees[hash]; !ok || seen[hash] {
			t.Errorf("transaction %v is not of the mempool, or there twice", hash)
		}
		for _, in := range tx.TxIn {
			if _, ok := m.fees[in.PreviousOutPoint.Hash]; ok && !seen[in.PreviousOutPoint.Hash] {
				t.Errorf("transaction %v stands before %v, which it spends", hash, in.PreviousOutPoint.Hash)
			}
		}
		seen[hash] = true
	}
	var paid int64
	for _, out := range block.Transactions[0].TxOut {
		paid += out.Value
	}
	if paid != m.value(height) {
		t.Errorf("the coinbase pays %d sat, want %d", paid, m.value(height))
	}
	var txs []*btcutil.Tx
	for _, tx := range block.Transactions {
		txs = append(txs, btcutil.NewTx(tx))
	}
	if root := blockchain.CalcMerkleRoot(txs, false); root != block.Header.MerkleRoot {
		t.Errorf("merkle root %v, want %v", block.Header.MerkleRoot, root)
	}
	if err := blockchain.ValidateWitnessCommitment(btcutil.NewBlock(block)); err != nil {
		t.Error(err)
	}
	if _, ok := blockchain.ExtractWitnessCommitment(txs[0]); !ok {
		t.Error("no witness commitment")
	}
}

// mineBlock runs a miner that sends in Bitcoin blocks only, until the test ends.
func mineBlock(t *testing.T, n *harness.Node) {
	t.Helper()
	payee, err := harness.NewPayee(0)
	if err != nil {
		t.Fatal(err)
	}
	bitcoin, err := target.FromCompact(chaincfg.RegressionNetParams.PowLimitBits)
	if err != nil {
		t.Fatal(err)
	}
	p := params(t)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	h := &hasher{
		addr: n.Stratum, user: payee.Address, goal: p.BlockTarget(bitcoin, p.EasiestTarget), rate: 1e8,
		accepted: func(chainhash.Hash) { cancel() }, // one is enough
	}
	wg.Go(func() { h.run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// mineWithout has a node find a block when its Bitcoin node has just gone.
func mineWithout(t *testing.T, n *harness.Node, bitcoin *bitcoindtest.Node) {
	t.Helper()
	wait(t, "work", func() bool {
		var tmpl rpcserver.TemplateInfo
		return n.Call(t.Context(), &tmpl, "gettemplate") == nil && tmpl.Jobs
	})
	if err := bitcoin.Stop(); err != nil {
		t.Fatal(err)
	}
	mineBlock(t, n)
	var found []rpcserver.FoundBlock
	wait(t, "a block", func() bool {
		found = call[[]rpcserver.FoundBlock](t, n, "getblocksfound")
		return len(found) > 0
	})
	if found[0].Status != rpcserver.BlockPending {
		t.Errorf("without a Bitcoin node: %+v", found[0])
	}
}

// TestBlockOutlivesOutage: the Bitcoin node goes away between a job and its solution, and
// p2poold waits for it, or is killed before it is back. Either way it gets the block, and
// the sharechain has the share.
func TestBlockOutlivesOutage(t *testing.T) {
	for _, kill := range []bool{false, true} {
		t.Run(map[bool]string{false: "waits", true: "killed"}[kill], func(t *testing.T) {
			bitcoin := bitcoindtest.StartTest(t, bitcoindtest.Options{})
			n := startNode(t, 0, bitcoin.URL())
			mineWithout(t, n, bitcoin)
			if kill {
				n.Kill()
			}
			if err := bitcoin.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			if kill {
				if err := n.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			// The miner may have found another one before it was stopped.
			wait(t, "the block at the Bitcoin node", func() bool {
				list := call[[]rpcserver.FoundBlock](t, n, "getblocksfound")
				return slices.ContainsFunc(list, func(b rpcserver.FoundBlock) bool { return b.Status == rpcserver.BlockAccepted })
			})
			for _, b := range call[[]rpcserver.FoundBlock](t, n, "getblocksfound") {
				if id := loadShare(t, n, b.Hash).ID().String(); id != b.Hash || !b.Own {
					t.Errorf("share %s of %+v", id, b)
				}
			}
			if height, err := bitcoin.Height(t.Context()); err != nil || height == 0 {
				t.Errorf("height %d, %v", height, err)
			}
		})
	}
}
