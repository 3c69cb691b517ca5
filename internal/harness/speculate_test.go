package harness_test

import (
	"context"
	"encoding/hex"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/internal/harness"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// TestSpeculate: a node works on blocks before its Bitcoin node has validated them, and
// gets one that turns out to be invalid. No share on the sharechain builds on that, and
// mining goes on. Bitcoin Core tells of blocks so early, btcd doesn't.
func TestSpeculate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	peers := l.Addr().String()
	l.Close()
	bitcoin := bitcoindtest.StartTest(t, bitcoindtest.Options{P2PListen: peers})
	payee, err := harness.NewPayee(0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	startLate(t, dir, 1)
	n, err := harness.NewNode(programs(t), harness.NodeOptions{
		Dir: dir, Bitcoind: bitcoin.URL(), Address: payee.Address, Args: []string{"--speculate", "--bitcoinp2p=" + peers},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	h := &hasher{addr: n.Stratum, user: payee.Address, goal: params(t).EasiestTarget, rate: hasherRate, accepted: func(chainhash.Hash) {}}
	wg.Go(func() { h.run(ctx) })
	defer wg.Wait()
	defer cancel()
	compact := func() (count uint64) {
		for _, s := range call[rpcserver.TemplateInfo](t, n, "gettemplate").TipSources {
			if s.Source == "compact" {
				count = s.First
			}
		}
		return count
	}
	wait(t, "blocks", func() bool {
		height, err := bitcoin.Height(t.Context())
		return err == nil && height >= 3 && (compact() > 0 || !bitcoin.IsCore())
	})

	before := compact()
	bad := sendInvalid(t, bitcoin)
	if bitcoin.IsCore() {
		wait(t, "work on the invalid block", func() bool { return compact() > before })
	}
	start := time.Now()
	wait(t, "work on another", func() bool {
		info := call[rpcserver.TemplateInfo](t, n, "gettemplate")
		return info.Jobs && info.PreviousBlockHash != bad.String()
	})
	t.Logf("%d blocks told of before they were validated; left the invalid one after %v", compact(), time.Since(start).Round(time.Millisecond))
	height := call[chainInfo](t, n, "getsharechaininfo").Height
	wait(t, "more shares", func() bool { return call[chainInfo](t, n, "getsharechaininfo").Height >= height+5 })
	for _, s := range loadChain(t, n, call[chainInfo](t, n, "getsharechaininfo").Tip) {
		if s.Header.PrevBlock == bad {
			t.Errorf("share %v builds on the invalid block", s.ID())
		}
	}
}

// sendInvalid gives a Bitcoin node a block on its best one that breaks a rule which shows
// in its validation only: it pays itself too much.
func sendInvalid(t *testing.T, n *bitcoindtest.Node) chainhash.Hash {
	t.Helper()
	for {
		var tip string
		if err := n.Call(t.Context(), &tip, "getbestblockhash"); err != nil {
			t.Fatal(err)
		}
		height, err := n.Height(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		parent := blockAt(t, n, height)
		if parent.BlockHash().String() != tip {
			continue // a new one meanwhile
		}
		sig, err := txscript.NewScriptBuilder().AddInt64(height + 1).AddData([]byte("invalid")).Script()
		if err != nil {
			t.Fatal(err)
		}
		coinbase := wire.NewMsgTx(2)
		coinbase.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, wire.MaxPrevOutIndex), sig, nil))
		coinbase.AddTxOut(wire.NewTxOut(51e8, []byte{txscript.OP_TRUE}))
		root, prev := coinbase.TxHash(), parent.BlockHash()
		block := wire.NewMsgBlock(wire.NewBlockHeader(0x20000000, &prev, &root, parent.Header.Bits, 0))
		block.Header.Timestamp = parent.Header.Timestamp.Add(time.Second)
		if err := block.AddTransaction(coinbase); err != nil {
			t.Fatal(err)
		}
		bitcoindtest.Solve(&block.Header)
		var raw strings.Builder
		if err := block.Serialize(hex.NewEncoder(&raw)); err != nil {
			t.Fatal(err)
		}
		var reason *string
		if err := n.Call(t.Context(), &reason, "submitblock", raw.String()); err != nil {
			t.Fatal(err)
		}
		if reason == nil {
			t.Fatal("the Bitcoin node has taken an invalid block")
		}
		if strings.Contains(*reason, "bad-cb-amount") || strings.Contains(*reason, "more than expected") {
			return block.BlockHash()
		}
		t.Logf("invalid block: %s", *reason) // on an old tip
	}
}
