package message

import "github.com/btcsuite/btcd/chainhash/v2"

// GetShareTxn asks for transactions of a share by their places in the list that
// the receiver sent, or for the whole list by short ids, without a base.
type GetShareTxn struct {
	ID chainhash.Hash // of the share
	// Indexes are ascending places in the list, from 0; none: send the list again,
	// without a base. On the wire each is the distance to the one before, less 1.
	Indexes []int
}

// Command returns "getsharetxn".
func (m *GetShareTxn) Command() string { return CmdGetShareTxn }

// MaxPayload returns the payload's cap in bytes: each distance may have three.
func (m *GetShareTxn) MaxPayload() int { return chainhash.HashSize + 3 + 3*MaxTxs }

// Size returns the payload's length in bytes.
func (m *GetShareTxn) Size() int {
	n := chainhash.HashSize + varintSize(len(m.Indexes))
	last := -1
	for _, i := range m.Indexes {
		n += varintSize(i - last - 1)
		last = i
	}
	return n
}

// AppendPayload appends the payload to b.
func (m *GetShareTxn) AppendPayload(b []byte) []byte {
	b = append(b, m.ID[:]...)
	b = appendVarint(b, uint64(len(m.Indexes)))
	last := -1
	for _, i := range m.Indexes {
		b = appendVarint(b, uint64(i-last-1))
		last = i
	}
	return b
}

func (m *GetShareTxn) decode(d *decoder) {
	m.ID = d.hash()
	n := d.count(0, MaxTxs, 1, "indexes")
	if n == 0 {
		return
	}
	m.Indexes = make([]int, n)
	last := -1
	for i := range m.Indexes {
		last += d.bounded(MaxTxs-2-last, "places further") + 1
		m.Indexes[i] = last
	}
}
