package main

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
)

// TestCompactBlock: a block from a file is told to peers as it is, and one that isn't its
// share's not at all.
func TestCompactBlock(t *testing.T) {
	var msg wire.MsgBlock
	var ids, wids []chainhash.Hash
	for i := range 4 { // the first is the coinbase
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: uint32(i)}, []byte{1, 2}, nil))
		tx.AddTxOut(wire.NewTxOut(1, bytes.Repeat([]byte{0x51}, 50)))
		if i%2 == 0 {
			tx.TxIn[0].Witness = wire.TxWitness{make([]byte, 32)}
		}
		msg.Transactions = append(msg.Transactions, tx)
		ids, wids = append(ids, tx.TxHash()), append(wids, tx.WitnessHash())
	}
	s := &share.Share{Branch: share.MerkleBranch(ids[1:])}
	commitment := share.WitnessCommitment(wids[1:])
	s.Data.WitnessCommitment = commitment[:]
	msg.Header.MerkleRoot = share.MerkleRoot(ids[0], s.Branch)
	s.Header = msg.Header
	var raw bytes.Buffer
	if err := msg.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	solved := &mining.SolvedBlock{Share: s, Raw: mining.RawBlock{raw.Bytes()}}
	b, err := compactBlock(solved)
	if err != nil {
		t.Fatal(err)
	}
	if chainhash.DoubleHashH(b.Coinbase) != ids[0] || len(b.Txs) != 3 {
		t.Errorf("coinbase %x and %d transactions", b.Coinbase, len(b.Txs))
	}
	for i, tx := range b.Txs {
		if tx.TxID != ids[i+1] || tx.WTxID != wids[i+1] || cap(tx.Raw) > 2*len(tx.Raw) {
			t.Errorf("transaction %d: %+v", i, tx)
		}
	}
	for name, change := range map[string]func(){
		"another share": func() { s.Branch = s.Branch[:1] },
		"cut short":     func() { solved.Raw = mining.RawBlock{raw.Bytes()[:raw.Len()-1]} },
		"empty":         func() { solved.Raw = mining.RawBlock{append(make([]byte, 80), 0)} },
	} {
		change()
		if _, err := compactBlock(solved); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
