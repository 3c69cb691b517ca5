package connlimit

import (
	"container/list"
	"net/netip"
	"time"
)

// Slot is the place of one connection. Its methods are safe for concurrent use.
type Slot struct {
	limiter *Limiter
	evict   func()

	// Guarded by limiter.mu.
	source  *source      // nil: not known yet, or exempt
	network netip.Prefix // in Limiter.networks; invalid: IPv4, not known yet, or exempt
	known   bool         // Identify was called
	list    *list.List   // pending, untried or working; nil: gone
	elem    *list.Element
	since   time.Time // when it entered, logged in or worked last
	gone    bool      // released or evicted
}

// move puts the slot at the end of a list. limiter.mu must be held.
func (s *Slot) move(to *list.List, now time.Time) {
	if s.list != nil {
		s.list.Remove(s.elem)
	}
	s.list, s.elem, s.since = to, to.PushBack(s), now
}

// Identify counts the connection for its client's address. It is called once; the error is
// ErrAddressFull or ErrTooFast, and the caller must release the slot then. An
// address that is none, as of a pipe, is exempt.
func (s *Slot) Identify(addr netip.Addr) error {
	l := s.limiter
	exempt := l.exempt(addr)
	now := l.cfg.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.gone {
		return ErrFull
	}
	if !s.known {
		s.known = true
		l.unknown--
	}
	if exempt {
		return nil
	}
	network := networkOf(addr)
	src := l.source(prefixOf(addr), now)
	switch {
	case src.open >= l.cfg.PerAddress, network.IsValid() && l.networks[network] >= networkFactor*l.cfg.PerAddress:
		l.counts.AddressFull++
		return ErrAddressFull
	case !src.spend(now, l.cfg.PerAddress):
		l.counts.TooFast++
		return ErrTooFast
	}
	if src.elem != nil {
		l.idle.Remove(src.elem)
		src.elem = nil
	}
	src.open++
	s.source, s.network = src, network
	if network.IsValid() {
		l.networks[network]++
	}
	return nil
}

// source returns the entry of an address, a new one if there is none. A new one is
// idle until its connection is counted.
func (l *Limiter) source(prefix netip.Prefix, now time.Time) *source {
	src := l.sources[prefix]
	if src == nil {
		src = &source{prefix: prefix, tokens: float64(l.cfg.PerAddress), filled: now}
		l.sources[prefix] = src
		src.elem = l.idle.PushBack(src)
		if l.idle.Len() > maxIdle {
			l.forget(l.idle.Front().Value.(*source))
		}
	}
	return src
}

// spend takes a token if there is one.
func (s *source) spend(now time.Time, capacity int) bool {
	perSecond := float64(capacity) / refillTime.Seconds()
	s.tokens = min(float64(capacity), s.tokens+now.Sub(s.filled).Seconds()*perSecond)
	s.filled = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

// Settle tells that the miner has logged in, or cannot be expected to have worked since:
// its time without good work begins anew.
func (s *Slot) Settle() {
	l := s.limiter
	now := l.cfg.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case s.gone:
	case s.list == &l.working:
		s.move(&l.working, now)
	default:
		s.move(&l.untried, now)
	}
}

// Work tells that the miner has handed in good work.
func (s *Slot) Work() {
	l := s.limiter
	now := l.cfg.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !s.gone {
		s.move(&l.working, now)
	}
}

// Release gives the place back. Further calls have no effect.
func (s *Slot) Release() {
	l := s.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leave(s)
}

// exempt reports whether an address is not limited by itself.
func (l *Limiter) exempt(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() || addr.IsLoopback() {
		return true
	}
	for _, p := range l.cfg.Exempt {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// networkOf returns the network of 48 bits of an IPv6 address, an invalid one for others.
func networkOf(addr netip.Addr) netip.Prefix {
	if addr = addr.Unmap().WithZone(""); !addr.Is6() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(addr, 48).Masked()
}

// prefixOf returns what counts as one address.
func prefixOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked()
}
