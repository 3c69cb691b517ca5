package stratum

import (
	"github.com/btcsuite/btcd/chainhash/v2"
)

// Payees says whom jobs pay. It is called once for each new work.
type Payees interface {
	// Turn returns the output scripts that the jobs on a share tip pay: own for
	// usernames that name no address, nil if they are refused, which is always so or
	// never; all, unless it is nil, is paid by every job, such as when a fee has its
	// turn.
	Turn(tip chainhash.Hash) (own, all []byte)
}

// FixedPayee is the Payees of a node with one address and no fees, or, if it is nil,
// with none.
type FixedPayee []byte

// Turn implements Payees.
func (f FixedPayee) Turn(chainhash.Hash) (own, all []byte) { return f, nil }

// turn is whom the jobs of one work pay.
type turn struct{ own, all []byte }

func newTurn(payees Payees, work Work) turn {
	own, all := payees.Turn(work.Tip().ID)
	return turn{own, all}
}

// payee returns the script that a connection's jobs pay; named is what its usernames
// name, nil for no address.
func (t *turn) payee(named []byte) []byte {
	switch {
	case t.all != nil:
		return t.all
	case named != nil:
		return named
	}
	return t.own
}
