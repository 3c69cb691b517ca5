package lossynet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// MaxHosts is the greatest number of hosts: host i has the address 10.(i+1).0.1, in
// an address group of its own.
const MaxHosts = 200

// ErrUnavailable is what the error of Namespaces wraps if this machine, or this user,
// cannot have any.
var ErrUnavailable = errors.New("network namespaces are not to be had")

// Link is what happens to packets from one host to another. The zero value passes
// all of them at once.
type Link struct {
	Loss  float64       // part of the packets that is lost, 0 to 1
	Delay time.Duration // of the others
	Down  bool          // all are lost
}

// Stats counts packets since the start.
type Stats struct {
	Passed uint64
	Lost   uint64 // by chance, not by a link that was down
}

// Network is a set of hosts and the links between them. Make it with Simulated or
// Namespaces, and Close it at the end.
type Network struct {
	backend backend
	hosts   []*Host

	mu    sync.Mutex
	links [][]link
	stats Stats
}

// link is one direction between two hosts. Its draws depend on nothing but the seed
// and the number of packets before.
type link struct {
	Link
	rng *rand.Rand
}

// backend makes the connections.
type backend interface {
	dial(ctx context.Context, host int, to netip.AddrPort) (net.Conn, error)
	listen(host int, at netip.AddrPort) (net.Listener, error)
	close() error
}

// newNetwork returns a network with good links and without a backend.
func newNetwork(hosts int, seed uint64) *Network {
	if hosts < 1 || hosts > MaxHosts {
		panic(fmt.Sprintf("lossynet: %d hosts, possible are 1 to %d", hosts, MaxHosts))
	}
	n := &Network{links: make([][]link, hosts)}
	for from := range n.links {
		n.hosts = append(n.hosts, &Host{net: n, index: from})
		for to := range hosts {
			n.links[from] = append(n.links[from], link{rng: rand.New(rand.NewPCG(seed, uint64(from<<8|to)))})
		}
	}
	return n
}

// Len returns the number of hosts.
func (n *Network) Len() int { return len(n.hosts) }

// Host returns a host by its number, from 0 on.
func (n *Network) Host(i int) *Host { return n.hosts[i] }

// Set changes one direction of a link.
func (n *Network) Set(from, to int, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[from][to].Link = l
}

// SetAll gives all links, in both directions, the same properties.
func (n *Network) SetAll(l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for from := range n.links {
		for to := range n.links[from] {
			n.links[from][to].Link = l
		}
	}
}

// Down takes down, in that direction, the links that cut names, and puts up all
// others.
func (n *Network) Down(cut func(from, to int) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for from := range n.links {
		for to := range n.links[from] {
			n.links[from][to].Down = cut(from, to)
		}
	}
}

// Heal puts up all links.
func (n *Network) Heal() { n.Down(func(int, int) bool { return false }) }

// Stats returns the counts of packets.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}

// Close ends all connections and the network. Listeners and connections are closed
// by whoever opened them.
func (n *Network) Close() error { return n.backend.close() }

// pass decides on one packet: whether it arrives, and how much later.
func (n *Network) pass(from, to int) (time.Duration, bool) {
	if from == to {
		return 0, true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &n.links[from][to]
	if l.Down {
		return 0, false
	}
	if l.rng.Float64() < l.Loss {
		n.stats.Lost++
		return 0, false
	}
	n.stats.Passed++
	return l.Delay, true
}

// Host is one host of a Network.
type Host struct {
	net   *Network
	index int
}

// addrOf returns a host's address.
func addrOf(host int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(host + 1), 0, 1}) }

// hostOf returns whose address it is.
func hostOf(addr netip.Addr) (int, bool) {
	host := int(addr.As4()[1]) - 1
	return host, host >= 0 && addrOf(host) == addr
}

// Addr returns the host's only address.
func (h *Host) Addr() netip.Addr { return addrOf(h.index) }

// Dial opens a TCP connection from the host to "address:port", as net.Dialer does.
func (h *Host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	to, err := parse(network, addr)
	if err != nil {
		return nil, err
	}
	return h.net.backend.dial(ctx, h.index, to)
}

// Listen listens on the host for TCP connections to "address:port", as net.Listen
// does. The address must be the host's.
func (h *Host) Listen(network, addr string) (net.Listener, error) {
	at, err := parse(network, addr)
	if err != nil {
		return nil, err
	}
	if at.Addr() != h.Addr() {
		return nil, fmt.Errorf("lossynet: host %d cannot listen on %v", h.index, at)
	}
	return h.net.backend.listen(h.index, at)
}

func parse(network, addr string) (netip.AddrPort, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil || network != "tcp" || !to.Addr().Is4() {
		return to, fmt.Errorf("lossynet: %s address %q is not TCP over IPv4", network, addr)
	}
	return to, nil
}
