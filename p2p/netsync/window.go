package netsync

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// window is the part of the peer's chain that a session is fetching: its wants in
// the order in which the chain is to judge them. Who delivers early has its shares
// kept here; each remembers its sender, who is to blame for it.
type window struct {
	order []*want // oldest first; may hold wants that ended or left
	next  int     // in order: nothing before is to be asked
	live  int     // wants of the session, at most MaxSyncWants
	bytes int     // of the shares that arrived and are not judged yet, at most MaxWindowBytes

	first *request  // what was last seen to ask for the oldest want,
	since time.Time // and since when
}

// inWindow reports whether a session still needs the want.
func (w *want) inWindow() bool { return w.sync && w.state != wantOver }

// add puts a want at the end.
func (win *window) add(w *want) {
	win.live++
	if len(win.order) >= 2*MaxSyncWants { // most of them ended behind one that didn't
		win.order = slices.DeleteFunc(win.order, func(w *want) bool { return !w.inWindow() })
		win.next = 0
	}
	win.order = append(win.order, w)
}

// hasten moves the want that was added last to the beginning.
func (win *window) hasten() {
	last := len(win.order) - 1
	win.order = slices.Insert(win.order[:last:last], 0, win.order[last])
	win.next = 0
}

// drop takes a want out that has ended or is about to leave.
func (win *window) drop(w *want) {
	win.live--
	win.empty(w)
}

// put keeps a share that has arrived, of that many bytes.
func (win *window) put(w *want, s *share.Share, size int) {
	w.state, w.share, w.size = wantArrived, s, size
	win.bytes += size
}

// empty lets go of what has arrived for a want.
func (win *window) empty(w *want) {
	win.bytes -= w.size
	w.share, w.size = nil, 0
}

// head returns the oldest want, which everything else waits for; nil: none. The time
// that counts is that of the whole request: shares that trickle in are as bad as none.
func (win *window) head(now time.Time) *want {
	for len(win.order) > 0 && !win.order[0].inWindow() {
		win.order = win.order[1:]
		win.next = max(win.next-1, 0)
	}
	if len(win.order) == 0 {
		win.order, win.first = nil, nil
		return nil
	}
	w := win.order[0]
	if w.asked != win.first || win.since.IsZero() {
		win.first, win.since = w.asked, now
	}
	return w
}

// toAsk reports whether something is to be asked.
func (win *window) toAsk() bool {
	for ; win.next < len(win.order); win.next++ {
		if w := win.order[win.next]; w.inWindow() && w.state == wantQueued {
			return true
		}
	}
	return false
}

// requeue puts a session's want back: it is to be asked again. What has arrived for
// it is dropped.
func (m *Manager) requeue(w *want) {
	win := &m.session.window
	win.empty(w)
	win.next = 0
	m.move(w, m.session.peer)
	w.state = wantQueued
}

// release has the chain judge what it can: the oldest shares of the window as far as
// they have arrived. Only one Verify of a session is out at a time, with the
// shares of one sender. Thus nothing that comes after a gap is judged before the
// gap is closed, and if a share turns out to be invalid, the others of its sender are
// all that is lost.
func (m *Manager) release() {
	if len(m.flight) > 0 {
		return
	}
	from := 0
	switch head := m.session.window.head(m.now); {
	case head == nil:
		return
	case head.state != wantArrived:
		if from = m.loose(); from < 0 {
			return
		}
	}
	order := m.session.window.order[from:]
	v := &Verify{From: order[0].peer.id, Sync: true}
	for _, w := range order {
		if !w.inWindow() {
			continue
		}
		if w.state != wantArrived || w.peer.id != v.From || len(v.Shares) == MaxBatch {
			break
		}
		if m.isRoot(w) {
			v.Root = w.id
		}
		w.state = wantVerifying
		m.awaited.add(w.id)
		v.Shares = append(v.Shares, w.share)
	}
	m.flight = slices.Clone(v.Shares)
	m.out = append(m.out, v)
	m.patience = max(m.patience*patienceDecay/100, minPatience)
}

// loose returns the place of a share whose parent is known although older ones don't
// arrive, -1 if there is none. A peer could otherwise keep a new share back from us by
// naming others before it that nobody has. Only a Tick looks for it.
func (m *Manager) loose() int {
	win := &m.session.window
	if !m.ticking || win.bytes == 0 || m.now.Sub(win.since) < RelayTimeout {
		return -1
	}
	return slices.IndexFunc(win.order, func(w *want) bool {
		return w.inWindow() && w.state == wantArrived && m.chain.Have(w.share.Data.Previous)
	})
}

// landed notes that a share of the Verify that is out is done with.
func (m *Manager) landed(s *share.Share) {
	if i := slices.Index(m.flight, s); i >= 0 { // in order: the first
		m.flight = slices.Delete(m.flight, i, i+1)
	}
}

// take keeps a share that a session needs until its turn comes, and reports whether
// it has dealt with it. It takes only what this peer was asked for. The root is
// taken from nobody but the session's peer. What a session that has ended asked for
// is passed on only if it can be placed, perhaps on those before it in its message.
func (m *Manager) take(p *peerState, r *request, id chainhash.Hash, s *share.Share, size int, before []*share.Share) bool {
	if r == nil || !r.sync {
		return false
	}
	w := m.wants[id]
	switch {
	case w == nil:
		return m.chain.Have(id) || !m.chain.Have(s.Data.Previous) && !follows(s, before)
	case !w.sync || m.isRoot(w) && p != m.session.peer:
		return false
	case w.share == nil:
		m.move(w, p)
		m.session.window.put(w, s, size)
	}
	return true
}

// follows reports whether a share stands on one of the last few of a list.
func follows(s *share.Share, list []*share.Share) bool {
	const few = 2 + share.MaxUncles
	list = list[max(len(list)-few, 0):]
	return slices.ContainsFunc(list, func(b *share.Share) bool { return b.ID() == s.Data.Previous })
}
