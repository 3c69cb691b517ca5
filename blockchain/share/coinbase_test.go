package share

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// TestScriptNumber checks the pushes of block heights against the script
// builder and known coinbases.
func TestScriptNumber(t *testing.T) {
	for _, n := range []uint32{0, 1, 2, 15, 16, 17, 127, 128, 255, 256, 32767, 32768, 65535, 227_835, 8_388_607, 8_388_608, 1<<31 - 1} {
		want, err := txscript.NewScriptBuilder().AddInt64(int64(n)).Script()
		if err != nil {
			t.Fatal(err)
		}
		if got := appendScriptNumber(nil, n); !bytes.Equal(got, want) {
			t.Errorf("%d: %x, want %x", n, got, want)
		}
	}
	for n, want := range map[uint32]string{
		227_931: "035b7a03", // mainnet's first block to which BIP 34 applied by majority begins so
		// From 8,388,608 on a fourth byte keeps the sign bit clear, in some 145 years; a
		// fifth would above all heights that Bitcoin Core can count.
		8_388_607: "03ffff7f", 8_388_608: "0400008000", 1<<24 - 1: "04ffffff00", 1 << 24: "0400000001",
		1<<31 - 1: "04ffffff7f", 1 << 31: "050000008000", 1<<32 - 1: "05ffffffff00",
	} {
		if got := hex.EncodeToString(appendScriptNumber(nil, n)); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestCommitmentIsTaggedHash(t *testing.T) {
	s, chainID := fullShare(), chainhash.Hash{42}
	want := chainhash.TaggedHash([]byte("p2pool/share"), chainID[:], s.Data.appendData(nil))
	if got := s.Data.Commitment(&chainID); got != *want {
		t.Errorf("commitment %v, want %v", got, want)
	}
	if other := s.Data.Commitment(&chainhash.Hash{43}); other == *want {
		t.Error("commitment does not cover the ChainID")
	}
}

// TestCommitmentCoversEveryField changes one field at a time.
func TestCommitmentCoversEveryField(t *testing.T) {
	seen := map[chainhash.Hash]bool{fullShare().Data.Commitment(&chainhash.Hash{}): true}
	for i, change := range []func(*Data){
		func(d *Data) { d.Version++ }, func(d *Data) { d.Previous[31]++ }, func(d *Data) { d.Uncles = d.Uncles[:2] },
		func(d *Data) { d.Uncles[2][0]++ }, func(d *Data) { d.Height++ }, func(d *Data) { d.Time++ },
		func(d *Data) { d.Bits++ }, func(d *Data) { d.Payee = p2wsh }, func(d *Data) { d.BitcoinHeight++ },
		func(d *Data) { d.CoinbaseValue++ }, func(d *Data) { d.Class++ }, func(d *Data) { d.Tag = nil },
		func(d *Data) { d.WitnessCommitment = nil }, func(d *Data) { d.MergedMining = nil },
	} {
		d := fullShare().Data
		change(&d)
		c := d.Commitment(&chainhash.Hash{})
		if seen[c] {
			t.Errorf("change %d leaves the commitment as it was", i)
		}
		seen[c] = true
	}
}

// TestCoinbaseForm parses the coinbase with btcd and looks at every part.
func TestCoinbaseForm(t *testing.T) {
	s, chainID := fullShare(), chainhash.Hash{42}
	payouts := []Payout{{Script: p2pkh, Amount: 900}, {Script: p2sh, Amount: 800}}
	raw := s.Coinbase(&chainID, 1234, payouts)
	var tx wire.MsgTx
	if err := tx.DeserializeNoWitness(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	if tx.SerializeSizeStripped() != len(raw) {
		t.Errorf("%d bytes, parsed %d", len(raw), tx.SerializeSizeStripped())
	}
	if tx.Version != 2 || tx.LockTime != s.Data.BitcoinHeight-1 || tx.TxIn[0].Sequence != 0xfffffffe {
		t.Errorf("version %d, locktime %d, sequence %x", tx.Version, tx.LockTime, tx.TxIn[0].Sequence)
	}
	if err := blockchain.CheckTransactionSanity(btcutil.NewTx(&tx)); err != nil {
		t.Errorf("btcd: %v", err)
	}
	if h, err := blockchain.ExtractCoinbaseHeight(btcutil.NewTx(&tx)); err != nil || uint32(h) != s.Data.BitcoinHeight {
		t.Errorf("btcd reads height %d, %v", h, err)
	}
	script := tx.TxIn[0].SignatureScript
	if len(script) != 4+45+5 || !bytes.HasSuffix(script, s.Data.Tag) || len(script) > blockchain.MaxCoinbaseScriptLen {
		t.Errorf("script of %d bytes %x", len(script), script)
	}
	hash := s.Data.Commitment(&chainID)
	last := tx.TxOut[len(tx.TxOut)-1]
	if len(tx.TxOut) != 4 || last.Value != 0 || !bytes.HasSuffix(last.PkScript, append(append([]byte{44}, hash[:]...), s.Extranonce[:]...)) {
		t.Errorf("%d outputs, the last %+v", len(tx.TxOut), last)
	}
	want := []wire.TxOut{{Value: 1234, PkScript: p2tr}, {Value: 900, PkScript: p2pkh}, {Value: 800, PkScript: p2sh}}
	for i := range want {
		if tx.TxOut[i].Value != want[i].Value || !bytes.Equal(tx.TxOut[i].PkScript, want[i].PkScript) {
			t.Errorf("output %d: %+v", i, tx.TxOut[i])
		}
	}
	commitment, ok := blockchain.ExtractWitnessCommitment(btcutil.NewTx(&tx))
	if !ok || !bytes.Equal(commitment, s.Data.WitnessCommitment) {
		t.Errorf("btcd finds witness commitment %x", commitment)
	}
}

// TestCoinbaseWithoutWitness: the last output is there in a block without witness
// too, and btcd finds no commitment of BIP 141 in it. The script of the first blocks
// has two bytes at least.
func TestCoinbaseWithoutWitness(t *testing.T) {
	for _, height := range []uint32{1, 16, 17, 500} {
		s := &Share{Data: Data{BitcoinHeight: height, Payee: p2wpkh}}
		var tx wire.MsgTx
		if err := tx.DeserializeNoWitness(bytes.NewReader(s.Coinbase(&chainhash.Hash{}, 5, nil))); err != nil {
			t.Fatal(err)
		}
		if err := blockchain.CheckTransactionSanity(btcutil.NewTx(&tx)); err != nil {
			t.Errorf("btcd, height %d: %v", height, err)
		}
		last := tx.TxOut[len(tx.TxOut)-1]
		if _, ok := blockchain.ExtractWitnessCommitment(btcutil.NewTx(&tx)); ok || len(tx.TxOut) != 2 || len(last.PkScript) != 2+lastPush ||
			!bytes.HasPrefix(last.PkScript, []byte{txscript.OP_RETURN, lastPush}) {
			t.Errorf("last output %+v", last)
		}
	}
}

// TestCoinbaseSizes holds the sizes that docs/protocol.md states for each class
// at worst: P2TR everywhere, merged mining and a tag.
func TestCoinbaseSizes(t *testing.T) {
	for class, want := range map[Class]int{Class12: 756, Class36: 1788, Class144: 6432, Class288: 12626, Class1152: 49778} {
		s := fullShare()
		payouts := make([]Payout, class.Outputs())
		for i := range payouts {
			payouts[i].Script = p2tr
		}
		if n := len(s.Coinbase(&chainhash.Hash{}, 1, payouts)); n != want {
			t.Errorf("class %v: %d bytes, want %d", class, n, want)
		}
	}
}

// TestPayeeKeepsLength: coinbases for two payees of one form differ in the finder's
// output only, before the commitment.
func TestPayeeKeepsLength(t *testing.T) {
	a, b := fullShare().Data, fullShare().Data
	b.Payee = append([]byte{0x51, 0x20}, bytes.Repeat([]byte{8}, 32)...)
	pa, pb := a.AppendCoinbasePrefix(nil, 1, nil), b.AppendCoinbasePrefix(nil, 1, nil)
	if !bytes.Equal(bytes.Replace(pa, a.Payee, b.Payee, 1), pb) {
		t.Errorf("%x, %x", pa, pb)
	}
}

// TestMerkleRoot climbs the trees of btcd's genesis block and of blocks
// of 1 to 40 transactions.
func TestMerkleRoot(t *testing.T) {
	genesis := chaincfg.MainNetParams.GenesisBlock
	if got := MerkleRoot(genesis.Transactions[0].TxHash(), nil); got != genesis.Header.MerkleRoot {
		t.Errorf("genesis: %v", got)
	}
	for n := 1; n <= 40; n++ {
		var txs []*btcutil.Tx
		for i := range n {
			txs = append(txs, btcutil.NewTx(&wire.MsgTx{Version: int32(i)}))
		}
		store := blockchain.BuildMerkleTreeStore(txs, false)
		var branch []chainhash.Hash
		level, width := 0, (len(store)+1)/2
		for width > 1 {
			sibling := store[level+1]
			if sibling == nil {
				sibling = store[level]
			}
			branch = append(branch, *sibling)
			level, width = level+width, width/2
		}
		if got := MerkleRoot(*txs[0].Hash(), branch); got != *store[len(store)-1] {
			t.Errorf("%d transactions: %v", n, got)
		}
	}
}
