package main

import (
	"bytes"
	"maps"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/p2p"
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

// TestUnreadableBlocks: each block that peers can't be told of is read and complained about
// once in a while only, however many there are, and forgotten when it is open no more.
func TestUnreadableBlocks(t *testing.T) {
	withHome(t)
	var err error
	n := &node{cfg: mustLoad(t, arguments(t.TempDir(), newFake(t))...), logs: new(logBackend)}
	if n.peers, err = p2p.New(p2p.Config{Params: n.cfg.params, Chain: syncChain{}}); err != nil {
		t.Fatal(err)
	}
	if err := n.buildBitcoin(); err != nil {
		t.Fatal(err)
	}
	defer n.solutions.Close()
	const blocks = 3
	for i := range uint32(blocks) {
		n.solutions.Keep(&mining.SolvedBlock{
			Share: &share.Share{Header: wire.BlockHeader{Nonce: i}, Data: share.Data{BitcoinHeight: i}},
			Raw:   mining.RawBlock{make([]byte, 200)}, Own: true,
		})
	}
	gone := shareID{1}
	o := openBlocks{n: n, failed: map[shareID]time.Time{gone: time.Now()}}
	o.update(t.Context())
	first := maps.Clone(o.failed)
	if _, ok := first[gone]; ok || len(first) != blocks {
		t.Errorf("%d of %d blocks have failed: %v", len(first), blocks, first)
	}
	if o.update(t.Context()); !maps.Equal(o.failed, first) {
		t.Error("a block was read again at once")
	}
}
