package connmgr

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/p2poold/p2poold/p2p/addrmgr"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// Limits and times.
const (
	// DefaultFull is the number of outbound connections, as in Bitcoin Core: enough
	// that all of them are an attacker's only if most of the book is.
	DefaultFull = 8
	// FeelerInterval is the mean time between feelers, as in Bitcoin Core. They come
	// at random, so that nobody can foresee whom this node tests when.
	FeelerInterval = 2 * time.Minute
	// ExtraInterval is the time between extra connections while no share comes, as
	// in Bitcoin Core.
	ExtraInterval = 10 * time.Minute
	// minLife is how long a connection must have stood before it can be let go for
	// an extra one: six shares on mainnet.
	minLife = time.Minute
	// BackoffMin is how long an address is left alone after a dial; it doubles with
	// each one in vain, up to BackoffMax.
	BackoffMin = time.Minute
	BackoffMax = time.Hour
	// maxDraws is how many addresses are looked at in one choice: of a book where
	// 95 % don't fit, one that does is found with a probability of 99 %.
	maxDraws = 100
	// minReached is the number of connections that show this node to be online, so
	// that a dial in vain is the other side's fault.
	minReached = 2
)

// Kind says what a connection is for.
type Kind uint8

// The kinds.
const (
	Full   Kind = iota // sync, relay and gossip
	Anchor             // the same, to a peer of the last run
	Extra              // the same, as one too many
	Feeler             // ends after the handshake
)

// String returns the kind as logged.
func (k Kind) String() string {
	return [...]string{"full", "anchor", "extra", "feeler"}[k]
}

// Dial is an outbound connection to be made.
type Dial struct {
	Addr netaddr.Addr
	Kind Kind
}

// Config configures a Chooser.
type Config struct {
	Book *addrmgr.Manager
	Full int // outbound connections to keep; 0: none, and no feelers
	// Rand spreads the feelers; nil: seeded by the operating system.
	Rand *rand.Rand
	// Reachable tells the networks that this node can dial; nil: IPv4 and IPv6.
	Reachable func(netaddr.Network) bool
	// Backoff replaces BackoffMin; 0: not.
	Backoff time.Duration
}

// Chooser decides whom to dial. Make it with New.
type Chooser struct {
	cfg     Config
	slots   map[netaddr.Addr]*slot
	anchors []netaddr.Addr // yet to be dialed
	feeler  time.Time      // when the next is due; zero: not yet decided
	extra   time.Time      // no extra connection before
	stale   bool
}

// slot is a connection, or a dial under way.
type slot struct {
	kind  Kind
	group netaddr.Group
	since time.Time // of its handshake; zero: not yet
}

// New returns a Chooser that dials the book's anchors first.
func New(cfg Config) *Chooser {
	if cfg.Rand == nil {
		cfg.Rand = addrmgr.SystemRand()
	}
	if cfg.Reachable == nil {
		cfg.Reachable = ByIP
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = BackoffMin
	}
	return &Chooser{cfg: cfg, slots: make(map[netaddr.Addr]*slot), anchors: cfg.Book.Anchors()}
}

// ByIP reports whether a network can be dialed without a proxy.
func ByIP(n netaddr.Network) bool { return n == netaddr.IPv4 || n == netaddr.IPv6 }

// Next decides whom to dial now, if anybody. avoid tells addresses that must not
// be: the node's own, and those it is connected to otherwise. What it returns
// takes a slot until Ended is called.
func (c *Chooser) Next(now time.Time, avoid func(netaddr.Addr) bool) (Dial, bool) {
	if c.cfg.Full <= 0 {
		return Dial{}, false
	}
	if c.feeler.IsZero() {
		c.feeler = now.Add(c.pause())
	}
	full := c.count()
	if full < c.cfg.Full {
		for len(c.anchors) > 0 {
			a := c.anchors[0]
			c.anchors = c.anchors[1:]
			if c.fits(a, avoid) {
				return c.take(a, Anchor), true
			}
		}
		if a, ok := c.choose(now, false, c.fits, avoid); ok {
			return c.take(a, Full), true
		}
	} else if c.stale && full == c.cfg.Full && !now.Before(c.extra) {
		c.extra = now.Add(ExtraInterval)
		if a, ok := c.choose(now, false, c.fits, avoid); ok {
			return c.take(a, Extra), true
		}
	}
	if !now.Before(c.feeler) {
		c.feeler = now.Add(c.pause())
		return c.nextFeeler(now, avoid)
	}
	return Dial{}, false
}

// pause returns a time to the next feeler.
func (c *Chooser) pause() time.Duration {
	return time.Duration(c.cfg.Rand.ExpFloat64() * float64(FeelerInterval))
}

