package addrmgr

import (
	"slices"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// Add takes addresses that a source told of: a node, or a stand-in made with
// netaddr.Named. It passes over those that are not Usable, and disbelieves times
// in the future. It returns how many were not in the book before and are now.
func (m *Manager) Add(list []netaddr.Record, source netaddr.Addr) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, added := m.now().Unix(), 0
	for i := range list {
		if m.Usable(list[i].Addr) && m.add(now, &list[i], source) {
			added++
		}
	}
	return added
}

func (m *Manager) add(now int64, r *netaddr.Record, source netaddr.Addr) bool {
	seen := int64(r.Seen)
	if seen > now+secs(maxAhead) || seen == 0 {
		seen = now - secs(unknownAge)
	}
	if r.Addr.WithPort(0) != source.WithPort(0) { // its own connections have other ports
		seen -= secs(hearsayPenalty)
	}
	i := m.index[r.Addr]
	if i != 0 {
		if !m.renew(now, &m.entries[i], seen, r.Services) {
			return false
		}
	} else {
		i = m.create(entry{addr: r.Addr, source: source, services: r.Services, seen: seen})
	}
	fresh := m.entries[i].refs == 0
	m.place(now, i, source)
	if m.entries[i].refs == 0 {
		m.drop(i)
		return false
	}
	return fresh
}

// renew notes what is told of a known address, and reports whether it should be
// put into one more bucket: the more it has, the less likely.
func (m *Manager) renew(now int64, e *entry, seen int64, services uint64) bool {
	interval := secs(refreshOffline)
	if now-seen < secs(refreshOffline) {
		interval = secs(refreshOnline)
	}
	later := seen > e.seen
	if e.seen < seen-interval {
		e.seen = seen
	}
	e.services |= services
	if !later || e.tried || e.refs == maxRefs {
		return false
	}
	return m.rand.IntN(1<<e.refs) == 0
}

// place puts an address into the bucket of the new table that it has by this
// source, if the slot is free or what is there may go.
func (m *Manager) place(now int64, i id, source netaddr.Addr) {
	e := &m.entries[i]
	bucket, slot := m.newSlot(e.addr, source)
	if there := m.fresh.get(bucket, slot); there != 0 {
		old := &m.entries[there]
		if there == i || !old.terrible(now) && (old.refs <= 1 || e.refs > 0) {
			return
		}
		m.vacate(bucket, slot)
	}
	m.fresh.set(bucket, slot, i)
	e.buckets[e.refs] = uint16(bucket)
	e.refs++
}

// vacate frees a slot of the new table and forgets its address if it has no
// other.
func (m *Manager) vacate(bucket, slot int) {
	i := m.fresh.get(bucket, slot)
	if i == 0 {
		return
	}
	m.fresh.clear(bucket, slot)
	e := &m.entries[i]
	k := slices.Index(e.buckets[:e.refs], uint16(bucket))
	e.refs--
	e.buckets[k] = e.buckets[e.refs]
	if e.refs == 0 && !e.tried {
		m.drop(i)
	}
}

// takeFromNew frees all slots that an address has in the new table, without
// forgetting it.
func (m *Manager) takeFromNew(i id) {
	e := &m.entries[i]
	for _, bucket := range e.buckets[:e.refs] {
		m.fresh.clear(int(bucket), m.slotIn(forNewSlot, int(bucket), e.addr))
	}
	e.refs = 0
}
