package solutions

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// salvage finds the block in a file whose line is damaged: it begins where a header has
// the hash that the file is named after, and is whole if its transactions have the
// header's Merkle root. What miners wouldn't see in the block is lost.
func salvage(name string, b []byte) (l fileLine, block []byte, ok bool) {
	var height uint32
	var digits string
	if n, _ := fmt.Sscanf(name, "%d-%64s", &height, &digits); n != 2 {
		return l, nil, false
	}
	hash, err := chainhash.NewHashFromStr(digits)
	if err != nil {
		return l, nil, false
	}
	for i := range min(maxLine, len(b)-blockHeader) {
		if chainhash.DoubleHashH(b[i:i+blockHeader]) == *hash {
			block = b[i:]
			break
		}
	}
	var msg wire.MsgBlock
	r := bytes.NewReader(block)
	if block == nil || msg.Deserialize(r) != nil || r.Len() > 0 || !merkleRootFits(&msg) || checkHeight(block, height) != nil {
		return l, nil, false
	}
	l = fileLine{Record: Record{
		Hash: *hash, Height: height, Time: msg.Header.Timestamp.Unix(), Own: true, Bits: msg.Header.Bits, Status: Pending,
	}, Size: len(block)}
	for _, out := range msg.Transactions[0].TxOut {
		l.Value += out.Value
	}
	return l, block, true
}

// merkleRootFits compares the transactions with the header.
func merkleRootFits(msg *wire.MsgBlock) bool {
	ids := make([]chainhash.Hash, 0, len(msg.Transactions))
	for _, tx := range msg.Transactions {
		ids = append(ids, tx.TxHash())
	}
	return len(ids) > 0 && share.MerkleRoot(ids[0], share.MerkleBranch(ids[1:])) == msg.Header.MerkleRoot
}
