package netsync

import (
	"cmp"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// wantState is how far a want has come.
type wantState uint8

const (
	wantQueued    wantState = iota // in its peer's queue or in the window, not asked
	wantAsked                      // in a request under way
	wantArrived                    // a session's: delivered, waits for those before it
	wantVerifying                  // delivered, its verdict is awaited
	wantOver                       // ended
)

// want is a share to be fetched. There is at most one per id. It names the peer
// whose turn it is, or who delivered it; that peer's counters include it. As long
// as nobody is asked for a session's want, that is the session's peer.
type want struct {
	id      chainhash.Hash
	seq     uint64 // order of creation
	peer    *peerState
	state   wantState
	sync    bool   // part of a session
	parents uint32 // generations of ancestors to ask for
	tries   int    // peers asked so far

	// Of a session:
	own   bool         // another than its peer has denied it: only that one is asked
	asked *request     // what last asked for it
	share *share.Share // what has arrived, until the verdict
	size  int          // of its encoding, bytes
}

// request is a getshares under way. It belongs to the peer that was asked, even
// after a want has moved on: what the peer owes an answer for.
type request struct {
	sync    bool
	owed    bool // a session's wants were given to others, as it took too long
	denied  bool // a notfound was part of the answer
	sent    time.Time
	offered time.Time // when it was sent, or its wants were last offered to others
	pending map[chainhash.Hash]struct{}
	ids     []chainhash.Hash // of pending at first, in order
}

// addWant queues a share to be asked of the peer unless it is wanted already or
// a limit is reached. What a session needs it takes over from others, so that
// its shares come in order. It reports whether the share is wanted now.
func (m *Manager) addWant(p *peerState, id chainhash.Hash, sync bool, parents uint32) bool {
	if w := m.wants[id]; w != nil {
		if sync && !w.sync && w.state != wantVerifying && m.session.window.live < MaxSyncWants {
			m.unassign(w)
			w.sync, w.parents = true, parents
			m.session.window.add(w)
			m.assign(w, p)
		}
		return !sync || w.sync || w.state == wantVerifying
	}
	if sync {
		p = m.session.peer
	}
	count, limit, total := p.wants-p.syncWants, MaxAnnounced, MaxWants-MaxSyncWants
	if sync {
		count, limit, total = m.session.window.live, MaxSyncWants, MaxWants
	}
	if count >= limit || len(m.wants) >= total {
		return false
	}
	m.seq++
	w := &want{id: id, seq: m.seq, sync: sync, parents: parents}
	m.wants[id] = w
	if sync {
		m.session.window.add(w)
	}
	m.assign(w, p)
	return true
}

// assign gives the want to a peer; a session's stays in the window, others go into
// the peer's queue.
func (m *Manager) assign(w *want, p *peerState) {
	w.peer, w.state = p, wantQueued
	p.wants++
	if w.sync {
		p.syncWants++
	} else {
		p.queue = append(p.queue, w)
	}
}

// unassign takes the want off its peer's counters. A queue entry goes stale.
func (m *Manager) unassign(w *want) {
	w.peer.wants--
	if w.sync {
		w.peer.syncWants--
	}
	w.peer = nil
}

// move names another peer in a session's want.
func (m *Manager) move(w *want, p *peerState) {
	if w.peer != p {
		state := w.state
		m.unassign(w)
		m.assign(w, p)
		w.state = state
	}
}

// forget ends a want.
func (m *Manager) forget(w *want) {
	if w.sync {
		m.session.window.drop(w)
	}
	m.unassign(w)
	w.state = wantOver
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
// may have it. After MaxTries, or when it turns out to be here, the want ends. A
// session's goes back into the window instead.
func (m *Manager) retry(w *want) {
	if w.sync {
		m.requeue(w)
		return
	}
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
		if q == w.peer || q.gone || q.wants-q.syncWants >= MaxAnnounced {
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
	for len(p.requests) < MaxRequests {
		batch := m.nextBatch(p)
		if len(batch) == 0 {
			return
		}
		m.request(p, batch)
	}
}

// nextBatch takes wants of one kind off the head of the queue, as asked. Shares that have
// come by another way meanwhile are not asked for.
func (m *Manager) nextBatch(p *peerState) []*want {
	var batch []*want
	for len(p.queue) > 0 && len(batch) < MaxBatch {
		w := p.queue[0]
		stale := w.peer != p || w.state != wantQueued || w.sync // moved on or ended
		if !stale && len(batch) > 0 && w.parents != batch[0].parents {
			break
		}
		p.queue = p.queue[1:]
		switch {
		case stale:
		case m.chain.Have(w.id):
			m.forget(w)
		default:
			batch = append(batch, w)
		}
	}
	if len(p.queue) == 0 {
		p.queue = nil
	}
	return batch
}

// request sends one getshares.
func (m *Manager) request(p *peerState, batch []*want) {
	r := &request{sent: m.now, offered: m.now, sync: batch[0].sync, pending: make(map[chainhash.Hash]struct{}, len(batch))}
	for _, w := range batch {
		w.state, w.asked = wantAsked, r
		r.pending[w.id] = struct{}{}
		r.ids = append(r.ids, w.id)
	}
	m.expectProgress(p)
	p.requests = append(p.requests, r)
	m.send(p, &message.GetShares{IDs: r.ids, Parents: batch[0].parents})
}

// syncRequests returns the number of the peer's requests of sessions under way.
func (p *peerState) syncRequests() (n int) {
	for _, r := range p.requests {
		if r.sync {
			n++
		}
	}
	return n
}

// expectProgress starts the peer's stall clock if nothing was under way.
func (m *Manager) expectProgress(p *peerState) {
	if len(p.requests) == 0 && p.locator.IsZero() {
		p.progress = m.now
	}
}

// settle notes that the peer answered for an id, and returns the request that had
// asked for it, nil if none had. It is no progress if the peer doesn't have what it
// named in a session itself: else it could go on like that for hours, an id at a
// time.
func (m *Manager) settle(p *peerState, id chainhash.Hash, delivered bool) *request {
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
		return r
	}
	return nil
}
