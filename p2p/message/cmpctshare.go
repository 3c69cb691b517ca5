package message

import "github.com/btcsuite/btcd/chainhash/v2"

// CmpctShare names the transactions of a share that was sent before, so that its
// receiver can rebuild the block it would be. A share never waits for them.
type CmpctShare struct {
	ID   chainhash.Hash // of the share
	List TxList
}

// Command returns "cmpctshare".
func (m *CmpctShare) Command() string { return CmdCmpctShare }

// MaxPayload returns the payload's cap in bytes.
func (m *CmpctShare) MaxPayload() int { return chainhash.HashSize + maxTxList }

// Size returns the payload's length in bytes.
func (m *CmpctShare) Size() int { return chainhash.HashSize + m.List.size() }

// AppendPayload appends the payload to b.
func (m *CmpctShare) AppendPayload(b []byte) []byte { return m.List.append(append(b, m.ID[:]...)) }

func (m *CmpctShare) decode(d *decoder) {
	m.ID = d.hash()
	m.List.decode(d)
}
