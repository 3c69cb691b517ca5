package message

import "github.com/btcsuite/btcd/chainhash/v2"

// NotFound names the ids of a getshares that the sender cannot serve.
type NotFound struct {
	IDs []chainhash.Hash // 1 to MaxGetShares
}

// Command returns "notfound".
func (m *NotFound) Command() string { return CmdNotFound }

// MaxPayload returns the payload's cap in bytes.
func (m *NotFound) MaxPayload() int { return 3 + MaxGetShares*chainhash.HashSize }

// Size returns the payload's length in bytes.
func (m *NotFound) Size() int { return hashesSize(m.IDs) }

// AppendPayload appends the payload to b.
func (m *NotFound) AppendPayload(b []byte) []byte { return appendHashes(b, m.IDs) }

func (m *NotFound) decode(d *decoder) { m.IDs = d.hashes(1, MaxGetShares, "ids") }
