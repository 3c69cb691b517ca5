package connlimit

import (
	"cmp"
	"net/netip"
	"slices"
)

// Address is an address with its connections.
type Address struct {
	Prefix netip.Prefix // of 32 bits, or of 64 for IPv6
	Open   int          // connections
}

// Addresses returns the n addresses with the most connections, the largest first.
// Exempt ones are not known.
func (l *Limiter) Addresses(n int) []Address {
	l.mu.Lock()
	list := make([]Address, 0, max(0, len(l.sources)-l.idle.Len()))
	for prefix, src := range l.sources {
		if src.open > 0 {
			list = append(list, Address{prefix, src.open})
		}
	}
	l.mu.Unlock()
	slices.SortFunc(list, func(a, b Address) int {
		return cmp.Or(b.Open-a.Open, a.Prefix.Addr().Compare(b.Prefix.Addr()))
	})
	return list[:min(n, len(list))]
}
