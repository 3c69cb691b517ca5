package message

import (
	"github.com/btcsuite/btcd/chainhash/v2"
)

const (
	// MaxTx is the length of the longest transaction that can be sent, in bytes.
	// Nodes relay none of more than 400,000 weight units; only a miner's own choice
	// makes longer ones, and a block with one of more than this is rebuilt by nobody
	// but those who have it.
	MaxTx = 1_000_000
	// minTx is the length of the shortest transaction in bytes: version 4, counts 2,
	// input 41, output 9, lock time 4.
	minTx = 60
)

// ShareTxn carries transactions that a GetShareTxn asked for, in its order. The
// answer may be parted into several messages.
type ShareTxn struct {
	ID    chainhash.Hash // of the share
	First int            // place of the first transaction in the request's Indexes
	Raw   [][]byte       // 1 or more transactions with their witness, 60 to MaxTx bytes each
}

// Command returns "sharetxn".
func (m *ShareTxn) Command() string { return CmdShareTxn }

// MaxPayload returns the payload's cap in bytes.
func (m *ShareTxn) MaxPayload() int { return chainhash.HashSize + 3 + 1 + 5 + MaxTx }

// Size returns the payload's length in bytes.
func (m *ShareTxn) Size() int {
	n := chainhash.HashSize + varintSize(m.First) + varintSize(len(m.Raw))
	for _, raw := range m.Raw {
		n += varintSize(len(raw)) + len(raw)
	}
	return n
}

// AppendPayload appends the payload to b.
func (m *ShareTxn) AppendPayload(b []byte) []byte {
	b = append(b, m.ID[:]...)
	b = appendVarint(b, uint64(m.First))
	b = appendVarint(b, uint64(len(m.Raw)))
	for _, raw := range m.Raw {
		b = append(appendVarint(b, uint64(len(raw))), raw...)
	}
	return b
}

func (m *ShareTxn) decode(d *decoder) {
	m.ID = d.hash()
	m.First = d.bounded(MaxTxs-1, "requests before the first")
	n := d.count(1, MaxTxs-m.First, 1+minTx, "transactions")
	if n == 0 {
		return
	}
	m.Raw = make([][]byte, 0, n)
	for range n {
		m.Raw = append(m.Raw, d.take(d.count(minTx, MaxTx, 1, "bytes of transaction")))
	}
}
