package connmgr

import (
	"math/rand/v2"
	"time"

	"github.com/p2poold/p2poold/p2p/addrmgr"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// Limits and times.
const (
	// DefaultFull is the number of outbound connections, as in Bitcoin Core: enough
	// that all of them are an attacker's only if most of the book is.
	DefaultFull = 8
	// DefaultShareOnly is the number of share-only connections, as of Bitcoin Core's
	// block-relay-only ones. Two are enough to hear of the best chain if all others
	// are an attacker's, and nobody can find out whom they lead to.
	DefaultShareOnly = 2
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
	Full      Kind = iota // sync, relay and gossip
	Anchor                // the same, to a peer of the last run
	Extra                 // the same, as one too many
	ShareOnly             // sync and relay, but not a word about addresses
	Feeler                // ends after the handshake
)

// String returns the kind as logged.
func (k Kind) String() string {
	return [...]string{"full", "anchor", "extra", "share-only", "feeler"}[k]
}

// Dial is an outbound connection to be made.
type Dial struct {
	Addr netaddr.Addr
	Kind Kind
}

// Config configures a Chooser.
type Config struct {
	Book *addrmgr.Manager
	// Full and ShareOnly are the outbound connections to keep. Without Full ones there
	// are no others either, and no feelers.
	Full, ShareOnly int
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
	if d, ok := c.nextAnchor(avoid); ok {
		return d, true
	}
	if kind, ok := c.vacancy(now); ok {
		if a, ok := c.choose(now, false, c.fits, avoid); ok {
			return c.take(a, kind), true
		}
	}
	if !now.Before(c.feeler) {
		c.feeler = now.Add(c.pause())
		return c.nextFeeler(now, avoid)
	}
	return Dial{}, false
}

// nextAnchor dials the anchors in the order in which SetAnchors was told them, for
// as long as there is room. The first ones become share-only again: see Standing.
func (c *Chooser) nextAnchor(avoid func(netaddr.Addr) bool) (Dial, bool) {
	full, shareOnly := c.count()
	for len(c.anchors) > 0 {
		kind := Anchor
		switch {
		case shareOnly < c.cfg.ShareOnly:
			kind = ShareOnly
		case full >= c.cfg.Full:
			return Dial{}, false
		}
		a := c.anchors[0]
		c.anchors = c.anchors[1:]
		if c.fits(a, avoid) {
			return c.take(a, kind), true
		}
	}
	return Dial{}, false
}

// vacancy returns the kind of connection that there is one too few of.
func (c *Chooser) vacancy(now time.Time) (Kind, bool) {
	full, shareOnly := c.count()
	switch {
	case full < c.cfg.Full:
		return Full, true
	case shareOnly < c.cfg.ShareOnly:
		return ShareOnly, true
	case c.stale && full == c.cfg.Full && !now.Before(c.extra):
		c.extra = now.Add(ExtraInterval)
		return Extra, true
	}
	return 0, false
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

// count returns the connections and dials: full ones of all sorts, and share-only
// ones.
func (c *Chooser) count() (full, shareOnly int) {
	for _, s := range c.slots {
		switch s.kind {
		case Feeler:
		case ShareOnly:
			shareOnly++
		default:
			full++
		}
	}
	return full, shareOnly
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
