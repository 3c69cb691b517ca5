package netsync

import (
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// Answer answers the request of a Serve action: a getlocator with one inv, a
// getshares with shares messages of about 128 KiB, together at most
// maxAnswerBytes, and a notfound for the rest. send delivers a
// message and reports whether to go on; it may block. Answer needs no Manager
// and is safe for concurrent use.
func Answer(c Chain, request message.Message, send func(message.Message) bool) {
	switch r := request.(type) {
	case *message.GetLocator:
		limit := int(min(r.Max, message.MaxInv))
		ids := c.AfterLocator(r.Locator, r.Stop, limit)
		send(&message.Inv{IDs: ids[:min(len(ids), limit)]})
	case *message.GetShares:
		answerShares(c, r, send)
	}
}

func answerShares(c Chain, r *message.GetShares, send func(message.Message) bool) {
	a := answer{send: send, room: maxAnswerBytes}
	for _, item := range plan(c, r) {
		if a.room < share.MaxEncodedSize {
			a.miss(item)
			continue
		}
		raw, err := c.Share(item.id)
		if err != nil {
			a.miss(item)
		} else if !a.add(raw) {
			return
		}
	}
	if a.flush() && len(a.missing) > 0 {
		send(&message.NotFound{IDs: a.missing})
	}
}

// planned is a share to send: asked for by its id, or as an ancestor.
type planned struct {
	id    chainhash.Hash
	asked bool
}

// plan lists what to send, ancestors before descendants, each once.
func plan(c Chain, r *message.GetShares) []planned {
	list := make([]planned, 0, len(r.IDs))
	at := make(map[chainhash.Hash]int, len(r.IDs)) // in list
	add := func(id chainhash.Hash, asked bool) {
		i, ok := at[id]
		if !ok {
			i = len(list)
			at[id] = i
			list = append(list, planned{id: id})
		}
		list[i].asked = list[i].asked || asked
	}
	// Keep room for the ids themselves: those must get an answer. What is left is
	// for ancestors, also those that several ids share: finding them is the work.
	room := max(maxAnswerShares-len(r.IDs), 0)
	for _, id := range r.IDs {
		if _, seen := at[id]; room > 0 && r.Parents > 0 && !seen {
			generations := min(int(min(r.Parents, message.MaxParents)), room) // one share each at least
			ancestors := c.Ancestors(id, generations, r.Stops)
			ancestors = ancestors[:min(len(ancestors), room)] // the nearest
			room -= len(ancestors)
			for _, a := range slices.Backward(ancestors) {
				add(a, false)
			}
		}
		add(id, true)
	}
	return list
}

// answer collects shares into messages.
type answer struct {
	send    func(message.Message) bool
	room    int // payload bytes left in all messages
	batch   [][]byte
	size    int // of batch
	missing []chainhash.Hash
}

// add adds a share and reports whether to go on.
func (a *answer) add(raw []byte) bool {
	a.batch = append(a.batch, raw)
	a.size += len(raw)
	a.room -= len(raw)
	return a.size < answerChunk || a.flush()
}

// miss notes a share that is not sent. Only what was asked for is owed an answer.
func (a *answer) miss(p planned) {
	if p.asked {
		a.missing = append(a.missing, p.id)
	}
}

// flush sends what was collected and reports whether to go on.
func (a *answer) flush() bool {
	if len(a.batch) == 0 {
		return true
	}
	msg := &message.Shares{Raw: a.batch}
	a.batch, a.size = nil, 0
	return a.send(msg)
}
