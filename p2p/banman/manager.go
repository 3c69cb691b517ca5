package banman

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// Limits and times.
const (
	// MaxManual is the number of bans: room for a public list of networks, 5 MB
	// of memory.
	MaxManual = 10_000
	// MaxAutomatic is the number of discouraged addresses, 5 MB of memory. Whoever
	// has more of them than this to spend on pushing his first one out does not
	// need that one any more.
	MaxAutomatic = 10_000
	// MaxReason is the length of a reason in bytes: two lines of a terminal.
	MaxReason = 160
	// DefaultDuration is how long an address is discouraged, and banned if nothing
	// else is said, as in Bitcoin Core.
	DefaultDuration = 24 * time.Hour
)

// lastTime is the end of the year 9999: what is asked to last longer ends then.
const lastTime = 253_402_300_799

// Errors of Ban and Unban.
var (
	ErrBanned    = errors.New("it is banned already; remove that ban first to change it")
	ErrNotBanned = errors.New("it is not on the list")
	ErrPast      = errors.New("the ban would end before it begins")
	ErrFull      = fmt.Errorf("there are %d bans already; remove some, or ban networks instead of addresses", MaxManual)
)

// Entry is a ban or a discouragement.
type Entry struct {
	Subject   Subject
	Automatic bool      // a discouragement, not a ban
	Created   time.Time // whole seconds, as the next
	Until     time.Time // the end
	Reason    string    // printable ASCII, at most MaxReason bytes
}

// Config configures a Manager.
type Config struct {
	// Path is the file to keep the list in; empty: in memory only.
	Path string
	// Duration is how long an address is discouraged; 0: nobody is, and what the
	// file has of it is forgotten.
	Duration time.Duration
	Now      func() time.Time // nil: time.Now
}

// Manager is the list. Make it with New or Load.
type Manager struct {
	cfg Config

	saving sync.Mutex // held by Save; before mu

	mu        sync.Mutex
	manual    table
	automatic table
	changed   bool // since the last Save
}

// New returns an empty list.
func New(cfg Config) *Manager {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Manager{cfg: cfg}
}

// now returns the time in whole seconds, as the file has them.
func (m *Manager) now() time.Time { return time.Unix(m.cfg.Now().Unix(), 0) }

// Ban adds a ban. The error is ErrBanned, ErrPast or ErrFull.
func (m *Manager) Ban(s Subject, until time.Time, reason string) error {
	now := m.now()
	e := Entry{Subject: s, Created: now, Until: wholeSeconds(until), Reason: tidy(reason)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.manual.sweep(now)
	switch {
	case !e.Until.After(now):
		return ErrPast
	case m.manual.entries[s] != nil:
		return ErrBanned
	case m.manual.len() >= MaxManual:
		return ErrFull
	}
	m.manual.put(e)
	m.changed = true
	return nil
}

// wholeSeconds cuts a time to what the file can have.
func wholeSeconds(t time.Time) time.Time { return time.Unix(max(0, min(t.Unix(), lastTime)), 0) }

// Unban removes what there is about exactly this subject, a ban or a
// discouragement or both. The error wraps ErrNotBanned, and names the network
// around it that is banned, if any.
func (m *Manager) Unban(s Subject) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.sweep(now)
	banned, discouraged := m.manual.drop(s), m.automatic.drop(s)
	if banned || discouraged {
		m.changed = true
		return nil
	}
	for _, t := range []*table{&m.manual, &m.automatic} {
		if e, ok := t.find(s, now); ok {
			return fmt.Errorf("%v: %w, but is part of %v, which is", s, ErrNotBanned, e.Subject)
		}
	}
	return fmt.Errorf("%v: %w", s, ErrNotBanned)
}

// Clear removes everything.
func (m *Manager) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.manual, m.automatic = table{}, table{}
	m.changed = true
}

// Discourage notes that a node at an address broke a rule. It returns the entry,
// and false if violations have no consequences.
func (m *Manager) Discourage(a netaddr.Addr, reason string) (Entry, bool) {
	now := m.now()
	e := Entry{Subject: Unit(a), Automatic: true, Created: now, Until: wholeSeconds(now.Add(m.cfg.Duration)), Reason: tidy(reason)}
	if !e.Subject.IsValid() || !e.Until.After(now) {
		return Entry{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.automatic.sweep(now)
	m.automatic.put(e)
	if m.automatic.len() > MaxAutomatic {
		m.automatic.dropFirst()
	}
	m.changed = true
	return e, true
}

// Banned returns the ban that an address is under, of several the one that ends
// last.
func (m *Manager) Banned(a netaddr.Addr) (Entry, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.manual.find(Host(a), m.now())
}

// Discouraged returns the discouragement of an address.
func (m *Manager) Discouraged(a netaddr.Addr) (Entry, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.automatic.find(Host(a), m.now())
}

// List returns all entries that have not ended, by subject, bans first.
func (m *Manager) List() []Entry {
	m.mu.Lock()
	entries := m.list()
	m.mu.Unlock()
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b2i(a.Automatic), b2i(b.Automatic)), compare(a.Subject, b.Subject))
	})
	return entries
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// list returns all entries by their end. The caller holds the mutex.
func (m *Manager) list() []Entry {
	m.sweep(m.now())
	return m.automatic.appendTo(m.manual.appendTo(make([]Entry, 0, m.manual.len()+m.automatic.len())))
}

// sweep removes what has ended. The caller holds the mutex.
func (m *Manager) sweep(now time.Time) {
	m.manual.sweep(now)
	m.automatic.sweep(now)
}

// tidy makes a reason printable, as it may have words of a peer in it, and cuts
// it to MaxReason bytes.
func tidy(reason string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, reason[:min(len(reason), MaxReason)])
}
