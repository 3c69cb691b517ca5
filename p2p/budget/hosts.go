package budget

import (
	"sync"
	"time"
)

// maxInherited is how long a new connection waits at most for what ended ones of its host have
// taken of their own time. They may owe minutes, as time is charged when it is spent, and the
// next one may be of an honest neighbour behind the same address, who misses one share of
// the chain at worst then. Whoever leaves his debt behind that way is held back by what his
// shares have in bytes: at 0.8 kB and 0.3 ms each, eight connections with all that there is
// for them, 128 KiB/s, take 50 ms/s at most (35 in TestHostsLeaveDebts), where 20 ms/s are
// theirs. Answers never leave a debt as long: one takes 60 ms, and has 75 ms/s.
const maxInherited = 10 * time.Second

// maxHosts is the number of hosts remembered: 2.7 kB for one that has sent all types
// of messages, 11 MB in all. Who has as many addresses to have one forgotten has as
// many fresh budgets anyway.
const maxHosts = 4096

// Hosts gives all connections of a host one budget together, and remembers what it was
// when they have ended, so that neither many connections nor hanging up and coming back
// brings much. It is safe for concurrent use.
//
// There may be several nodes behind one address, and one of them may be hostile. So each
// connection has an eighth of a budget to itself, empty at first, for when the others
// have spent what they share. A host with eight connections thus gets twice what one with
// a single one does, in the long run, and at once when they have been idle for a while.
type Hosts struct {
	interval time.Duration
	patience time.Duration

	mu    sync.Mutex // before an account's
	hosts map[string]*account
}

// NewHosts returns a memory for a chain with that time between shares.
func NewHosts(interval time.Duration) *Hosts {
	return &Hosts{interval: interval, patience: Patience, hosts: make(map[string]*account)}
}

// SetPatience has budgets made from now on be out of patience sooner, for tests.
func (h *Hosts) SetPatience(d time.Duration) { h.patience = d }

// New returns the budget of a new connection of a host. End must follow.
func (h *Hosts) New(now time.Time, host string) *Budget {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.hosts[host]
	if a == nil {
		h.makeRoom(now)
		a = &account{host: host, purse: newPurse(h.interval, 1, time.Time{})}
		h.hosts[host] = a
	}
	a.mu.Lock()
	a.beside = a.conns > 0 || now.Before(a.whole)
	a.mu.Unlock()
	a.conns++
	b := newBudget(a)
	b.patience, b.own = h.patience, newPurse(h.interval, ownPart, now)
	for i, c := range clocks {
		b.own.owe(now, c, earlier(a.settled[i], now.Add(maxInherited)))
	}
	return b
}

// End notes that the connection has ended that a budget is of.
func (h *Hosts) End(now time.Time, b *Budget) {
	a := b.account
	h.mu.Lock()
	defer h.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, c := range clocks {
		a.settled[i] = later(a.settled[i], now.Add(b.own.time(c).Wait(now)))
	}
	if a.conns--; a.conns > 0 {
		return
	}
	a.whole = a.purse.shed(now)
	for _, until := range a.settled {
		a.whole = later(a.whole, until)
	}
	if !a.whole.After(now) {
		delete(h.hosts, a.host)
	}
}

// makeRoom forgets hosts when there are too many: of those without a connection those
// whose budgets are full, as nothing is lost with them, else the one that would be so
// first.
func (h *Hosts) makeRoom(now time.Time) {
	if len(h.hosts) < maxHosts {
		return
	}
	var next *account
	for host, a := range h.hosts {
		switch {
		case a.conns > 0:
		case !a.whole.After(now):
			delete(h.hosts, host)
		case next == nil || a.whole.Before(next.whole):
			next = a
		}
	}
	if len(h.hosts) >= maxHosts && next != nil {
		delete(h.hosts, next.host)
	}
}

// Len returns the number of hosts remembered.
func (h *Hosts) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.hosts)
}
