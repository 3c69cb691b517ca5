package budget

import (
	"sync"
	"time"
)

// maxHosts is the number of hosts remembered: 2.7 kB for one that has sent all types
// of messages, 11 MB in all. Who has as many addresses to have one forgotten has as
// many fresh budgets anyway.
const maxHosts = 4096

// Hosts remembers what ended connections have left of their budgets, by host, so that
// hanging up and coming back brings nothing. It is safe for concurrent use.
//
// Connections of a host that are there at the same time have a budget each: they may
// be different nodes behind one address. A new one begins with what those that have
// ended left, which time has refilled since.
type Hosts struct {
	interval time.Duration
	patience time.Duration

	mu    sync.Mutex
	hosts map[string]*remains
}

// remains is what a host has left. Buckets that are full are left out, and those of
// greetings: a node whose link is bad comes back again and again.
type remains struct {
	lanes         map[string]*lane
	verify, serve Bucket
	whole         time.Time // when all of it is full again
}

// NewHosts returns a memory for a chain with that time between shares.
func NewHosts(interval time.Duration) *Hosts {
	return &Hosts{interval: interval, patience: Patience, hosts: make(map[string]*remains)}
}

// SetPatience has budgets made from now on be out of patience sooner, for tests.
func (h *Hosts) SetPatience(d time.Duration) { h.patience = d }

// New returns the budget of a new connection of a host.
func (h *Hosts) New(now time.Time, host string) *Budget {
	b := New(h.interval)
	b.patience = h.patience
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.hosts[host]
	if r == nil {
		return b
	}
	if !now.Before(r.whole) {
		delete(h.hosts, host)
		return b
	}
	for command, l := range r.lanes {
		own := *l
		b.lanes[command] = &own
	}
	b.verify, b.serve = r.verify, r.serve
	return b
}

// End notes what the budget of a connection of a host was when that ended. Of several
// the least counts.
func (h *Hosts) End(now time.Time, host string, b *Budget) {
	b.mu.Lock()
	r := &remains{lanes: make(map[string]*lane), verify: b.verify, serve: b.serve}
	for command, l := range b.lanes {
		if own := *l; !own.greeting && (own.messages.FullAt(now).After(now) || own.bytes.FullAt(now).After(now)) {
			r.lanes[command] = &own
		}
	}
	b.mu.Unlock()

	h.mu.Lock()
	defer h.mu.Unlock()
	if old := h.hosts[host]; old != nil {
		r.merge(now, old)
	}
	if r.settle(now); !r.whole.After(now) {
		delete(h.hosts, host)
		return
	}
	if h.hosts[host] == nil {
		h.makeRoom(now)
	}
	h.hosts[host] = r
}

// merge takes from other what is less there.
func (r *remains) merge(now time.Time, other *remains) {
	for command, l := range other.lanes {
		own := r.lanes[command]
		if own == nil {
			r.lanes[command] = l
			continue
		}
		own.messages.Lower(now, &l.messages)
		own.bytes.Lower(now, &l.bytes)
	}
	r.verify.Lower(now, &other.verify)
	r.serve.Lower(now, &other.serve)
}

// settle computes when all is full again.
func (r *remains) settle(now time.Time) {
	r.whole = now
	later := func(t time.Time) {
		if t.After(r.whole) {
			r.whole = t
		}
	}
	for _, l := range r.lanes {
		later(l.messages.FullAt(now))
		later(l.bytes.FullAt(now))
	}
	later(r.verify.FullAt(now))
	later(r.serve.FullAt(now))
}

// makeRoom forgets hosts when there are too many: those whose budgets are full, as
// nothing is lost with them, else the one that would be so first.
func (h *Hosts) makeRoom(now time.Time) {
	if len(h.hosts) < maxHosts {
		return
	}
	var next string
	var first time.Time
	for host, r := range h.hosts {
		if !r.whole.After(now) {
			delete(h.hosts, host)
		} else if first.IsZero() || r.whole.Before(first) {
			next, first = host, r.whole
		}
	}
	if len(h.hosts) >= maxHosts {
		delete(h.hosts, next)
	}
}

// Len returns the number of hosts remembered.
func (h *Hosts) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.hosts)
}
