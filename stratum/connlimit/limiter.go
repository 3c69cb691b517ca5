package connlimit

import (
	"container/list"
	"errors"
	"net/netip"
	"sync"
	"time"
)

const (
	// refillTime is how long an address takes to earn as many new connections as it
	// may have open. All miners of a farm may reconnect at once, as after a restart of
	// the node, and once more half a minute later: their shortest pauses are 10 to 30 s.
	refillTime = 30 * time.Second
	// maxIdle bounds the addresses that are remembered although they have no
	// connection, at some 200 bytes each. A forgotten one may begin anew.
	maxIdle = 16384
	// untriedFor is how long a miner that has logged in may take for its first good
	// submission before it makes room: vardiff finds the difficulty of the slowest device
	// within a minute or two. idleFor is the longest pause of one that has worked before
	// it does: 540 submissions are expected of a device in that time, and ten still of one
	// whose user fixed a difficulty 50 times too high.
	untriedFor = 5 * time.Minute
	idleFor    = 30 * time.Minute
	// networkFactor is how many times the connections of an address an IPv6 network of
	// 48 bits may have. It is what a site gets, with 65,536 networks of 64 bits, but some
	// providers divide it among customers.
	networkFactor = 2
	// sampled is how many connections of a kind, the oldest ones, are looked at to find
	// the one that makes room: enough to meet whoever holds many, and the same time
	// however many there are.
	sampled = 32
	// minPerAddress is the least that an address may have by default.
	minPerAddress = 16
)

// Reasons for a refusal.
var (
	ErrFull        = errors.New("all places for connections are taken")
	ErrAddressFull = errors.New("too many connections from this address")
	ErrTooFast     = errors.New("too many new connections from this address")
)

// DefaultPerAddress is what one address may have of a total: a quarter. A farm behind
// one address fits if the total does; it takes several addresses to use up all places.
func DefaultPerAddress(total int) int {
	return min(total, max(total/4, minPerAddress))
}

// Config is what a Limiter needs.
type Config struct {
	// Total is the most connections, at least 1.
	Total int
	// PerAddress is the most connections of one address. 0 means
	// DefaultPerAddress(Total).
	PerAddress int
	// Exempt are addresses that only Total holds for, besides loopback.
	Exempt []netip.Prefix
	// Now is time.Now if it is nil.
	Now func() time.Time
}

// Limiter counts connections. It is safe for concurrent use.
type Limiter struct {
	cfg Config

	mu       sync.Mutex
	sources  map[netip.Prefix]*source // with connections, or idle
	idle     list.List                // *source without connections, the longest so first; at most maxIdle
	networks map[netip.Prefix]int     // connections of IPv6 networks of 48 bits; none has 0
	unknown  int                      // pending connections whose address is not known yet
	counts   Counts

	// All slots, each in one list by Slot.since, the oldest first.
	pending list.List // not logged in
	untried list.List // logged in, nothing good handed in
	working list.List // something good handed in
}

// source is an address with its connections. Limiter.mu guards it.
type source struct {
	prefix netip.Prefix
	open   int
	tokens float64 // new connections that it may open now
	filled time.Time
	elem   *list.Element // in idle; nil while it has connections
}

// Counts are what a Limiter has seen. All but the first three are since the start.
type Counts struct {
	Open      int // connections
	Pending   int // of those, not logged in yet
	Addresses int // with connections, exempt ones not counted

	Admitted    uint64 // connections that got a slot
	Full        uint64 // refused with ErrFull
	AddressFull uint64 // refused with ErrAddressFull
	TooFast     uint64 // refused with ErrTooFast
	Evicted     uint64 // those that made room
}

// New returns a limiter.
func New(cfg Config) *Limiter {
	if cfg.PerAddress == 0 {
		cfg.PerAddress = DefaultPerAddress(cfg.Total)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Limiter{cfg: cfg, sources: make(map[netip.Prefix]*source), networks: make(map[netip.Prefix]int)}
}

// Total and PerAddress return the limits.
func (l *Limiter) Total() int { return l.cfg.Total }

// PerAddress returns the most connections of one address.
func (l *Limiter) PerAddress() int { return l.cfg.PerAddress }

// Enter takes a slot for a new connection, which is pending from here on. evict is
// called if it has to make room for another, by whoever enters that one: it must close
// the connection without waiting. The error is ErrFull.
func (l *Limiter) Enter(evict func()) (*Slot, error) {
	now := l.cfg.Now()
	slot := &Slot{limiter: l, evict: evict}
	victim, err := l.enter(slot, now)
	if victim != nil {
		victim.evict()
	}
	return slot, err
}

func (l *Limiter) enter(slot *Slot, now time.Time) (victim *Slot, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts.Open >= l.cfg.Total {
		if victim = l.victim(now); victim == nil {
			l.counts.Full++
			return nil, ErrFull
		}
		l.counts.Evicted++
		l.leave(victim)
	}
	l.counts.Open++
	l.counts.Admitted++
	l.unknown++
	slot.move(&l.pending, now)
	return victim, nil
}

// victim returns the connection that makes room, nil if there is none. l.mu must be held.
func (l *Limiter) victim(now time.Time) *Slot {
	if found := l.largest(&l.pending, now); found != nil {
		return found
	}
	if found := l.largest(&l.untried, now.Add(-untriedFor)); found != nil {
		return found
	}
	return l.largest(&l.working, now.Add(-idleFor))
}

// largest returns the connection of the largest address among the oldest ones of a list,
// nil if none is there since limit or before.
func (l *Limiter) largest(list *list.List, limit time.Time) (found *Slot) {
	most := 0
	for e, n := list.Front(), 0; e != nil && n < sampled; e, n = e.Next(), n+1 {
		slot := e.Value.(*Slot)
		if slot.since.After(limit) {
			break
		}
		if open := l.fellows(slot); open > most {
			found, most = slot, open
		}
	}
	return found
}

// fellows is how many connections count for a slot's address, itself included. Those whose
// address is not known yet are taken for one's, an exempt one stands for itself.
func (l *Limiter) fellows(slot *Slot) int {
	switch {
	case slot.source != nil:
		return slot.source.open
	case !slot.known:
		return l.unknown
	}
	return 1
}

// leave gives a slot's place back. l.mu must be held.
func (l *Limiter) leave(slot *Slot) {
	if slot.gone {
		return
	}
	slot.gone = true
	l.counts.Open--
	slot.list.Remove(slot.elem)
	slot.list, slot.elem = nil, nil
	if !slot.known {
		l.unknown--
	}
	if slot.network.IsValid() {
		if l.networks[slot.network]--; l.networks[slot.network] == 0 {
			delete(l.networks, slot.network)
		}
	}
	src := slot.source
	if src == nil {
		return
	}
	if src.open--; src.open > 0 {
		return
	}
	src.elem = l.idle.PushBack(src)
	if l.idle.Len() > maxIdle {
		l.forget(l.idle.Front().Value.(*source))
	}
}

// forget drops an idle source.
func (l *Limiter) forget(src *source) {
	l.idle.Remove(src.elem)
	delete(l.sources, src.prefix)
}

// Counts returns what was seen so far.
func (l *Limiter) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	c.Pending = l.pending.Len()
	c.Addresses = len(l.sources) - l.idle.Len()
	return c
}
