package addrmgr

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// Sizes of the tables, those of Bitcoin Core, whatever the number of nodes there
// are: what one group can take is a share of the buckets.
const (
	newBuckets   = 1024
	triedBuckets = 256
	bucketSize   = 64

	// newBucketsPerSource is the number of new buckets that addresses told by one
	// source group spread over.
	newBucketsPerSource = 64
	// triedBucketsPerGroup is the number of tried buckets that the addresses of one
	// group spread over.
	triedBucketsPerGroup = 8
	// maxRefs is the number of new buckets that an address told by several sources
	// may be in.
	maxRefs = 8

	// MaxAddrs is the number of addresses in the book.
	MaxAddrs = (newBuckets + triedBuckets) * bucketSize
	// MaxAnchors is the number of anchors: four of ten outbound connections, the two
	// share-only ones among them. The others are drawn afresh, so that an attacker who
	// once has all of them does not keep them for ever.
	MaxAnchors = 4
	// MaxSample is the number of addresses in a Sample: those of one addr message.
	MaxSample = 1000

	// maxCollisions is the number of tried addresses that are being tested before
	// they are evicted; a feeler every two minutes cannot test more in time.
	maxCollisions = 10
)

// Times, those of Bitcoin Core.
const (
	// horizon is the age at which an address is forgotten if a better one needs its
	// place.
	horizon = 30 * 24 * time.Hour
	// maxAhead is how far a time may lie in the future before it is not believed.
	maxAhead = 10 * time.Minute
	// unknownAge is the age given to addresses whose time cannot be believed.
	unknownAge = 5 * 24 * time.Hour
	// hearsayPenalty is taken off the time of an address that others tell of: a
	// node's word about itself is fresher.
	hearsayPenalty = 2 * time.Hour
	// justTried is how long after an attempt an address is unlikely to be chosen
	// again.
	justTried = 10 * time.Minute
	// refreshOnline and refreshOffline are how much later than known an address must
	// have been seen for its time to be renewed.
	refreshOnline  = time.Hour
	refreshOffline = 24 * time.Hour
	// connectedRefresh is how old the time of an address may be before a connection
	// renews it.
	connectedRefresh = 20 * time.Minute
	// replaceAfter is how recently a tried address must have answered, or been
	// dialed, to be judged by that when another wants its slot.
	replaceAfter = 4 * time.Hour
	// testGrace is how long a dial may take before it counts as failed, and
	// testWindow how long a test may be outstanding before it counts as lost.
	testGrace  = time.Minute
	testWindow = 40 * time.Minute

	// maxRetries without any success, or maxFailures since failuresAge, make an
	// address worthless.
	maxRetries  = 3
	maxFailures = 10
	failuresAge = 7 * 24 * time.Hour
)

// Config configures a Manager.
type Config struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Rand makes all choices and the secret key; nil: seeded by the operating
	// system. The Manager's mutex guards its use: it must not be shared.
	Rand *rand.Rand
	// AllowUnroutable admits private and loopback addresses, for networks on one
	// machine. Each of them then is a group by itself.
	AllowUnroutable bool
}

// Manager is the address book. Make it with New or Load.
type Manager struct {
	now     func() time.Time
	allow   bool // unroutable addresses
	groupOf func(netaddr.Addr) netaddr.Group

	mu      sync.Mutex
	rand    *rand.Rand
	key     [32]byte
	entries []entry // by id; id 0 is none
	free    []id    // unused ids
	index   map[netaddr.Addr]id
	order   []id // all in use, in no order, to sample from
	fresh   table
	tried   table
	nTried  int

	collisions []netaddr.Addr // that want a taken tried slot
	lastGood   int64          // when any address last proved good, Unix seconds
	anchors    []netaddr.Addr
}

// id is the place of an entry.
type id int32

