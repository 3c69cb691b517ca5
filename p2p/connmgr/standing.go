package connmgr

import (
	"cmp"
	"slices"
	"time"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// ready returns the full connections, or the share-only ones, that stand since
// before a time, the oldest first.
func (c *Chooser) ready(shareOnly bool, before time.Time) []netaddr.Addr {
	var list []netaddr.Addr
	for a, s := range c.slots {
		if s.kind != Feeler && (s.kind == ShareOnly) == shareOnly && !s.since.IsZero() && !s.since.After(before) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b netaddr.Addr) int {
		return cmp.Or(c.slots[a].since.Compare(c.slots[b].since), cmp.Compare(a.String(), b.String()))
	})
	return list
}

// Standing returns the connections that become the anchors, as many as the book
// keeps: the share-only ones, then the full ones, each the oldest first. Nobody can
// find out who the former are by watching how addresses spread, so that an attacker
// who makes this node start again would not know whom to keep busy meanwhile.
func (c *Chooser) Standing(now time.Time) []netaddr.Addr {
	return append(c.ready(true, now), c.ready(false, now)...)
}

// Excess returns the connection to let go if there is one too many: of the full ones
// that have stood for a minute, the one that brought news least lately, and of equals
// the youngest. news tells when a connection last brought a valid new share.
func (c *Chooser) Excess(now time.Time, news func(netaddr.Addr) time.Time) (netaddr.Addr, bool) {
	if len(c.ready(false, now)) <= c.cfg.Full {
		return netaddr.Addr{}, false
	}
	list := c.ready(false, now.Add(-minLife))
	if len(list) == 0 {
		return netaddr.Addr{}, false
	}
	slices.Reverse(list)
	return slices.MinFunc(list, func(a, b netaddr.Addr) int { return news(a).Compare(news(b)) }), true
}
