package p2p

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/banman"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

// Bans configures who is kept out.
type Bans struct {
	// File is where the list is kept; empty: in memory only. Its directory must
	// exist when Bind is called.
	File string
	// Duration is how long a peer that broke a rule is discouraged; 0: it is only
	// disconnected.
	Duration time.Duration
	// Whitelist holds the networks whose nodes are neither banned nor discouraged.
	Whitelist []netip.Prefix
}

// doorkeeper is what the Server knows of bans. The list has its own mutex, a leaf.
type doorkeeper struct {
	list func() *banman.Manager // read from the file at the first call
	// spare reports whether violations from an address have no consequences
	// beyond the connection's end. That is so for this machine, where proxies and
	// hidden services let strangers in: they would all be shut out for one.
	spare func(netaddr.Addr) bool

	mu     sync.Mutex   // a leaf
	fresh  int          // discouraged since the last log line
	latest banman.Entry // of those
}

func newDoorkeeper(cfg *Config) *doorkeeper {
	return &doorkeeper{spare: isLoopback, list: sync.OnceValue(func() *banman.Manager {
		list, err := banman.Load(banman.Config{Path: cfg.Bans.File, Duration: cfg.Bans.Duration})
		if err != nil {
			cfg.Log.Warnf("Starting without bans, the list cannot be used: %v", err)
		}
		return list
	})}
}

func isLoopback(a netaddr.Addr) bool {
	ap, ok := a.AddrPort()
	return ok && ap.Addr().IsLoopback()
}

// addrOfPeer returns the address of a connection's other end, "host:port". It reports
// false if that has none, as behind a hidden service.
func addrOfPeer(text string) (netaddr.Addr, bool) {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return netaddr.FromAddrPort(ap), true // without the zone of a link-local address
	}
	a, err := netaddr.Parse(text, 0)
	return a, err == nil
}

// whitelisted reports whether the operator vouches for an address: it is neither
// banned nor discouraged, and free of the limits of its group.
func (s *Server) whitelisted(addr net.Addr) bool {
	a, ok := addrOfPeer(addr.String())
	return ok && s.cfg.Bans.vouched(a)
}

func (b *Bans) vouched(a netaddr.Addr) bool {
	for _, p := range b.Whitelist {
		if banman.Network(p).Contains(banman.Host(a)) {
			return true
		}
	}
	return false
}

// discouraged reports whether a rule was broken from an address, "host:port",
// lately: of the inbound connections, that is the first one to do without.
func (s *Server) discouraged(addr string) bool {
	_, ok := s.discouragement(addr)
	return ok
}

// discouragement returns the entry about a discouraged address, "host:port".
func (s *Server) discouragement(addr string) (e banman.Entry, ok bool) {
	a, ok := addrOfPeer(addr)
	if !ok || s.cfg.Bans.vouched(a) {
		return e, false
	}
	return s.door.list().Discouraged(a)
}

// offence returns why an address, "host:port", is discouraged; empty: it is not.
func (s *Server) offence(addr string) string {
	e, _ := s.discouragement(addr)
	return e.Reason
}

// banned returns why there may be no connection with an address, "host:port", nil
// if there may. It says nothing of names.
func (s *Server) banned(addr string) error {
	a, ok := addrOfPeer(addr)
	if !ok || s.cfg.Bans.vouched(a) {
		return nil
	}
	e, ok := s.door.list().Banned(a)
	if !ok {
		return nil
	}
	return fmt.Errorf("%v is banned until %s: %s", e.Subject, e.Until.UTC().Format(time.RFC3339), e.Reason)
}

// unwanted reports whether a found address is not to be dialed.
func (s *Server) unwanted(a netaddr.Addr) bool {
	if s.cfg.Bans.vouched(a) {
		return false
	}
	_, banned := s.door.list().Banned(a)
	_, discouraged := s.door.list().Discouraged(a)
	return banned || discouraged
}

// refusal returns why an inbound connection from an address, "host:port", is not
// taken, nil if it may be. As in Bitcoin Core a discouraged one is, unless it would
// get the last slot: while there is room nobody loses by it, and the address may be
// somebody else's by now.
func (s *Server) refusal(addr string) error {
	if err := s.banned(addr); err != nil {
		return err
	}
	s.mu.Lock()
	live, _ := s.callers.count()
	s.mu.Unlock()
	if live+1 < s.cfg.MaxInbound {
		return nil
	}
	if e, ok := s.discouragement(addr); ok {
		return fmt.Errorf("%v is discouraged: %s", e.Subject, e.Reason)
	}
	return nil
}

// punish draws the consequences from the end of a connection with a peer that the
// operator did not name: one that broke a rule is discouraged, and loses its other
// inbound connections, as in Bitcoin Core.
func (s *Server) punish(addr string, err error) {
	e, ok := errors.AsType[*peer.Error](err)
	if !ok || !e.Reason.Violation() || errors.Is(err, message.ErrChecksum) {
		return // bytes that were altered on the way are no fault of the sender
	}
	a, ok := addrOfPeer(addr)
	if !ok || s.door.spare(a) || s.cfg.Bans.vouched(a) || s.named(a) {
		return
	}
	entry, ok := s.door.list().Discourage(a, fault(e))
	if !ok {
		return
	}
	s.cfg.Log.Debugf("%v is discouraged: %s", entry.Subject, entry.Reason)
	s.finder.book.Remove(a)
	s.door.mu.Lock()
	s.door.fresh++
	s.door.latest = entry
	s.door.mu.Unlock()
	s.disconnect(errors.New(entry.Reason), func(_ netsync.PeerID, p *peer.Peer) bool {
		return p.Inbound() && s.within(entry.Subject, p)
	})
}

// fault words a violation: which rule, and how it was broken.
func fault(e *peer.Error) string {
	if rule, ok := errors.AsType[share.RuleError](e); ok {
		return fmt.Sprintf("%s: %s", rule.Kind, rule.Description)
	}
	return e.Error()
}

// named reports whether an address is that of a node which the operator named. Of
// nodes named by a host name nothing is known.
func (s *Server) named(a netaddr.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for addr := range s.nodes {
		if n, ok := addrOfPeer(addr); ok && banman.Host(n) == banman.Host(a) {
			return true
		}
	}
	return false
}
