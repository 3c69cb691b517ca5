package mining

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	btcchain "github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining/internal/realchain"
)

// parseBlock reads a block as btcd does, all of it.
func parseBlock(t testing.TB, raw []byte) *btcutil.Block {
	t.Helper()
	var msg wire.MsgBlock
	r := bytes.NewReader(raw)
	if err := msg.Deserialize(r); err != nil || r.Len() != 0 {
		t.Fatalf("btcd cannot read the block: %v, %d bytes are left", err, r.Len())
	}
	return btcutil.NewBlock(&msg)
}

// checkBlock applies all of btcd's rules that need no chain.
func checkBlock(t *testing.T, f *Generator, raw []byte, height int32) *btcutil.Block {
	t.Helper()
	block := parseBlock(t, raw)
	if err := btcchain.CheckBlockSanity(block, f.cfg.Params.Bitcoin.PowLimit, btcchain.NewMedianTime()); err != nil {
		t.Error(err)
	}
	if err := btcchain.ValidateWitnessCommitment(block); err != nil {
		t.Error(err)
	}
	if err := btcchain.CheckSerializedHeight(block.Transactions()[0], height); height > 16 && err != nil {
		t.Error(err)
	}
	return block
}

// TestSolvedJobs mines on a sharechain that judges every share, with templates of
// 0, 1, 2 and 500 transactions, every second of them with a witness.
func TestSolvedJobs(t *testing.T) {
	for _, txs := range []int{0, 1, 2, 500} {
		t.Run(fmt.Sprint(txs, " transactions"), func(t *testing.T) { testSolvedJobs(t, txs) })
	}
}

func testSolvedJobs(t *testing.T, txs int) {
	params := testParams(t)
	genesis := params.Bitcoin.GenesisBlock.Header
	clock := &clock{now: genesis.Timestamp.Add(time.Hour)}
	chain := realchain.New(t, params, clock.Now)
	node := &fakeNode{}
	g := newGenerator(t, Config{Params: params, Chain: chain, Node: node, Tag: []byte("/test/"), Now: clock.Now})
	tmpl := testTemplate(t, txs)
	tmpl.PrevBlock, tmpl.Height = genesis.BlockHash(), 1
	tmpl.MinTime, tmpl.CurTime = uint32(genesis.Timestamp.Unix())+1, uint32(clock.Now().Unix())
	tmpl.Received = clock.Now()
	g.SetTemplate(tmpl)

	const rounds = 25
	for i := range rounds {
		j, err := g.Work().Job(payee(i), share.Classes()[i%5])
		if err != nil {
			t.Fatal(err)
		}
		if j.ShareHeight != uint32(i) {
			t.Fatalf("height %d of share %d", j.ShareHeight, i)
		}
		// Every fifth is a block; the others are not.
		condition := meets(&j.ShareTarget, &j.BlockTarget)
		if i%5 == 4 {
			condition = meets(&j.BlockTarget, nil)
		}
		s := solve(t, j, condition)
		out, err := g.Submit(t.Context(), j, s)
		if err != nil || !out.Share || out.Block != (i%5 == 4) {
			t.Fatalf("share %d: %+v, %v", i, out, err)
		}
		if tip := chain.Tip(); tip.ID != out.Hash || tip.NextHeight != uint32(i+1) {
			t.Fatalf("tip %+v after share %v", tip, out.Hash)
		}
		clock.advance(params.ShareInterval)
		g.ChainChanged()
	}

	blocks := node.submitted()
	known := 0
	chain.View(func(c *blockchain.Chain) { known = len(c.Blocks(100)) })
	if len(blocks) != rounds/5 || known != rounds/5 {
		t.Fatalf("%d blocks, the sharechain knows %d", len(blocks), known)
	}
	for _, raw := range blocks {
		block := checkBlock(t, g, raw, 1)
		if n := len(block.Transactions()); n != txs+1 {
			t.Errorf("%d transactions", n)
		}
		for i, tx := range tmpl.Txs {
			if *block.Transactions()[i+1].Hash() != tx.TxID {
				t.Errorf("transaction %d is another", i)
			}
		}
		var paid int64
		for _, out := range block.Transactions()[0].MsgTx().TxOut {
			paid += out.Value
		}
		if paid != tmpl.CoinbaseValue {
			t.Errorf("pays %d sat of %d", paid, tmpl.CoinbaseValue)
		}
	}
}

// TestRolledSolutions: whatever a device may roll, the share stays a valid one.
func TestRolledSolutions(t *testing.T) {
	params := testParams(t)
	genesis := params.Bitcoin.GenesisBlock.Header
	clock := &clock{now: genesis.Timestamp.Add(time.Hour)}
	chain := realchain.New(t, params, clock.Now)
	g := newGenerator(t, Config{Params: params, Chain: chain, Node: &fakeNode{}, Now: clock.Now})
	tmpl := testTemplate(t, 3)
	tmpl.PrevBlock, tmpl.Height, tmpl.Received = genesis.BlockHash(), 1, clock.Now()
	tmpl.MinTime, tmpl.CurTime = uint32(genesis.Timestamp.Unix())+1, uint32(clock.Now().Unix())
	g.SetTemplate(tmpl)
	j, err := g.Work().Job(payee(3), share.Class36)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []Solution{
		{Version: j.Version, Time: j.MinTime},
		{Version: j.Version, Time: j.MaxTime},
		{Version: j.Version | versionMask, Time: j.Time},
		{Version: j.Version, Time: j.Time, Extranonce: [share.ExtranonceSize]byte{11: 0xff}},
	} {
		for h := j.Header(s.Extranonce, s.Version, s.Time, s.Nonce); ; s.Nonce++ {
			h.Nonce = s.Nonce
			if id := h.BlockHash(); meets(&j.ShareTarget, nil)(&id) {
				break
			}
		}
		if out, err := g.Submit(t.Context(), j, s); err != nil || !out.Share {
			t.Errorf("solution %d: %+v, %v", i, out, err)
		}
	}
}

