package p2p

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/p2p/addrmgr"
	"github.com/p2poold/p2poold/p2p/connmgr"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

const (
	// dialInterval is the time between dials of found addresses, as in Bitcoin Core:
	// all eight connections take four seconds, and whoever answers dials by hanging
	// up cannot make this node busy or its log long.
	dialInterval = 500 * time.Millisecond
	// saveInterval is the time between writes of the address book.
	saveInterval = 15 * time.Minute
	// maxOwn is the number of addresses known to be this node's.
	maxOwn = 64
	// staleShares is how many share intervals without a new tip look like being cut
	// off: by chance they pass once in e³⁰ shares.
	staleShares = 30
)

// Resolver looks up the addresses behind a name; net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Discovery configures how peers are found. The zero value finds none; addresses
// are exchanged with peers and remembered all the same.
type Discovery struct {
	// Outbound is the number of full connections to keep to found peers, usually
	// connmgr.DefaultFull, and ShareOnly that of connections besides on which nothing
	// is said of addresses, usually connmgr.DefaultShareOnly. There may be two more
	// for moments: a feeler and an extra one. With Config.Connect, or if Outbound is
	// 0, both count as 0.
	Outbound, ShareOnly int
	// File is where the address book is kept; empty: in memory only. Its directory
	// must exist when Run is called.
	File string
	// DNSSeeds holds names that resolve to addresses of nodes on the default port,
	// FixedSeeds addresses "host:port", without names, for when they don't.
	DNSSeeds, FixedSeeds []string
	// Resolver looks DNSSeeds up; nil: net.DefaultResolver.
	Resolver Resolver
	// External holds this node's addresses as others reach them. Without any, peers
	// tell others the address they see it at.
	External []netaddr.Addr
}

// check completes the configuration. It drops what Connect forbids.
func (d *Discovery) check(c *Config) error {
	if d.Outbound < 0 || d.ShareOnly < 0 {
		return errors.New("p2p: a negative number of outbound connections")
	}
	if len(c.Connect) > 0 {
		d.Outbound = 0
	}
	if len(d.External) > maxRelayed {
		return fmt.Errorf("p2p: %d external addresses, at most %d can be announced", len(d.External), maxRelayed)
	}
	for _, text := range d.FixedSeeds {
		if _, err := netaddr.Parse(text, c.Params.DefaultP2PPort); err != nil {
			return err
		}
	}
	if d.Resolver == nil {
		d.Resolver = net.DefaultResolver
	}
	return nil
}

// finder is what the Server knows of addresses. The book has its own mutex, a
// leaf; all else is guarded by Server.mu.
type finder struct {
	interval time.Duration // dialInterval, shorter in tests
	backoff  time.Duration // connmgr.BackoffMin, shorter in tests

	book    *addrmgr.Manager // the one in the file is read by Run
	chooser *connmgr.Chooser // made by Run
	gossip  *gossip
	own     map[netaddr.Addr]bool // this node's addresses
	fetches map[*peer.Peer]bool   // seeds connected to for their addresses
	found   map[netaddr.Addr]*found

	tip   chainhash.Hash
	tipAt time.Time // when the tip last changed
}

// found is a peer that the chooser chose.
type found struct {
	peer *peer.Peer
	news time.Time // when it last brought a valid share that was new
}

func newFinder(cfg *Config) *finder {
	f := &finder{
		interval: dialInterval,
		backoff:  connmgr.BackoffMin,
		book:     addrmgr.New(cfg.bookConfig()),
		own:      make(map[netaddr.Addr]bool),
		fetches:  make(map[*peer.Peer]bool),
		found:    make(map[netaddr.Addr]*found),
	}
	for _, a := range cfg.Discovery.External {
		f.own[a] = true
	}
	f.gossip = newGossip(addrmgr.SystemRand(), f)
	return f
}

// bookConfig allows unroutable addresses where all nodes may be on one machine.
func (c *Config) bookConfig() addrmgr.Config {
	return addrmgr.Config{AllowUnroutable: c.Params.Network == chainparams.Regtest}
}

// addOwn notes an address of this node. When there are too many, it is ignored:
// that costs a dial in vain now and then.
func (f *finder) addOwn(a netaddr.Addr) {
	if len(f.own) < maxOwn {
		f.own[a] = true
	}
	f.book.Remove(a)
}

// loadBook reads the address book before anything runs.
func (s *Server) loadBook() {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.finder
	if path := s.cfg.Discovery.File; path != "" {
		var err error
		if f.book, err = addrmgr.Load(path, s.cfg.bookConfig()); err != nil {
			s.cfg.Log.Warnf("Starting without known peers, the address book cannot be used: %v", err)
		}
		for a := range f.own {
			f.book.Remove(a)
		}
	}
	f.chooser = connmgr.New(connmgr.Config{
		Book: f.book, Full: s.cfg.Discovery.Outbound, ShareOnly: s.cfg.Discovery.ShareOnly, Backoff: f.backoff,
		Reachable: s.dialer.Automatic,
	})
	if fresh, tried := f.book.Len(); fresh+tried > 0 {
		s.cfg.Log.Infof("%d addresses of nodes are known, %d of them from earlier connections", fresh+tried, tried)
	}
}

