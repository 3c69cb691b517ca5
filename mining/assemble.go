package mining

import (
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// RawBlock is a serialized Bitcoin block in pieces, the first of which has the header.
// Joining 4 MB takes a millisecond or two, which a found block shouldn't wait for. Nobody
// may change the pieces: they are a template's.
type RawBlock [][]byte

// Size returns the number of bytes.
func (b RawBlock) Size() (n int) {
	for _, piece := range b {
		n += len(piece)
	}
	return n
}

// Bytes returns the block in one piece, which is new.
func (b RawBlock) Bytes() []byte { return slices.Concat(b...) }

// assemble serializes a Bitcoin block of a header, a coinbase without witness, and
// the other transactions in their order. committed says that the coinbase has a
// witness commitment: then it needs the reserved value that goes with it.
func assemble(header *wire.BlockHeader, coinbase []byte, committed bool, txs [][]byte) RawBlock {
	b := share.AppendHeader(make([]byte, 0, 80+9+len(coinbase)+coinbaseWitness), header)
	b = appendVarInt(b, uint64(len(txs)+1))
	if committed {
		b = appendCoinbaseWitness(b, coinbase)
	} else {
		b = append(b, coinbase...)
	}
	return append(append(make(RawBlock, 0, 1+len(txs)), b), txs...)
}

// appendCoinbaseWitness appends a coinbase in the form with witness (BIP 144):
// marker and flag behind the version, and the reserved value of 32 zero bytes
// (BIP 141) before the lock time.
func appendCoinbaseWitness(b, coinbase []byte) []byte {
	const version, lockTime = 4, 4
	b = append(b, coinbase[:version]...)
	b = append(b, 0x00, 0x01)
	b = append(b, coinbase[version:len(coinbase)-lockTime]...)
	b = append(b, 1, chainhash.HashSize)
	b = append(b, make([]byte, chainhash.HashSize)...)
	return append(b, coinbase[len(coinbase)-lockTime:]...)
}

// appendVarInt appends Bitcoin's variable-length integer; a block has fewer than
// 2³² transactions.
func appendVarInt(b []byte, n uint64) []byte {
	switch {
	case n < 0xfd:
		return append(b, byte(n))
	case n <= 0xffff:
		return append(b, 0xfd, byte(n), byte(n>>8))
	}
	return append(b, 0xfe, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}
