package harness_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// kind is a standard form of output.
type kind int

const (
	p2wpkh kind = iota
	p2tr
	p2pkh // without a witness
	kinds
)

// wallet is one key and the outputs to it, of each kind.
type wallet struct {
	*testing.T
	key     *btcec.PrivateKey
	addrs   [kinds]address.Address
	scripts [kinds][]byte
}

func newWallet(t *testing.T) *wallet {
	t.Helper()
	w := &wallet{T: t}
	w.key, _ = btcec.PrivKeyFromBytes(bytes.Repeat([]byte{1}, 32))
	net, hash := &chaincfg.RegressionNetParams, address.Hash160(w.key.PubKey().SerializeCompressed())
	tweaked := schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(w.key.PubKey()))
	var errs [kinds]error
	w.addrs[p2wpkh], errs[p2wpkh] = address.NewAddressWitnessPubKeyHash(hash, net)
	w.addrs[p2tr], errs[p2tr] = address.NewAddressTaproot(tweaked, net)
	w.addrs[p2pkh], errs[p2pkh] = address.NewAddressPubKeyHash(hash, net)
	for k, addr := range w.addrs {
		if errs[k] != nil {
			t.Fatal(errs[k])
		}
		script, err := txscript.PayToAddrScript(addr)
		if err != nil {
			t.Fatal(err)
		}
		w.scripts[k] = script
	}
	return w
}

// coin is an output that the wallet can spend.
type coin struct {
	at  wire.OutPoint
	out *wire.TxOut
}

// coinsOf returns a transaction's outputs that are the wallet's.
func (w *wallet) coinsOf(tx *wire.MsgTx) (coins []coin) {
	hash := tx.TxHash()
	for i, out := range tx.TxOut {
		for _, script := range w.scripts {
			if bytes.Equal(out.PkScript, script) {
				coins = append(coins, coin{*wire.NewOutPoint(&hash, uint32(i)), out})
			}
		}
	}
	return coins
}

// spend returns a signed transaction from coins to as many equal outputs as there are
// kinds given. What doesn't divide by their number adds to the fee.
func (w *wallet) spend(coins []coin, fee int64, to ...kind) (tx *wire.MsgTx, paid int64) {
	w.Helper()
	tx = wire.NewMsgTx(2)
	var value int64
	outs := make(map[wire.OutPoint]*wire.TxOut)
	for _, c := range coins {
		tx.AddTxIn(wire.NewTxIn(&c.at, nil, nil))
		outs[c.at] = c.out
		value += c.out.Value
	}
	each := (value - fee) / int64(len(to))
	if each < 1_000 {
		w.Fatalf("outputs of %d sat", each)
	}
	for _, k := range to {
		tx.AddTxOut(wire.NewTxOut(each, w.scripts[k]))
	}
	hashes := txscript.NewTxSigHashes(tx, txscript.NewMultiPrevOutFetcher(outs))
	for i, c := range coins {
		if err := w.sign(tx, hashes, i, c.out); err != nil {
			w.Fatal(err)
		}
	}
	return tx, value - each*int64(len(to))
}

// sign signs one input.
func (w *wallet) sign(tx *wire.MsgTx, hashes *txscript.TxSigHashes, i int, out *wire.TxOut) (err error) {
	in := tx.TxIn[i]
	switch {
	case bytes.Equal(out.PkScript, w.scripts[p2wpkh]):
		in.Witness, err = txscript.WitnessSignature(tx, hashes, i, out.Value, out.PkScript, txscript.SigHashAll, w.key, true)
	case bytes.Equal(out.PkScript, w.scripts[p2tr]):
		in.Witness, err = txscript.TaprootWitnessSignature(tx, hashes, i, out.Value, out.PkScript, txscript.SigHashDefault, w.key)
	default:
		in.SignatureScript, err = txscript.SignatureScript(tx, i, out.PkScript, txscript.SigHashAll, w.key, true)
	}
	return err
}

// send gives a Bitcoin node a transaction.
func (w *wallet) send(n *bitcoindtest.Node, tx *wire.MsgTx) {
	w.Helper()
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		w.Fatal(err)
	}
	if err := n.Call(w.Context(), nil, "sendrawtransaction", hex.EncodeToString(raw.Bytes())); err != nil {
		w.Fatalf("transaction %v: %v", tx.TxHash(), err)
	}
}

