package budget

import (
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

const (
	// maxExpectedShares bounds the shares awaited from a peer: 25 requests of 128 ids
	// (netsync's MaxRequests and MaxBatch), and the ancestors of one.
	maxExpectedShares = 25*batch + message.MaxShares
	// maxExpected bounds the messages of another type that are awaited: the parts of
	// some answers.
	maxExpected = 256
	// shareTxnParts is in how many messages the answer to a getsharetxn may come: a
	// block of 4 MB in parts of 128 KiB, and one over for each of the longest.
	shareTxnParts = 64
	// expectFor is how long an answer is awaited from the last request on: a peer has
	// stalled after four times 30 s (netsync's MaxStalls and StallTimeout).
	expectFor = 2 * time.Minute
)

// expectation is what is awaited of one type: shares, or messages of another.
type expectation struct {
	n  int
	at time.Time // of the last request
}

func (e *expectation) add(now time.Time, n, most int) {
	e.lapse(now)
	e.n, e.at = min(e.n+n, most), now
}

// use takes at most n off and returns how many were expected.
func (e *expectation) use(now time.Time, n int) int {
	e.lapse(now)
	n = min(n, e.n)
	e.n -= n
	return n
}

func (e *expectation) lapse(now time.Time) {
	if now.Sub(e.at) >= expectFor {
		e.n = 0
	}
}

// wanted returns the type and number of what answers a message: shares are counted
// one by one. Who asks for ancestors may get fewer: what is left over lapses.
func wanted(m message.Message) (command string, n, most int) {
	switch m := m.(type) {
	case *message.Ping:
		return message.CmdPong, 1, maxExpected
	case *message.GetAddr:
		return message.CmdAddr, 1, maxExpected
	case *message.GetLocator:
		return message.CmdInv, 1, maxExpected
	case *message.GetShares:
		n := len(m.IDs) * (1 + int(m.Parents)*(1+share.MaxUncles))
		return message.CmdShares, min(n, message.MaxShares), maxExpectedShares
	case *message.GetShareTxn:
		return message.CmdShareTxn, shareTxnParts, maxExpected
	}
	return "", 0, 0
}
