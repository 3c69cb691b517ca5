package budget

import (
	"sync"
	"time"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// window is how many pushed shares one address group may bring in some time, with
// the base interval of 10 s between shares.
type window struct {
	shares float64
	in     time.Duration
}

// windows are the limits on pushed shares of one address group; all of them hold.
// The pool mines 0.1 shares a second and some uncles, and each peer of the group may
// push each of them before it knows that we have it; but what we have is not
// counted. So 0.3/s are three times what a chain can bring in the long run. The
// shorter windows leave room for what comes together: when a partition heals, when a
// tip was long in coming, the first 20 of a sync.
var windows = [...]window{
	{10, time.Second},
	{60, time.Minute},
	{180, 10 * time.Minute},
}

// maxGroups is the number of address groups remembered, about 1 MB. An attacker
// would need addresses in as many to have one forgotten before its buckets are full
// again, which is after ten minutes.
const maxGroups = 4096

// Groups limits the shares that are pushed from each address group: /16 of IPv4, /32
// of IPv6. A group's buckets outlive its connections, so that hanging up and coming
// back brings nothing. It is safe for concurrent use.
type Groups struct {
	scale float64 // of the rates

	mu     sync.Mutex
	groups map[netaddr.Group]*group
}

type group struct {
	buckets [len(windows)]Bucket
	used    time.Time
}

// NewGroups returns limits for a chain with that time between shares.
func NewGroups(interval time.Duration) *Groups {
	return &Groups{scale: scaleOf(interval), groups: make(map[netaddr.Group]*group)}
}

// Allow takes one share off a group's budget, and reports false if that has none
// left.
func (g *Groups) Allow(now time.Time, id netaddr.Group) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	state := g.groups[id]
	if state == nil {
		g.makeRoom(now)
		state = new(group)
		for i, w := range windows {
			state.buckets[i] = NewBucket(w.shares/w.in.Seconds()*g.scale, w.shares)
		}
		g.groups[id] = state
	}
	state.used = now
	for i := range state.buckets {
		if !state.buckets[i].Holds(now, 1) {
			return false
		}
	}
	for i := range state.buckets {
		state.buckets[i].Take(now, 1)
	}
	return true
}

// makeRoom forgets groups when there are too many: those whose buckets are full, as
// nothing is lost with them, else the one that was quiet for longest.
func (g *Groups) makeRoom(now time.Time) {
	if len(g.groups) < maxGroups {
		return
	}
	var oldest netaddr.Group
	var since time.Time
	for id, state := range g.groups {
		if state.full(now) {
			delete(g.groups, id)
		} else if since.IsZero() || state.used.Before(since) {
			oldest, since = id, state.used
		}
	}
	if len(g.groups) >= maxGroups {
		delete(g.groups, oldest)
	}
}

func (s *group) full(now time.Time) bool {
	for i := range s.buckets {
		if !s.buckets[i].Full(now) {
			return false
		}
	}
	return true
}

// Len returns the number of groups remembered.
func (g *Groups) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.groups)
}
