package netsync

import (
	"cmp"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

// wantState is how far a want has come.
type wantState uint8

const (
	wantQueued    wantState = iota // in its peer's queue
	wantAsked                      // in a request under way
	wantVerifying                  // delivered, its verdict is awaited
)

// want is a share to be fetched. There is at most one per id. It names the peer
// whose turn it is; that peer's counters include it.
type want struct {
	id      chainhash.Hash
	seq     uint64 // order of creation
	peer    *peerState
	state   wantState
	sync    bool   // part of a session
	parents uint32 // generations of ancestors to ask for
	tries   int    // peers asked so far
}

// request is a getshares under way. It belongs to the peer that was asked, even
// after a want has moved on: what the peer owes an answer for.
type request struct {
	sync    bool
	offered time.Time // when it was sent, or its wants were last offered to others
	pending map[chainhash.Hash]struct{}
	ids     []chainhash.Hash // of pending at first, in order
}

// addWant queues a share to be asked of the peer unless it is wanted already or
// a limit is reached. What a session needs it takes over from others, so that
// its shares come in order.
func (m *Manager) addWant(p *peerState, id chainhash.Hash, sync bool, parents uint32) {
	if w := m.wants[id]; w != nil {
		if sync && !w.sync && w.state != wantVerifying {
			m.unassign(w)
			w.sync, w.parents = true, parents
			m.assign(w, p)
		}
		return
	}
	limit, total := MaxAnnounced, MaxWants-MaxSyncWants
	if sync {
		limit, total = MaxSyncWants, MaxWants
	}
	if p.wants >= limit || len(m.wants) >= total {
		return
	}
	m.seq++
	w := &want{id: id, seq: m.seq, sync: sync, parents: parents}
	m.wants[id] = w
	m.assign(w, p)
}

// assign puts the want into the peer's queue.
func (m *Manager) assign(w *want, p *peerState) {
	w.peer, w.state = p, wantQueued
	p.wants++
	if w.sync {
		p.syncWants++
	}
	p.queue = append(p.queue, w)
}

// unassign takes the want off its peer's counters. A queue entry goes stale.
func (m *Manager) unassign(w *want) {
	w.peer.wants--
	if w.sync {
		w.peer.syncWants--
	}
	w.peer = nil
}

// forget ends a want.
func (m *Manager) forget(w *want) {
	m.unassign(w)
	delete(m.wants, w.id)
}

// wantsOf returns the wants that name the peer, in the order of their creation.
func (m *Manager) wantsOf(p *peerState) []*want {
	var list []*want
	for _, w := range m.wants {
		if w.peer == p {
			list = append(list, w)
		}
	}
	slices.SortFunc(list, func(a, b *want) int { return cmp.Compare(a.seq, b.seq) })
	return list
}

// retry asks another peer for the share, or the same once more if nobody else
// may have it. After MaxTries, or when it turns out to be here, the want ends.
func (m *Manager) retry(w *want) {
	q := m.alternative(w)
	if q == nil && !w.peer.gone {
		q = w.peer
	}
	w.tries++
	if q == nil || w.tries >= MaxTries || m.chain.Have(w.id) {
		m.forget(w)
		return
	}
	m.unassign(w)
	m.assign(w, q)
	m.flush(q)
}

// alternative returns a peer other than the want's that may have the share: one
// known to, or anybody if it is a missing ancestor, as its descendants are
// widely known. Among several the most responsive is taken.
func (m *Manager) alternative(w *want) *peerState {
	var best *peerState
	for _, q := range m.order {
		if q == w.peer || q.gone || q.wants >= MaxAnnounced {
			continue
		}
		if !q.known.has(w.id) && w.parents == 0 {
			continue
		}
		if best == nil || q.stalls < best.stalls {
			best = q
		}
	}
	return best
}

// flush sends requests for the peer's queue as far as its limits allow.
func (m *Manager) flush(p *peerState) {
	if p.gone {
		return
	}
	for m.mayRequest(p) {
		batch := m.nextBatch(p)
		if len(batch) == 0 {
			return
		}
		m.request(p, batch)
	}
}

// mayRequest reports whether the head of the queue may be asked now.
func (m *Manager) mayRequest(p *peerState) bool {
	for len(p.queue) > 0 {
		w := p.queue[0]
		if w.peer == p && w.state == wantQueued {
			return len(p.requests) < MaxRequests && (!w.sync || p.syncRequests() < MaxSyncRequests)
		}
		p.queue = p.queue[1:] // moved on or ended
	}
	p.queue = nil
	return false
}

// syncRequests returns the number of the session's requests under way.
func (p *peerState) syncRequests() (n int) {
	for _, r := range p.requests {
		if r.sync {
			n++
		}
	}
	return n
}

// nextBatch takes wants of one kind off the head of the queue, as asked. Shares that have
// come by another way meanwhile are not asked for.
func (m *Manager) nextBatch(p *peerState) []*want {
	var batch []*want
	for len(p.queue) > 0 && len(batch) < MaxBatch {
		w := p.queue[0]
		if len(batch) > 0 && (w.sync != batch[0].sync || w.parents != batch[0].parents) {
			break
		}
		p.queue = p.queue[1:]
		switch {
		case w.peer != p || w.state != wantQueued:
		case m.chain.Have(w.id):
			m.forget(w)
		default:
			w.state = wantAsked
			batch = append(batch, w)
		}
	}
	return batch
}

// request sends one getshares.
func (m *Manager) request(p *peerState, batch []*want) {
	r := &request{offered: m.now, sync: batch[0].sync, pending: make(map[chainhash.Hash]struct{}, len(batch))}
	for _, w := range batch {
		r.pending[w.id] = struct{}{}
		r.ids = append(r.ids, w.id)
	}
	m.expectProgress(p)
	p.requests = append(p.requests, r)
	m.send(p, &message.GetShares{IDs: r.ids, Parents: batch[0].parents})
}

// expectProgress starts the peer's stall clock if nothing was under way.
func (m *Manager) expectProgress(p *peerState) {
	if len(p.requests) == 0 && p.locator.IsZero() {
		p.progress = m.now
	}
}

// settle notes that the peer answered for an id, and reports whether it had
// been asked. It is no progress if the peer doesn't have what it named in a
// session itself: else it could go on like that for hours, an id at a time.
func (m *Manager) settle(p *peerState, id chainhash.Hash, delivered bool) bool {
	for i, r := range p.requests {
		if _, ok := r.pending[id]; !ok {
			continue
		}
		delete(r.pending, id)
		if len(r.pending) == 0 {
			p.requests = slices.Delete(p.requests, i, i+1)
		}
		if delivered || !r.sync {
			p.progress, p.stalls = m.now, 0
		}
		return true
	}
	return false
}
