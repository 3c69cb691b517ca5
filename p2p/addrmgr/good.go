package addrmgr

import (
	"slices"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// Attempt notes that an address is about to be dialed. count tells whether a
// failure is to be held against it: false while this node may itself be offline.
// Of several attempts between two successes with whatever address one counts.
func (m *Manager) Attempt(a netaddr.Addr, count bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.index[a]
	if i == 0 {
		return
	}
	e, now := &m.entries[i], m.now().Unix()
	e.lastTry = now
	e.fails++ // until Good says otherwise
	if count && e.lastCounted <= m.lastGood {
		e.lastCounted = now
		e.attempts++
	}
}

// Good notes that a connection which this node made to the address got through
// its handshake, and moves it to the tried table. If its slot is taken there, the
// one in it is tested first, see Collision. An address that is not in the book is
// taken in, if it is Usable.
func (m *Manager) Good(a netaddr.Addr, services uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.Usable(a) {
		return
	}
	now := m.now().Unix()
	if m.index[a] == 0 {
		m.add(now, &netaddr.Record{Addr: a, Services: services, Seen: uint32(now)}, a)
	}
	m.good(now, a, services, true)
}

// good does the work of Good; test keeps the one whose slot it is until it has
// been tested.
func (m *Manager) good(now int64, a netaddr.Addr, services uint64, test bool) {
	m.lastGood = now
	i := m.index[a]
	if i == 0 {
		return
	}
	e := &m.entries[i]
	e.lastGood, e.lastTry, e.attempts, e.fails = now, now, 0, 0
	e.services |= services
	if e.tried {
		return
	}
	bucket, slot := m.triedSlot(a)
	if old := m.tried.get(bucket, slot); old != 0 {
		if test {
			if len(m.collisions) < maxCollisions && !slices.Contains(m.collisions, a) {
				m.collisions = append(m.collisions, a)
			}
			return
		}
		m.takeFromNew(i) // first, as old may go to a slot of i's
		m.demote(old, bucket, slot)
	}
	m.takeFromNew(i)
	m.tried.set(bucket, slot, i)
	e.tried = true
	m.nTried++
}

// demote moves an address from the tried table back to the new one, where it may
// push out another.
func (m *Manager) demote(i id, bucket, slot int) {
	m.tried.clear(bucket, slot)
	e := &m.entries[i]
	e.tried = false
	m.nTried--
	b, s := m.newSlot(e.addr, e.source)
	m.vacate(b, s)
	m.fresh.set(b, s, i)
	e.buckets[0], e.refs = uint16(b), 1
}

// Connected notes, at the end of a connection, that the address was there until
// now. It is not renewed during a connection, so that what is told to others does
// not show to whom this node is connected.
func (m *Manager) Connected(a netaddr.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.index[a]; i != 0 {
		e, now := &m.entries[i], m.now().Unix()
		if now-e.seen > secs(connectedRefresh) {
			e.seen = now
		}
	}
}

// Collision returns a tried address whose slot another wants: it should be dialed
// to test whether it still answers. It reports false if there is none.
func (m *Manager) Collision() (Candidate, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.collisions) > 0 {
		k := m.rand.IntN(len(m.collisions))
		if old, _ := m.contest(m.collisions[k]); old != 0 {
			return m.candidate(old), true
		}
		m.collisions = slices.Delete(m.collisions, k, k+1)
	}
	return Candidate{}, false
}

// contest returns the tried address in the way of another, and that other; none
// if there is nothing to decide any more.
func (m *Manager) contest(a netaddr.Addr) (old, next id) {
	next = m.index[a]
	if next == 0 || m.entries[next].tried {
		return 0, 0
	}
	return m.tried.get(m.triedSlot(a)), next
}

// Resolve decides the collisions that can be: an address that answered lately
// keeps its slot, one that was dialed in vain loses it.
func (m *Manager) Resolve() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().Unix()
	m.collisions = slices.DeleteFunc(m.collisions, func(a netaddr.Addr) bool {
		old, next := m.contest(a)
		if next == 0 {
			return true
		}
		if old == 0 {
			m.good(now, a, 0, false)
			return true
		}
		o := &m.entries[old]
		switch {
		case now-o.lastGood < secs(replaceAfter):
			return true
		case now-o.lastTry < secs(replaceAfter):
			if now-o.lastTry <= secs(testGrace) {
				return false // the test is under way
			}
		case now-m.entries[next].lastGood <= secs(testWindow):
			return false // it is yet to come
		}
		m.good(now, a, 0, false)
		return true
	})
}
