package message

import (
	"github.com/p2poold/p2poold/blockchain/share"
)

const (
	// MaxCoinbase is the length of the longest coinbase without witness, in bytes:
	// the prefix, the commitment 32, the extranonce and the lock time 4.
	MaxCoinbase = share.MaxCoinbasePrefix + 32 + share.ExtranonceSize + 4
	// minCoinbase is shorter than any.
	minCoinbase = minTx
)

// Block is a share that is a Bitcoin block, with what lets its receiver build the
// block and hand it to a Bitcoin node, even while it cannot judge the share.
type Block struct {
	Share    []byte // as share.Encode gives it
	Coinbase []byte // without witness, 60 to MaxCoinbase bytes
	List     TxList // of the other transactions, with short ids keyed by the share's id
}

// Command returns "block".
func (m *Block) Command() string { return CmdBlock }

// MaxPayload returns the payload's cap in bytes.
func (m *Block) MaxPayload() int {
	return 3 + share.MaxEncodedSize + 3 + MaxCoinbase + maxTxList
}

// Size returns the payload's length in bytes.
func (m *Block) Size() int {
	return varintSize(len(m.Share)) + len(m.Share) + varintSize(len(m.Coinbase)) + len(m.Coinbase) + m.List.size()
}

// AppendPayload appends the payload to b.
func (m *Block) AppendPayload(b []byte) []byte {
	b = append(appendVarint(b, uint64(len(m.Share))), m.Share...)
	b = append(appendVarint(b, uint64(len(m.Coinbase))), m.Coinbase...)
	return m.List.append(b)
}

func (m *Block) decode(d *decoder) {
	m.Share = d.take(d.count(minShare, share.MaxEncodedSize, 1, "bytes of share"))
	m.Coinbase = d.take(d.count(minCoinbase, MaxCoinbase, 1, "bytes of coinbase"))
	m.List.decode(d)
}
