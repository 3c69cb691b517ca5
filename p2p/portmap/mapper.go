package portmap

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/decred/slog"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// Config configures a Mapper.
type Config struct {
	UPnP, NATPMP bool   // which to use; of both NAT-PMP is tried first
	Port         uint16 // that the node listens on, TCP
	// Local is the address that the node listens on; zero or unspecified: all of
	// this machine's.
	Local netip.Addr
	// OnChange is called, if not nil, when there is another mapping, or none any
	// more: then with the zero Mapping. It is called from Run, and not at its end.
	OnChange func(Mapping)
	Log      slog.Logger // nil: silent
}

// Mapping is a port that a router forwards.
type Mapping struct {
	Protocol string // "NAT-PMP" or "UPnP"; "": none
	Port     uint16 // on the router
	// Addr is the router's address on the Internet; invalid if it is not known, or
	// is not routable, as behind a second router.
	Addr netip.Addr
}

// State is what a Mapper has reached.
type State struct {
	Mapping       // zero: none
	Err     error // of the last attempt; nil: it succeeded, or is under way
}

// protocol is a way to ask a router.
type protocol interface {
	name() string
	// add makes or renews a mapping, if possible of the wanted port on the router.
	add(ctx context.Context, want uint16) (grant, error)
	// remove ends the mapping of a port on the router.
	remove(ctx context.Context, port uint16) error
}

// grant is what a router gave.
type grant struct {
	port  uint16
	addr  netip.Addr // of the router on the Internet, invalid if it doesn't tell
	lease time.Duration
}

// Mapper keeps a port mapped. Make it with New, then call Run.
type Mapper struct {
	cfg       Config
	protocols []protocol

	// Those of Run only.
	current protocol  // that made the mapping; nil: none
	expires time.Time // the mapping
	failed  bool      // the last attempt: it has been logged

	mu    sync.Mutex
	state State
}

// New returns a Mapper that does nothing yet.
func New(cfg Config) *Mapper {
	if cfg.Log == nil {
		cfg.Log = slog.Disabled
	}
	if cfg.Local.IsUnspecified() {
		cfg.Local = netip.Addr{}
	}
	m := &Mapper{cfg: cfg}
	if cfg.NATPMP {
		m.protocols = append(m.protocols, newNATPMP(cfg.Port, cfg.Local))
	}
	if cfg.UPnP {
		m.protocols = append(m.protocols, newUPnP(cfg.Port, cfg.Local))
	}
	return m
}

// State returns what has been reached. It is safe for concurrent use.
func (m *Mapper) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// Run maps the port and keeps it mapped until the context ends. Then it removes
// the mapping, which takes a second at most; an attempt that is under way then may
// take another 0.75 s. It returns nil.
func (m *Mapper) Run(ctx context.Context) error {
	pause := retryMin
	for ctx.Err() == nil {
		next, err := m.attempt(ctx)
		switch {
		case ctx.Err() != nil:
		case err == nil:
			pause = retryMin
		default:
			next = pause
			pause = min(2*pause, retryMax)
			m.fail(err)
		}
		wait(ctx, next)
	}
	m.remove()
	return nil
}

// attempt asks the router by one protocol after the other, the one that worked
// last time first. It returns the time until the renewal.
func (m *Mapper) attempt(ctx context.Context) (time.Duration, error) {
	var errs failures
	for _, p := range m.order() {
		g, err := m.add(ctx, p)
		if err == nil {
			return m.succeed(p, g), nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", p.name(), err))
		if ctx.Err() != nil {
			break
		}
	}
	return 0, errs
}

// order returns the protocols with the current one first.
func (m *Mapper) order() []protocol {
	list := slices.Clone(m.protocols)
	slices.SortStableFunc(list, func(a, b protocol) int {
		switch m.current {
		case a:
			return -1
		case b:
			return 1
		}
		return 0
	})
	return list
}

// add asks by one protocol, for the port that it gave last time, else for the one
// listened on.
func (m *Mapper) add(ctx context.Context, p protocol) (grant, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	want := m.cfg.Port
	if p == m.current {
		want = m.State().Port
	}
	g, err := p.add(ctx, want)
	if err == nil && g.port == 0 {
		err = errors.New("the router gave port 0")
	}
	return g, err
}

// succeed takes note of a mapping and returns the time until its renewal.
func (m *Mapper) succeed(p protocol, g grant) time.Duration {
	g.lease = min(max(g.lease, leaseMin), lease)
	next := Mapping{Protocol: p.name(), Port: g.port}
	if a := g.addr.Unmap(); a.Is4() && netaddr.FromAddrPort(netip.AddrPortFrom(a, g.port)).IsRoutable() {
		next.Addr = a
	}
	if next != m.State().Mapping || m.failed {
		m.cfg.Log.Infof("The router forwards port %d to this node (%s)%s", g.port, next.Protocol, describe(g.addr, next.Addr))
	}
	m.current, m.expires, m.failed = p, time.Now().Add(g.lease), false
	m.set(State{Mapping: next})
	return g.lease / 2
}

// describe tells in the log what is known of a router's address.
func describe(claimed, routable netip.Addr) string {
	switch {
	case routable.IsValid():
		return "; its address is " + routable.String()
	case claimed.IsValid() && !claimed.IsUnspecified():
		return "; but its address, " + claimed.String() + ", is a private one: there must be another router before it, which has to forward the port, too"
	}
	return "; it doesn't tell its address"
}

// fail takes note of an attempt without success. Only the first in a row is for
// the operator.
func (m *Mapper) fail(err error) {
	if m.failed {
		m.cfg.Log.Debugf("No port mapping: %v", err)
	} else {
		m.cfg.Log.Warnf("The router does not forward port %d to this node: %v; forward it by hand if nobody connects", m.cfg.Port, err)
	}
	m.failed = true
	s := m.State()
	s.Err = err
	if m.current != nil && !time.Now().Before(m.expires) {
		m.current, s.Mapping = nil, Mapping{}
	}
	m.set(s)
}

// set changes the state and tells of another mapping.
func (m *Mapper) set(s State) {
	m.mu.Lock()
	changed := s.Mapping != m.state.Mapping
	m.state = s
	m.mu.Unlock()
	if changed && m.cfg.OnChange != nil {
		m.cfg.OnChange(s.Mapping)
	}
}

// remove ends the mapping, if there is one.
func (m *Mapper) remove() {
	if m.current == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	port := m.State().Port
	if err := m.current.remove(ctx, port); err != nil {
		m.cfg.Log.Debugf("The mapping of port %d stays until it runs out: %v", port, err)
	}
	m.mu.Lock()
	m.state = State{}
	m.mu.Unlock()
}

// wait sleeps until the time or the context is over.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
