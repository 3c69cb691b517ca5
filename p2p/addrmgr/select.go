package addrmgr

import (
	"time"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// Candidate is an address to dial.
type Candidate struct {
	Addr    netaddr.Addr
	LastTry time.Time // the zero time: never
	Fails   int       // dials in vain in a row, since the start
}

func (m *Manager) candidate(i id) Candidate {
	e := &m.entries[i]
	c := Candidate{Addr: e.addr, Fails: e.fails}
	if e.lastTry != 0 {
		c.LastTry = time.Unix(e.lastTry, 0)
	}
	return c
}

const (
	// impatience makes each address passed over likelier to be the last one.
	impatience = 1.2
	// maxDraws bounds a choice. It is never reached: the least chance is 0.01 ×
	// 0.66⁸, and 1.2⁴⁴ times that is above 1.
	maxDraws = 64
	// triedOnce is by how much each counted attempt makes an address less likely,
	// to the eighth time.
	triedOnce   = 0.66
	maxTriedFor = 8
)

// Select draws an address to dial, from the new table only or from both. It
// reports false if there is none.
func (m *Manager) Select(newOnly bool) (Candidate, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.order) == m.nTried && (newOnly || m.nTried == 0) {
		return Candidate{}, false
	}
	now, factor := m.now().Unix(), 1.0
	var i id
	for range maxDraws {
		t := &m.fresh
		if !newOnly && m.nTried > 0 && (len(m.order) == m.nTried || m.rand.IntN(2) == 0) {
			t = &m.tried
		}
		i = t.random(m.rand)
		if m.rand.Float64() < factor*m.entries[i].chance(now) {
			break
		}
		factor *= impatience
	}
	return m.candidate(i), true
}

// chance returns how likely an address is to be taken once it is drawn.
func (e *entry) chance(now int64) float64 {
	c := 1.0
	if now-e.lastTry < secs(justTried) {
		c = 0.01
	}
	for range min(e.attempts, maxTriedFor) {
		c *= triedOnce
	}
	return c
}

// Sample draws addresses to tell others: percent of those in the book, but at
// least atLeast and at most MaxSample, without worthless ones.
func (m *Manager) Sample(percent, atLeast int) []netaddr.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().Unix()
	want := min(max(len(m.order)*percent/100, atLeast), MaxSample, len(m.order))
	list := make([]netaddr.Record, 0, want)
	// A shuffle that stops as soon as there is enough; the order is of no meaning.
	for k := 0; k < len(m.order) && len(list) < want; k++ {
		j := k + m.rand.IntN(len(m.order)-k)
		m.order[k], m.order[j] = m.order[j], m.order[k]
		m.entries[m.order[k]].at, m.entries[m.order[j]].at = k, j
		if e := &m.entries[m.order[k]]; !e.terrible(now) {
			list = append(list, netaddr.Record{Addr: e.addr, Services: e.services, Seen: uint32(max(e.seen, 0))})
		}
	}
	return list
}
