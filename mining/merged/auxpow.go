package merged

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// AuxPow proves to a chain that the work on a Bitcoin header is work on its block too:
// the block's hash leads by the chain branch to a root that the coinbase names, and the
// coinbase by its branch to the header's merkle root.
type AuxPow struct {
	Coinbase    []byte           // without witness
	Branch      []chainhash.Hash // of the coinbase, which is the first transaction
	ChainBranch []chainhash.Hash // of the block's hash in the tree of chains
	ChainIndex  uint32           // slot there
	Parent      wire.BlockHeader
}

// Append appends the proof in the form that nodes of the chains read.
func (a *AuxPow) Append(b []byte) []byte {
	b = append(b, a.Coinbase...)
	// Of no use, as the parent follows, and not checked by anybody; the specification
	// wants it.
	parent := a.Parent.BlockHash()
	b = append(b, parent[:]...)
	b = appendBranch(b, a.Branch, 0)
	b = appendBranch(b, a.ChainBranch, a.ChainIndex)
	return share.AppendHeader(b, &a.Parent)
}

// appendBranch appends a merkle branch and the position of its leaf. Neither branch
// has as many as 253 hashes, from where on their number takes more than a byte: the
// coinbase's has share.MaxBranch at most, the chain's maxHeight.
func appendBranch(b []byte, branch []chainhash.Hash, index uint32) []byte {
	b = append(b, byte(len(branch)))
	for i := range branch {
		b = append(b, branch[i][:]...)
	}
	return binary.LittleEndian.AppendUint32(b, index)
}
