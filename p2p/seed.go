package p2p

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/peer"
)

const (
	// seedDelay is how long a node that knows addresses tries them before it asks
	// the seeds: these should not learn of every start of every node.
	seedDelay = 30 * time.Second
	// seedRetry is the time between attempts while there are too few connections.
	seedRetry = 10 * time.Minute
	// seedEnough is the number of outbound connections that make seeds needless.
	seedEnough = 2
	// seedTimeout bounds one look-up.
	seedTimeout = 30 * time.Second
	// fetchTimeout bounds a connection to a seed: a dial, a handshake and an answer
	// through Tor.
	fetchTimeout = 2 * time.Minute
	// maxPerSeed is the number of addresses taken from one seed, as in Bitcoin Core.
	maxPerSeed = 256
	// Seeds don't say when a node was seen: it gets an age between these two.
	seedAgeMin = 3 * 24 * time.Hour
	seedAgeMax = 7 * 24 * time.Hour
)

// seed asks the seeds as long as there are too few connections.
func (s *Server) seed(ctx context.Context) {
	d := &s.cfg.Discovery
	if len(d.DNSSeeds)+len(d.FixedSeeds) == 0 {
		return
	}
	if !s.bookEmpty() && !wait(ctx, seedDelay) {
		return
	}
	for {
		if s.bookEmpty() || s.outboundCount() < seedEnough {
			s.askSeeds(ctx)
		}
		if !wait(ctx, seedRetry) {
			return
		}
	}
}

func (s *Server) bookEmpty() bool {
	return s.knownAddrs() == 0
}

// outboundCount returns the number of outbound peers, named ones included, without
// those of the local network: any number of them may be one neighbour's.
func (s *Server) outboundCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, p := range s.peers {
		if !p.Inbound() && !s.inLAN(p) {
			n++
		}
	}
	return n
}

// askSeeds fills the book from DNS, and from the fixed seeds if that brought
// nothing.
func (s *Server) askSeeds(ctx context.Context) {
	d := &s.cfg.Discovery
	added := 0
	for _, i := range rand.Perm(len(d.DNSSeeds)) {
		switch {
		case !s.dialer.Automatic(netaddr.IPv4) && !s.dialer.Automatic(netaddr.IPv6):
			// They know nothing else.
		case s.dialer.LocalDNS():
			added += s.askSeed(ctx, d.DNSSeeds[i])
		default:
			added += s.fetchSeed(ctx, d.DNSSeeds[i])
		}
	}
	if added > 0 {
		s.cfg.Log.Infof("%d addresses of nodes came from DNS seeds", added)
	}
	if ctx.Err() != nil || added > 0 {
		return
	}
	var list []netaddr.Record
	for _, text := range d.FixedSeeds {
		if a, err := netaddr.Parse(text, s.cfg.Params.DefaultP2PPort); err == nil { // New has checked
			list = append(list, s.seedRecord(a))
		}
	}
	if n := s.finder.book.Add(list, netaddr.Named("fixed seeds")); n > 0 {
		s.cfg.Log.Infof("%d addresses of nodes came from the fixed seeds", n)
	}
}

// askSeed looks one seed up and returns the number of addresses that were new.
func (s *Server) askSeed(ctx context.Context, host string) int {
	ctx, cancel := context.WithTimeout(ctx, seedTimeout)
	defer cancel()
	ips, err := s.cfg.Discovery.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		s.cfg.Log.Debugf("DNS seed %s: %v", host, err)
		return 0
	}
	rand.Shuffle(len(ips), func(i, j int) { ips[i], ips[j] = ips[j], ips[i] })
	var list []netaddr.Record
	for _, ip := range ips[:min(len(ips), maxPerSeed)] {
		list = append(list, s.seedRecord(netaddr.FromAddrPort(netip.AddrPortFrom(ip, s.cfg.Params.DefaultP2PPort))))
	}
	return s.finder.book.Add(list, netaddr.Named(host))
}

func (s *Server) seedRecord(a netaddr.Addr) netaddr.Record {
	age := seedAgeMin + rand.N(seedAgeMax-seedAgeMin)
	return netaddr.Record{Addr: a, Seen: uint32(time.Now().Add(-age).Unix())}
}

// fetchSeed is askSeed where names may not be looked up here, as through a proxy:
// the name leads to one of the nodes that the seed knows, which is asked for
// addresses and left, as Bitcoin Core does.
func (s *Server) fetchSeed(ctx context.Context, host string) int {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	known := s.knownAddrs()
	addr := net.JoinHostPort(host, strconv.Itoa(int(s.cfg.Params.DefaultP2PPort)))
	var p *peer.Peer // set in the reader goroutine, which is gone when it is read
	d := s.dialAndRun(ctx, addr, link{kind: KindAddrFetch, ready: func(ready *peer.Peer) {
		p = ready
		s.mu.Lock()
		s.finder.fetches[p] = true
		s.mu.Unlock()
	}})
	s.mu.Lock()
	delete(s.finder.fetches, p)
	s.mu.Unlock()
	s.cfg.Log.Debugf("Seed %s: %v", host, d.err)
	return max(0, s.knownAddrs()-known)
}

// fetched lets a seed go that has told its addresses.
func (s *Server) fetched(p *peer.Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finder.fetches[p] {
		p.Disconnect(peer.ReasonRequested, nil)
	}
}

// knownAddrs returns the number of addresses in the book.
func (s *Server) knownAddrs() int {
	fresh, tried := s.finder.book.Len()
	return fresh + tried
}
