package bitcoind

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// realClient returns a client for a real node, with real timing.
func realClient(t *testing.T, n *bitcoindtest.Node) *Client {
	t.Helper()
	cfg := Config{URL: n.URL(), Params: &chaincfg.RegressionNetParams}
	if _, err := os.Stat(n.CookieFile()); err == nil {
		cfg.CookieFile = n.CookieFile()
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// solve makes a block of a template, whose coinbase pays everything to script.
func solve(t *testing.T, tmpl *mining.Template, script []byte) *wire.MsgBlock {
	t.Helper()
	sigScript, err := txscript.NewScriptBuilder().AddInt64(int64(tmpl.Height)).AddData([]byte("p2pool")).Script()
	if err != nil {
		t.Fatal(err)
	}
	commitment := tmpl.WitnessCommitment()
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex}, SignatureScript: sigScript,
		Sequence: wire.MaxTxInSequenceNum, Witness: wire.TxWitness{make([]byte, 32)},
	})
	coinbase.AddTxOut(wire.NewTxOut(tmpl.CoinbaseValue, script))
	coinbase.AddTxOut(wire.NewTxOut(0, append([]byte{0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed}, commitment[:]...)))

	root := share.MerkleRoot(coinbase.TxHash(), tmpl.MerkleBranch())
	header := wire.NewBlockHeader(tmpl.Version, &tmpl.PrevBlock, &root, tmpl.Bits, 0)
	header.Timestamp = time.Unix(int64(tmpl.CurTime), 0)
	block := wire.NewMsgBlock(header)
	if err := block.AddTransaction(coinbase); err != nil {
		t.Fatal(err)
	}
	for i := range tmpl.Txs {
		tx := new(wire.MsgTx)
		if err := tx.Deserialize(bytes.NewReader(tmpl.Txs[i].Raw)); err != nil {
			t.Fatal(err)
		}
		if err := block.AddTransaction(tx); err != nil {
			t.Fatal(err)
		}
	}
	bitcoindtest.Solve(&block.Header)
	return block
}

// anyone is an output script that anyone can spend.
var anyone = []byte{txscript.OP_TRUE}