// TestBlockIsNeverTooLarge draws templates near their limits of weight and
// signature operations. Whatever class a job gets, btcd must find its block
// within the limits, and where transactions had to make room, no more of them than
// needed; the next larger class must really be too large, with all of them.
func TestBlockIsNeverTooLarge(t *testing.T) {
	// What the estimate may be too high by: it counts the longest coinbase
	// script, the longest finder's output and three-byte counts.
	const slack = (101 - 50 + 12 + 4) * witnessScale
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t)
		scores := testScores(rapid.IntRange(0, 1300).Draw(rt, "payees"),
			rapid.SampledFrom([]func(int) []byte{payee, p2tr, p2pkh}).Draw(rt, "form"))
		f.chain.set(func(c *fakeChain) { c.scores = scores })
		tmpl := testTemplate(t, rapid.IntRange(0, 300).Draw(rt, "transactions"))
		tmpl.Received = f.clock.Now()
		tmpl.Txs = padded(tmpl.Txs, rapid.IntRange(0, 400).Draw(rt, "padding"))
		tmpl.WeightLimit = tmpl.Weight() + rapid.Int64Range(0, 250_000).Draw(rt, "room")
		tmpl.SigopLimit = tmpl.Sigops() + rapid.Int64Range(0, 6_000).Draw(rt, "sigop room")
		f.SetTemplate(tmpl)

		finder := payee(20_000 + rapid.IntRange(0, 4).Draw(rt, "finder"))
		asked := share.Class(rapid.IntRange(0, 4).Draw(rt, "class"))
		j, err := f.tryJob(finder, asked)
		larger := share.Class12
		if err == nil {
			if j.Class() > asked {
				rt.Fatalf("asked for class %v, got %v", asked, j.Class())
			}
			larger = j.Class() + 1
			if w, s := cost(t, j); w > tmpl.WeightLimit || s > tmpl.SigopLimit {
				rt.Fatalf("block of weight %d and %d sigops, allowed are %d and %d", w, s, tmpl.WeightLimit, tmpl.SigopLimit)
			}
		}
		if larger > asked {
			return
		}
		roomy := *tmpl
		roomy.WeightLimit, roomy.SigopLimit = DefaultWeightLimit, DefaultSigopLimit
		f.SetTemplate(&roomy)
		w, s := cost(t, f.job(finder, larger))
		if w+slack <= tmpl.WeightLimit && s+witnessScale <= tmpl.SigopLimit {
			rt.Fatalf("class %v was refused with weight %d and %d sigops, allowed are %d and %d", larger, w, s, tmpl.WeightLimit, tmpl.SigopLimit)
		}
	})
}

// padded returns the transactions with the last one's witness n bytes longer, so
// that weights are not all multiples of four.
func padded(txs []TemplateTx, n int) []TemplateTx {
	for i := range txs {
		var msg wire.MsgTx
		if txs[i].HasWitness() && msg.Deserialize(bytes.NewReader(txs[i].Raw)) == nil {
			msg.TxIn[0].Witness = append(msg.TxIn[0].Witness, make([]byte, n))
			var raw bytes.Buffer
			if msg.Serialize(&raw) == nil {
				txs[i].Raw, txs[i].WTxID = raw.Bytes(), msg.WitnessHash()
				txs[i].Weight = btcchain.GetTransactionWeight(btcutil.NewTx(&msg))
			}
			break
		}
	}
	return txs
}

// cost returns what btcd says a job's block weighs and costs in signature
// operations.
func cost(t testing.TB, j *Job) (weight, sigops int64) {
	block := parseBlock(t, j.block(Solution{Version: j.Version, Time: j.Time}).Bytes())
	coinbase := block.Transactions()[0]
	return btcchain.GetBlockWeight(block), j.template.Sigops() + int64(btcchain.CountSigOps(coinbase))*witnessScale
}

// TestFullBlock builds on a template of 4 MB of weight less the room that Bitcoin
// Core reserves for a coinbase.
func TestFullBlock(t *testing.T) {
	f := newFixture(t)
	f.chain.set(func(c *fakeChain) { c.scores = testScores(1500, p2tr) })
	tmpl := f.template(1)
	tmpl.Txs = padded(tmpl.Txs, DefaultWeightLimit-8_000-1_000)
	f.SetTemplate(tmpl)
	if err := tmpl.Check(); err != nil {
		t.Fatal(err)
	}
	j := f.job(p2tr(9000), share.Class1152)
	w, _ := cost(t, j)
	if j.Class() != share.Class36 || w > DefaultWeightLimit {
		t.Errorf("class %v, weight %d", j.Class(), w)
	}
}

func TestVarInt(t *testing.T) {
	for _, n := range []uint64{0, 1, 0xfc, 0xfd, 0xff, 0x100, 0xffff, 0x10000, 0xffffffff} {
		var want bytes.Buffer
		if err := wire.WriteVarInt(&want, 0, n); err != nil {
			t.Fatal(err)
		}
		if got := appendVarInt(nil, n); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%d is %x, want %x", n, got, want.Bytes())
		}
	}
}
