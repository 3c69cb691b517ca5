package harness_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/internal/harness"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// txStats is what the test looks at in getrelayinfo.
type txStats struct {
	Transactions struct {
		AtOnce  uint64 `json:"atonce"`
		Fetched uint64 `json:"fetched"`
	} `json:"transactions"`
	Blocks struct {
		Received uint64 `json:"received"`
		Rebuilt  uint64 `json:"rebuilt"`
	} `json:"blocks"`
}

// TestEveryNodeSubmits: two nodes of the pool, whose Bitcoin nodes do not know each
// other. Only one has a miner, and only its Bitcoin node knows the transactions; what
// it finds reaches the other Bitcoin node through the pool alone.
func TestEveryNodeSubmits(t *testing.T) {
	ctx := t.Context()
	key, _ := btcec.PrivKeyFromBytes(bytes.Repeat([]byte{1}, 32))
	addr, err := address.NewAddressWitnessPubKeyHash(
		address.Hash160(key.PubKey().SerializeCompressed()), &chaincfg.RegressionNetParams)
	if err != nil {
		t.Fatal(err)
	}
	here := bitcoindtest.StartTest(t, bitcoindtest.Options{MiningAddress: addr.EncodeAddress()})
	there := bitcoindtest.StartTest(t, bitcoindtest.Options{})
	blocks, err := here.Generate(ctx, 102) // the first two coinbases are mature
	if err != nil {
		t.Fatal(err)
	}
	if err := here.CopyChain(ctx, there); err != nil {
		t.Fatal(err)
	}
	var raw string
	if err := here.Call(ctx, &raw, "getblock", blocks[0].String(), 0); err != nil {
		t.Fatal(err)
	}
	sendTwo(t, here, key, raw)

	nodes := []*harness.Node{startNode(t, 0, here.URL()), startNode(t, 1, there.URL())}
	call[any](t, nodes[1], "addnode", nodes[0].P2P)
	wait(t, "the nodes to meet", func() bool { return call[info](t, nodes[0], "getinfo").Peers == 1 })
	payee, err := harness.NewPayee(0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := harness.StartMiner(programs(t), t.TempDir(), nodes[0], payee.Address+".miner", "1MH/s")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Stop()

	const start = 102
	wait(t, "the other Bitcoin node to have a block", func() bool {
		height, err := there.Height(ctx)
		return err == nil && height > start
	})
	var hash string
	if err := there.Call(ctx, &hash, "getblockhash", start+1); err != nil {
		t.Fatal(err)
	}
	if got := transactions(t, there, hash); got != 3 {
		t.Errorf("block %s has %d transactions, the miner's Bitcoin node knows 2 and a coinbase", hash, got)
	}
	s := call[txStats](t, nodes[1], "getrelayinfo")
	t.Logf("the other node: %+v", s)
	if s.Blocks.Rebuilt == 0 || s.Transactions.Fetched == 0 {
		t.Errorf("nothing was rebuilt: %+v", s)
	}
}

// startNode runs a p2poold until the end of the test.
func startNode(t *testing.T, i int, bitcoin string) *harness.Node {
	t.Helper()
	payee, err := harness.NewPayee(i)
	if err != nil {
		t.Fatal(err)
	}
	n, err := harness.NewNode(programs(t), harness.NodeOptions{Dir: t.TempDir(), Bitcoind: bitcoin, Address: payee.Address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("end of node %d's log:\n%s", i, n.Process().Output())
		}
	})
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// sendTwo gives a Bitcoin node two transactions that depend on each other and spend
// the coinbase of a block to key.
func sendTwo(t *testing.T, n *bitcoindtest.Node, key *btcec.PrivateKey, block string) {
	t.Helper()
	var msg wire.MsgBlock
	if err := msg.Deserialize(hex.NewDecoder(bytes.NewReader([]byte(block)))); err != nil {
		t.Fatal(err)
	}
	prev := msg.Transactions[0]
	for range 2 {
		out := prev.TxOut[0]
		tx := wire.NewMsgTx(2)
		hash := prev.TxHash()
		tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&hash, 0), nil, nil))
		tx.AddTxOut(wire.NewTxOut(out.Value-10_000, out.PkScript))
		hashes := txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(out.PkScript, out.Value))
		witness, err := txscript.WitnessSignature(tx, hashes, 0, out.Value, out.PkScript, txscript.SigHashAll, key, true)
		if err != nil {
			t.Fatal(err)
		}
		tx.TxIn[0].Witness = witness
		var raw bytes.Buffer
		if err := tx.Serialize(&raw); err != nil {
			t.Fatal(err)
		}
		if err := n.Call(t.Context(), nil, "sendrawtransaction", hex.EncodeToString(raw.Bytes())); err != nil {
			t.Fatal(err)
		}
		prev = tx
	}
}

// transactions returns the number of transactions of a block.
func transactions(t *testing.T, n *bitcoindtest.Node, hash string) int {
	t.Helper()
	var block struct {
		Tx []string `json:"tx"`
	}
	if err := n.Call(t.Context(), &block, "getblock", hash, 1); err != nil {
		t.Fatal(err)
	}
	return len(block.Tx)
}