// blockAt fetches a block of a Bitcoin node's best chain.
func blockAt(t *testing.T, n *bitcoindtest.Node, height int64) *wire.MsgBlock {
	t.Helper()
	var hash, raw string
	if err := n.Call(t.Context(), &hash, "getblockhash", height); err != nil {
		t.Fatal(err)
	}
	if err := n.Call(t.Context(), &raw, "getblock", hash, 0); err != nil {
		t.Fatal(err)
	}
	block := new(wire.MsgBlock)
	if err := block.Deserialize(hex.NewDecoder(bytes.NewReader([]byte(raw)))); err != nil {
		t.Fatal(err)
	}
	return block
}

// mempool is transactions that a Bitcoin node has, with what they pay.
type mempool struct {
	fees   map[chainhash.Hash]int64
	order  map[chainhash.Hash]int // in which they were sent
	kinds  [kinds]int             // inputs spent
	linked int                    // transactions that need others of the mempool
}

const (
	// Of each shape, these many: in all 3,000 transactions of 1,200 coins. Bitcoin Core
	// takes no transaction with more than 25 ancestors or descendants.
	singles     = 1_000
	chains      = 100
	chainLength = 15
	families    = 100 // of a parent, three children and a grandchild of all three
	familySize  = 5
	poolSize    = singles + chains*chainLength + families*familySize

	fanOuts  = 4
	fanWidth = (singles + chains + families) / fanOuts
	// maturity is after how many blocks a coinbase can be spent.
	maturity = 100
)

// fill makes a Bitcoin node, which pays the wallet, have blocks and a mempool.
func (w *wallet) fill(n *bitcoindtest.Node) *mempool {
	w.Helper()
	m := &mempool{fees: make(map[chainhash.Hash]int64), order: make(map[chainhash.Hash]int)}
	coins := w.split(n)
	take := func() []coin {
		c := coins[:1]
		coins = coins[1:]
		return c
	}
	for i := range singles {
		m.add(w, n, take(), kind(i)%kinds)
	}
	for i := range chains {
		next := take()
		for j := range chainLength {
			next = w.coinsOf(m.add(w, n, next, kind(i+j)%kinds))
		}
	}
	for range families {
		children := w.coinsOf(m.add(w, n, take(), p2wpkh, p2tr, p2pkh))
		var last []coin
		for i := range children {
			last = append(last, w.coinsOf(m.add(w, n, children[i:i+1], kind(i)))...)
		}
		m.add(w, n, last, p2wpkh, p2tr)
	}
	return m
}

// split mines coins and cuts them into many.
func (w *wallet) split(n *bitcoindtest.Node) (coins []coin) {
	w.Helper()
	if _, err := n.Generate(w.Context(), maturity+fanOuts); err != nil {
		w.Fatal(err)
	}
	for i := range fanOuts {
		to := make([]kind, fanWidth)
		for j := range to {
			to[j] = kind(j) % kinds
		}
		coinbase := blockAt(w.T, n, int64(1+i)).Transactions[0]
		tx, _ := w.spend(w.coinsOf(coinbase), 100_000, to...)
		w.send(n, tx)
		coins = append(coins, w.coinsOf(tx)...)
	}
	if _, err := n.Generate(w.Context(), 1); err != nil {
		w.Fatal(err)
	}
	return coins
}

// add sends a transaction. Fees go up and down, so that children pay for parents as well
// as the other way round.
func (m *mempool) add(w *wallet, n *bitcoindtest.Node, coins []coin, to ...kind) *wire.MsgTx {
	w.Helper()
	at := len(m.fees)
	tx, fee := w.spend(coins, int64(2_000+at*7_919%20_000), to...)
	w.send(n, tx)
	m.fees[tx.TxHash()], m.order[tx.TxHash()] = fee, at
	linked := false
	for _, c := range coins {
		for k, script := range w.scripts {
			if bytes.Equal(c.out.PkScript, script) {
				m.kinds[k]++
			}
		}
		_, ok := m.fees[c.at.Hash]
		linked = linked || ok
	}
	if linked {
		m.linked++
	}
	return tx
}