// entry is an address with what is known of it. Times are Unix seconds, 0: never.
type entry struct {
	addr     netaddr.Addr
	source   netaddr.Addr // who told first
	services uint64

	seen        int64 // when it was last heard of
	lastTry     int64 // of ours to connect
	lastCounted int64 // the last attempt that counted
	lastGood    int64 // when it last proved good

	attempts int // since lastGood, those that counted
	fails    int // dials in vain in a row, counted or not; not stored

	tried   bool
	refs    int             // new buckets that it is in
	buckets [maxRefs]uint16 // which
	at      int             // in order
}

// New returns an empty book.
func New(cfg Config) *Manager {
	m := &Manager{
		now: cfg.Now, rand: cfg.Rand, allow: cfg.AllowUnroutable,
		entries: make([]entry, 1),
		index:   make(map[netaddr.Addr]id),
		fresh:   newTable(newBuckets),
		tried:   newTable(triedBuckets),
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.rand == nil {
		m.rand = SystemRand()
	}
	m.groupOf = m.groupByPrefix
	for i := range m.key {
		m.key[i] = byte(m.rand.Uint32())
	}
	return m
}

// Group returns the group that an address counts for.
func (m *Manager) Group(a netaddr.Addr) netaddr.Group { return m.groupOf(a) }

func (m *Manager) groupByPrefix(a netaddr.Addr) netaddr.Group {
	if m.allow && !a.IsRoutable() {
		return a.Alone()
	}
	return a.Group()
}

// Usable reports whether the book would take the address: it is of a known
// network, routable or allowed, and has a port where one is needed.
func (m *Manager) Usable(a netaddr.Addr) bool {
	return a.IsValid() && a.HasPort() && (m.allow || a.IsRoutable())
}

// Len returns the numbers of addresses in the new and the tried table.
func (m *Manager) Len() (fresh, tried int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.order) - m.nTried, m.nTried
}

// Contains reports whether the address is in the book.
func (m *Manager) Contains(a netaddr.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.index[a] != 0
}

// Remove forgets an address, as when it turned out to be the node's own.
func (m *Manager) Remove(a netaddr.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.index[a]
	if i == 0 {
		return
	}
	e := &m.entries[i]
	if e.tried {
		b, s := m.triedSlot(a)
		m.tried.clear(b, s)
		e.tried = false
		m.nTried--
	}
	m.takeFromNew(i)
	m.drop(i)
}

// SetAnchors notes the addresses to be dialed first after the next start: those
// of outbound connections, the most wanted first. More than MaxAnchors are left out.
func (m *Manager) SetAnchors(list []netaddr.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.anchors = slices.Clone(list[:min(len(list), MaxAnchors)])
}

// Anchors returns the addresses that SetAnchors noted, before the last Save too.
func (m *Manager) Anchors() []netaddr.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.anchors)
}

// create puts an address into no table yet. The caller holds the mutex.
func (m *Manager) create(e entry) id {
	var i id
	if n := len(m.free); n > 0 {
		i, m.free = m.free[n-1], m.free[:n-1]
	} else {
		i = id(len(m.entries))
		m.entries = append(m.entries, entry{})
	}
	e.at = len(m.order)
	m.order = append(m.order, i)
	m.entries[i] = e
	m.index[e.addr] = i
	return i
}

// drop forgets an address that is in no table any more.
func (m *Manager) drop(i id) {
	e := &m.entries[i]
	last := m.order[len(m.order)-1]
	m.order[e.at], m.entries[last].at = last, e.at
	m.order = m.order[:len(m.order)-1]
	delete(m.index, e.addr)
	*e = entry{}
	m.free = append(m.free, i)
}

// terrible reports whether an address is not worth its place.
func (e *entry) terrible(now int64) bool {
	switch {
	case now-e.lastTry <= secs(testGrace):
		return false // it is being tried
	case e.seen > now+secs(maxAhead), now-e.seen > secs(horizon):
		return true
	case e.lastGood == 0 && e.attempts >= maxRetries:
		return true
	}
	return now-e.lastGood > secs(failuresAge) && e.attempts >= maxFailures
}

func secs(d time.Duration) int64 { return int64(d / time.Second) }
