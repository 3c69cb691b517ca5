package banman

import (
	"container/list"
	"net/netip"
	"time"
)

// table holds entries of one kind, the one that ends first in front.
type table struct {
	entries map[Subject]*list.Element // of order
	order   list.List                 // of Entry, by Until
	bits4   [32 + 1]int               // number of IPv4 entries of each prefix length
	bits6   [128 + 1]int              // the same for IPv6
}

func (t *table) len() int { return len(t.entries) }

// count returns where the prefix length of a subject is counted, nil if it has
// none.
func (t *table) count(s Subject) *int {
	switch {
	case !s.prefix.IsValid():
		return nil
	case s.prefix.Addr().Is4():
		return &t.bits4[s.prefix.Bits()]
	}
	return &t.bits6[s.prefix.Bits()]
}

// put adds an entry, in place of an older one about the same subject. As most
// entries last equally long, its place is near the end.
func (t *table) put(e Entry) {
	t.drop(e.Subject)
	after := t.order.Back()
	for after != nil && after.Value.(Entry).Until.After(e.Until) {
		after = after.Prev()
	}
	if t.entries == nil {
		t.entries = make(map[Subject]*list.Element)
	}
	if after == nil {
		t.entries[e.Subject] = t.order.PushFront(e)
	} else {
		t.entries[e.Subject] = t.order.InsertAfter(e, after)
	}
	if n := t.count(e.Subject); n != nil {
		*n++
	}
}

// drop removes the entry about a subject and reports whether there was one.
func (t *table) drop(s Subject) bool {
	el, ok := t.entries[s]
	if !ok {
		return false
	}
	t.order.Remove(el)
	delete(t.entries, s)
	if n := t.count(s); n != nil {
		*n--
	}
	return true
}

// dropFirst removes the entry that ends first.
func (t *table) dropFirst() { t.drop(t.order.Front().Value.(Entry).Subject) }

// sweep removes what has ended.
func (t *table) sweep(now time.Time) {
	for t.order.Len() > 0 && !t.order.Front().Value.(Entry).Until.After(now) {
		t.dropFirst()
	}
}

// find returns the entry around a subject that ends last, if any stands.
func (t *table) find(s Subject, now time.Time) (found Entry, ok bool) {
	look := func(s Subject) {
		el := t.entries[s]
		if el == nil {
			return
		}
		if e := el.Value.(Entry); e.Until.After(now) && (!ok || e.Until.After(found.Until)) {
			found, ok = e, true
		}
	}
	if !s.prefix.IsValid() {
		look(s)
		return found, ok
	}
	counts := t.bits6[:]
	if s.prefix.Addr().Is4() {
		counts = t.bits4[:]
	}
	for bits, n := range counts[:s.prefix.Bits()+1] {
		if n > 0 {
			look(Subject{prefix: netip.PrefixFrom(s.prefix.Addr(), bits).Masked()})
		}
	}
	return found, ok
}

// appendTo appends the entries to a list.
func (t *table) appendTo(entries []Entry) []Entry {
	for el := t.order.Front(); el != nil; el = el.Next() {
		entries = append(entries, el.Value.(Entry))
	}
	return entries
}