// saveBook writes the address book.
func (s *Server) saveBook() {
	path := s.cfg.Discovery.File
	if path == "" {
		return
	}
	if err := s.finder.book.Save(path); err != nil {
		s.cfg.Log.Warnf("The addresses of nodes cannot be saved: %v", err)
	}
}

// keepBook saves the address book now and then.
func (s *Server) keepBook(ctx context.Context) {
	for wait(ctx, saveInterval) {
		s.saveBook()
	}
}

// find dials found addresses until the context ends.
func (s *Server) find(ctx context.Context) {
	ticker := time.NewTicker(s.finder.interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if d, ok := s.nextDial(ctx, time.Now()); ok {
			s.wg.Go(func() { s.runFound(ctx, d) })
		}
	}
}

// nextDial decides whom to dial, and whom to let go for an extra connection.
func (s *Server) nextDial(ctx context.Context, now time.Time) (connmgr.Dial, bool) {
	tip, _, _ := s.cfg.Chain.Tip()
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.finder
	if tip != f.tip || f.tipAt.IsZero() {
		f.tip, f.tipAt = tip, now
	}
	f.chooser.SetStale(now.Sub(f.tipAt) > staleShares*s.cfg.Params.ShareInterval)
	if a, ok := f.chooser.Excess(now, f.newsOf); ok {
		f.found[a].peer.Disconnect(peer.ReasonRequested, errors.New("another outbound peer takes its place"))
	}
	// Connections end when the context does: what stands while it doesn't was no
	// victim of the shutdown.
	if standing := f.chooser.Standing(now); len(standing) > 0 && ctx.Err() == nil {
		f.book.SetAnchors(standing)
	}
	connected := s.connected()
	return f.chooser.Next(now, func(a netaddr.Addr) bool {
		return f.own[a] || slices.Contains(connected, a) || s.unwanted(a)
	})
}

// connected returns the addresses that peers listen on, as far as known, and those
// of named nodes. An inbound peer can claim any port, but of its own address only.
func (s *Server) connected() []netaddr.Addr {
	list := make([]netaddr.Addr, 0, len(s.peers)+len(s.nodes))
	for _, p := range s.peers {
		a, err := netaddr.Parse(p.Addr(), 0)
		if err != nil {
			continue
		}
		if p.Inbound() {
			a = a.WithPort(p.Version().Port)
		}
		list = append(list, a)
	}
	for addr := range s.nodes {
		if a, err := netaddr.Parse(addr, 0); err == nil {
			list = append(list, a)
		}
	}
	return list
}

func (f *finder) newsOf(a netaddr.Addr) time.Time {
	if p := f.found[a]; p != nil {
		return p.news
	}
	return time.Time{}
}

// noteNews notes that a peer brought a valid share. The caller holds the lock.
func (s *Server) noteNews(now time.Time, id netsync.PeerID) {
	p := s.peers[id]
	if p == nil {
		return // gone
	}
	s.callers.noteNews(now, p)
	for _, f := range s.finder.found {
		if f.peer == p {
			f.news = now
		}
	}
}

// runFound makes a connection to a found address and runs it to its end.
func (s *Server) runFound(ctx context.Context, d connmgr.Dial) {
	ready := false // set in the reader goroutine, which is gone when it is read
	kind := KindFull
	if d.Kind == connmgr.ShareOnly {
		kind = KindShareOnly
	}
	end := s.dialAndRun(ctx, d.Addr.String(), link{kind: kind, ready: func(p *peer.Peer) {
		ready = true
		s.readyFound(d, p)
	}})
	s.cfg.Log.Debugf("%v peer %v: %v", d.Kind, d.Addr, end.err)
	s.punish(d.Addr.String(), end.err)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.finder
	f.chooser.Ended(d.Addr)
	delete(f.found, d.Addr)
	if e, ok := errors.AsType[*peer.Error](end.err); ok && e.Reason == peer.ReasonSelf {
		f.addOwn(d.Addr)
	} else if ready && d.Kind != connmgr.ShareOnly { // of those the book's times, which others are told, say nothing
		f.book.Connected(d.Addr)
	}
}

// readyFound takes note of a handshake. A feeler has learned what it wanted.
func (s *Server) readyFound(d connmgr.Dial, p *peer.Peer) {
	now := time.Now()
	s.mu.Lock()
	f := s.finder
	f.book.Good(d.Addr, uint64(p.Version().Services))
	f.chooser.Ready(now, d.Addr)
	if d.Kind != connmgr.Feeler {
		f.found[d.Addr] = &found{peer: p}
	}
	s.mu.Unlock()
	if d.Kind == connmgr.Feeler {
		p.Disconnect(peer.ReasonRequested, nil)
	}
}

// readyNamed takes note of the handshake with a named node: its address is worth
// telling others.
func (s *Server) readyNamed(p *peer.Peer) {
	if a, err := netaddr.Parse(p.Addr(), 0); err == nil {
		s.finder.book.Good(a, uint64(p.Version().Services))
	}
}