// nextFeeler prefers an address in the way of another.
func (c *Chooser) nextFeeler(now time.Time, avoid func(netaddr.Addr) bool) (Dial, bool) {
	for _, s := range c.slots {
		if s.kind == Feeler {
			return Dial{}, false // one at a time
		}
	}
	c.cfg.Book.Resolve()
	if old, ok := c.cfg.Book.Collision(); ok {
		if s := c.slots[old.Addr]; s != nil && !s.since.IsZero() {
			c.cfg.Book.Good(old.Addr, 0) // it answers: there is a connection
		} else if c.free(old.Addr, avoid) {
			return c.take(old.Addr, Feeler), true
		}
	}
	if a, ok := c.choose(now, true, c.free, avoid); ok {
		return c.take(a, Feeler), true
	}
	return Dial{}, false
}

// choose draws an address that fits and whose turn it is.
func (c *Chooser) choose(now time.Time, newOnly bool, fits func(netaddr.Addr, func(netaddr.Addr) bool) bool, avoid func(netaddr.Addr) bool) (netaddr.Addr, bool) {
	for range maxDraws {
		got, ok := c.cfg.Book.Select(newOnly)
		if !ok {
			break
		}
		if fits(got.Addr, avoid) && !now.Before(got.LastTry.Add(c.backoff(got.Fails))) {
			return got.Addr, true
		}
	}
	return netaddr.Addr{}, false
}

// backoff returns how long an address is left alone after so many dials in vain.
func (c *Chooser) backoff(fails int) time.Duration {
	d := c.cfg.Backoff
	for range fails - 1 {
		if d >= BackoffMax {
			return BackoffMax
		}
		d *= 2
	}
	return d
}

// free reports whether an address can be dialed at all.
func (c *Chooser) free(a netaddr.Addr, avoid func(netaddr.Addr) bool) bool {
	return c.slots[a] == nil && c.cfg.Reachable(a.Network()) && !avoid(a)
}

// fits reports whether an address can be dialed and its group has no connection
// yet.
func (c *Chooser) fits(a netaddr.Addr, avoid func(netaddr.Addr) bool) bool {
	group := c.cfg.Book.Group(a)
	for _, s := range c.slots {
		if s.kind != Feeler && s.group == group {
			return false
		}
	}
	return c.free(a, avoid)
}

// take books a dial.
func (c *Chooser) take(a netaddr.Addr, kind Kind) Dial {
	reached := 0
	for _, s := range c.slots {
		if s.kind != Feeler && !s.since.IsZero() {
			reached++
		}
	}
	c.cfg.Book.Attempt(a, reached >= min(minReached, c.cfg.Full))
	c.slots[a] = &slot{kind: kind, group: c.cfg.Book.Group(a)}
	return Dial{a, kind}
}

// count returns the connections and dials but feelers.
func (c *Chooser) count() int {
	n := 0
	for _, s := range c.slots {
		if s.kind != Feeler {
			n++
		}
	}
	return n
}

// Ready notes that a connection got through its handshake.
func (c *Chooser) Ready(now time.Time, a netaddr.Addr) {
	if s := c.slots[a]; s != nil {
		s.since = now
	}
}

// Ended frees the slot of a dial that failed or of a connection that ended.
func (c *Chooser) Ended(a netaddr.Addr) { delete(c.slots, a) }

// SetStale tells whether no new share has come for suspiciously long.
func (c *Chooser) SetStale(stale bool) { c.stale = stale }

// ready returns the connections but feelers that stand since before a time, the
// oldest first.
func (c *Chooser) ready(before time.Time) []netaddr.Addr {
	var list []netaddr.Addr
	for a, s := range c.slots {
		if s.kind != Feeler && !s.since.IsZero() && !s.since.After(before) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b netaddr.Addr) int {
		return cmp.Or(c.slots[a].since.Compare(c.slots[b].since), cmp.Compare(a.String(), b.String()))
	})
	return list
}

// Standing returns the connections, the oldest first: they become the anchors.
func (c *Chooser) Standing(now time.Time) []netaddr.Addr { return c.ready(now) }

// Excess returns the connection to let go if there is one too many: of those that
// have stood for a minute, the one that brought news least lately, and of equals
// the youngest. news tells when a connection last brought a valid new share.
func (c *Chooser) Excess(now time.Time, news func(netaddr.Addr) time.Time) (netaddr.Addr, bool) {
	if len(c.ready(now)) <= c.cfg.Full {
		return netaddr.Addr{}, false
	}
	list := c.ready(now.Add(-minLife))
	if len(list) == 0 {
		return netaddr.Addr{}, false
	}
	slices.Reverse(list)
	return slices.MinFunc(list, func(a, b netaddr.Addr) int { return news(a).Compare(news(b)) }), true
}
