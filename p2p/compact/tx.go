package compact

import (
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/rawtx"
	"github.com/p2poold/p2poold/blockchain/share"
)

// Tx is a transaction. It is immutable.
type Tx struct {
	Raw         []byte         // with its witness
	TxID, WTxID chainhash.Hash // without and with the witness (BIP 141)
}

// ErrTxn is the kind of what is no transaction, or not the one that was asked for.
const ErrTxn share.ErrorKind = "ErrTxn"

// ParseTx reads a transaction and computes its ids. raw is kept. Every error is a
// share.RuleError.
func ParseTx(raw []byte) (*Tx, error) {
	info, err := rawtx.Parse(raw)
	if err != nil {
		return nil, share.RuleError{Kind: ErrTxn, Description: fmt.Sprintf("%d bytes: %v", len(raw), err)}
	}
	return &Tx{Raw: raw, TxID: info.TxID, WTxID: info.WTxID}, nil
}
