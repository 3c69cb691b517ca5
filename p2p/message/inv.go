package message

import "github.com/btcsuite/btcd/chainhash/v2"

// MaxInv is the number of ids in one inv: at 10 s a share, five and a half
// hours of the sharechain.
const MaxInv = 2000

// Inv names shares that the sender has: new ones, or in answer to a getlocator
// the main chain's, oldest first and uncles before their nephews. An answer
// with no ids says that the asker has everything.
type Inv struct {
	IDs []chainhash.Hash // at most MaxInv
}

// Command returns "inv".
func (m *Inv) Command() string { return CmdInv }

// MaxPayload returns the payload's cap in bytes.
func (m *Inv) MaxPayload() int { return 3 + MaxInv*chainhash.HashSize }

// Size returns the payload's length in bytes.
func (m *Inv) Size() int { return hashesSize(m.IDs) }

// AppendPayload appends the payload to b.
func (m *Inv) AppendPayload(b []byte) []byte { return appendHashes(b, m.IDs) }

func (m *Inv) decode(d *decoder) { m.IDs = d.hashes(0, MaxInv, "ids") }