// TestRealBlocks mines blocks from height 1 on a real node: each template fits the chain,
// each solved block is taken and taken again as a duplicate, each fault is named.
func TestRealBlocks(t *testing.T) {
	ctx := t.Context()
	n := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	c := realClient(t, n)
	if err := c.Check(ctx); err != nil {
		t.Fatal(err)
	}
	for height := uint32(1); height <= 18; height++ { // past the one-byte BIP 34 heights
		tmpl, err := c.fetchTemplate(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		if tmpl.Height != height || tmpl.Subsidy() != 50e8 {
			t.Fatalf("template for height %d, subsidy %d; want height %d", tmpl.Height, tmpl.Subsidy(), height)
		}
		block := solve(t, tmpl, anyone)
		if err := c.SubmitBlock(ctx, mining.RawBlock{serialize(t, block)}, nil); err != nil {
			t.Fatalf("block %d: %v", height, err)
		}
		if tip, err := c.TipHash(ctx); err != nil || tip != block.BlockHash() {
			t.Fatalf("tip %v, %v", tip, err)
		}
		if err := c.SubmitBlock(ctx, mining.RawBlock{serialize(t, block)}, nil); err != nil {
			t.Fatalf("block %d again: %v", height, err)
		}
	}
	tmpl, err := c.fetchTemplate(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	tmpl.CoinbaseValue++
	reasons := map[bool]string{true: "bad-cb-amount", false: "coinbase transaction for block pays 5000000001 " +
		"which is more than expected value of 5000000000"}
	wantRejected(t, c.SubmitBlock(ctx, mining.RawBlock{serialize(t, solve(t, tmpl, anyone))}, nil), reasons[n.IsCore()])
	if err := c.SubmitBlock(ctx, mining.RawBlock{[]byte("no block")}, nil); err == nil {
		t.Error("nonsense taken as a block")
	} else {
		t.Log(err)
	}
}

// TestRealCheck checks a real node's answers to a wrong password and a wrong network.
func TestRealCheck(t *testing.T) {
	n := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	bad := newClient(t, Config{URL: "http://p2pool:wrong@" + n.Addr()})
	wantError(t, bad.Check(t.Context()), ErrAuth, "refuses our password")
	other := newClient(t, Config{URL: n.URL(), Params: &chaincfg.TestNet4Params})
	wantError(t, other.Check(t.Context()), ErrWrongNetwork, "is on regtest", "mine on testnet4")

	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	gone := newClient(t, Config{URL: n.URL()})
	wantError(t, gone.Check(t.Context()), ErrUnreachable, "cannot reach the Bitcoin node at "+n.Addr())
}

// TestRealRun checks, against a real node whose cookie changes at each start, that the
// longpoll wakes at a new block, and that Run recovers from the node's restart.
func TestRealRun(t *testing.T) {
	ctx := t.Context()
	n := bitcoindtest.StartTest(t, bitcoindtest.Options{Cookie: true})
	r := startRun(t, Config{URL: n.URL(), CookieFile: n.CookieFile()}, func(tm *timing) {
		*tm = defaultTiming()
		tm.poll = time.Hour // so that only the longpoll can bring a block
	})
	r.waitTemplate(t, *chaincfg.RegressionNetParams.GenesisHash)
	for range 3 {
		blocks, err := n.Generate(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		r.waitTemplate(t, blocks[0])
		t.Logf("template %v after the block", time.Since(start))
	}
	r.stop()

	r = startRun(t, Config{URL: n.URL(), CookieFile: n.CookieFile()}, nil)
	r.waitHealth(t, true)
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	if h := r.waitHealth(t, false); h.Kind != ErrUnreachable && h.Kind != ErrStarting && h.Kind != ErrCookie {
		t.Errorf("stopped node: %+v", h)
	}
	if err := n.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	r.waitHealth(t, true)
	blocks, err := n.Generate(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if tmpl := r.waitTemplate(t, blocks[0]); tmpl.Height != 5 {
		t.Errorf("height %d after the restart, want 5", tmpl.Height)
	}
}

// TestRealChain asks a real node for headers in and beside its best chain.
func TestRealChain(t *testing.T) {
	ctx := t.Context()
	n := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	c := realClient(t, n)
	const height = headerBatch + 20
	if _, err := n.Generate(ctx, height-1); err != nil {
		t.Fatal(err)
	}
	tmpl, err := c.fetchTemplate(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	best, side := solve(t, tmpl, anyone), solve(t, tmpl, []byte{txscript.OP_2})
	for _, block := range []*wire.MsgBlock{best, side} {
		if err := c.SubmitBlock(ctx, mining.RawBlock{serialize(t, block)}, nil); err != nil {
			t.Fatal(err)
		}
	}

	info, err := c.Header(ctx, best.BlockHash())
	if err != nil || !info.InBestChain || info.Height != height || info.Confirmations != 1 || info.Header != best.Header {
		t.Errorf("best block: %+v, %v", info, err)
	}
	info, err = c.Header(ctx, side.BlockHash())
	if err != nil || info.InBestChain || info.Invalid || info.Height != height || info.Confirmations != -1 {
		t.Errorf("side block: %+v, %v", info, err)
	}
	_, err = c.Header(ctx, chainhash.Hash{1})
	wantError(t, err, ErrUnknownBlock)
	_, err = c.HashAt(ctx, height+1)
	wantError(t, err, ErrUnknownBlock)
	for _, hash := range []chainhash.Hash{best.BlockHash(), side.BlockHash()} {
		if block, err := c.Block(ctx, hash); err != nil || block.BlockHash() != hash || len(block.Transactions) != 1 {
			t.Errorf("block: %v, %v", block, err)
		}
		start := time.Now()
		infos, err := c.HeadersBack(ctx, hash, MaxHeadersBack)
		if err != nil || len(infos) != height+1 || infos[height].Hash != hash || infos[0].Height != 0 {
			t.Errorf("%d headers, %v", len(infos), err)
		}
		t.Logf("%d headers in %v", len(infos), time.Since(start))
	}

	// A block that the node is made to call invalid.
	if err := n.Call(ctx, nil, "invalidateblock", side.BlockHash().String()); err != nil {
		t.Fatal(err)
	}
	if info, err = c.Header(ctx, side.BlockHash()); err != nil || !info.Invalid {
		t.Errorf("invalid block: %+v, %v", info, err)
	}
}

// TestRealTransactions mines a template with transactions that depend on each other and
// have witnesses. With the environment variable P2POOL_RECORD it also writes the node's
// reply to that file, for testdata.
func TestRealTransactions(t *testing.T) {
	ctx := t.Context()
	key, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{1}, 32))
	addr, err := address.NewAddressWitnessPubKeyHash(
		address.Hash160(key.PubKey().SerializeCompressed()), &chaincfg.RegressionNetParams)
	if err != nil {
		t.Fatal(err)
	}
	n := bitcoindtest.StartTest(t, bitcoindtest.Options{MiningAddress: addr.EncodeAddress()})
	c := realClient(t, n)
	blocks, err := n.Generate(ctx, 102) // the first two coinbases are mature
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.Block(ctx, blocks[0])
	if err != nil {
		t.Fatal(err)
	}

	prev := first.Transactions[0]
	for _, fee := range []int64{10_000, 20_000} {
		tx := spend(t, key, prev, fee)
		var raw bytes.Buffer
		if err := tx.Serialize(&raw); err != nil {
			t.Fatal(err)
		}
		if err := n.Call(ctx, nil, "sendrawtransaction", hex.EncodeToString(raw.Bytes())); err != nil {
			t.Fatal(err)
		}
		prev = tx
	}
	tmpl := waitTxs(t, c, 2)
	if tmpl.Fees() != 30_000 || !tmpl.HasWitness() || len(tmpl.Txs[1].Depends) != 1 || tmpl.Txs[1].Depends[0] != 0 {
		t.Errorf("got %+v", tmpl.Txs)
	}
	if file := os.Getenv("P2POOL_RECORD"); file != "" {
		var reply json.RawMessage
		if err := n.Call(ctx, &reply, "getblocktemplate", templateRequest{Rules: []string{"segwit"}}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(reply, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.SubmitBlock(ctx, mining.RawBlock{serialize(t, solve(t, tmpl, anyone))}, nil); err != nil {
		t.Fatal(err)
	}
}

// spend returns a transaction that spends the first output of prev, which pays key's
// witness address, back to it.
func spend(t *testing.T, key *btcec.PrivateKey, prev *wire.MsgTx, fee int64) *wire.MsgTx {
	t.Helper()
	out := prev.TxOut[0]
	tx := wire.NewMsgTx(2)
	hash := prev.TxHash()
	tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&hash, 0), nil, nil))
	tx.AddTxOut(wire.NewTxOut(out.Value-fee, out.PkScript))
	hashes := txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(out.PkScript, out.Value))
	witness, err := txscript.WitnessSignature(tx, hashes, 0, out.Value, out.PkScript, txscript.SigHashAll, key, true)
	if err != nil {
		t.Fatal(err)
	}
	tx.TxIn[0].Witness = witness
	return tx
}

// waitTxs asks for templates until one has that many transactions.
func waitTxs(t *testing.T, c *Client, count int) *mining.Template {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		tmpl, err := c.fetchTemplate(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(tmpl.Txs) == count {
			return tmpl
		}
		if !sleep(ctx, 20*time.Millisecond) {
			t.Fatalf("no template with %d transactions, last with %d", count, len(tmpl.Txs))
		}
	}
}
