package compact

import (
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

// Early is a peer's list that came before the verdict on its share: another peer's copy
// of the share was under judgement.
type Early struct {
	From PeerID
	List *message.CmpctShare
}

// keepEarly keeps a peer's latest list of a share that is not known to be valid. When
// there are too many the oldest goes: what is lost is the list, not the share.
func (r *Relay) keepEarly(from PeerID, m *message.CmpctShare) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.peers[from] == nil {
		return
	}
	r.early = slices.DeleteFunc(r.early, func(e Early) bool { return e.From == from })
	if len(r.early) >= maxEarly {
		r.early = slices.Delete(r.early, 0, 1)
	}
	r.early = append(r.early, Early{from, m})
}

// TakeEarly returns the lists that came before a share was found valid, each once. They
// are to be given to List then.
func (r *Relay) TakeEarly(id chainhash.Hash) (taken []Early) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.early = slices.DeleteFunc(r.early, func(e Early) bool {
		if e.List.ID == id {
			taken = append(taken, e)
		}
		return e.List.ID == id
	})
	return taken
}
