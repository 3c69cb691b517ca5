package netsync

import "github.com/btcsuite/btcd/chainhash/v2"

// knownSet remembers the last limit ids added to it; the oldest make room.
type knownSet struct {
	limit int
	set   map[chainhash.Hash]struct{}
	ring  []chainhash.Hash // in order of addition once full: next is the oldest
	next  int
}

func newKnownSet(limit int) *knownSet {
	return &knownSet{limit: limit, set: make(map[chainhash.Hash]struct{})}
}

func (k *knownSet) has(id chainhash.Hash) bool {
	_, ok := k.set[id]
	return ok
}

func (k *knownSet) add(id chainhash.Hash) {
	if k.has(id) {
		return
	}
	k.set[id] = struct{}{}
	if len(k.ring) < k.limit {
		k.ring = append(k.ring, id)
		return
	}
	delete(k.set, k.ring[k.next])
	k.ring[k.next] = id
	k.next = (k.next + 1) % k.limit
}

// remove forgets an id. Its place in the order stays taken.
func (k *knownSet) remove(id chainhash.Hash) { delete(k.set, id) }
