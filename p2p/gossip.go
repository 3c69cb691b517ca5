package p2p

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/p2poold/p2poold/p2p/connmgr"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
	"github.com/p2poold/p2poold/p2p/netsync"
)

// Limits and times of the gossip about addresses. All but those with a reason are
// Bitcoin Core's.
const (
	// addrRate is how many addresses a second are taken from a peer, and
	// addrBucket how many at once after a pause: the answer to a getaddr.
	addrRate   = 0.1
	addrBucket = message.MaxAddrs

	// maxRelayed is the number of addresses in an addr that may be passed on: longer
	// ones are answers.
	maxRelayed = 10
	// relayFresh is how recently an address must have been seen to be passed on.
	relayFresh = 10 * time.Minute
	// relayPeers is to how many peers an address is passed on, and relayPeersFar to
	// how many if this node can't reach its network itself.
	relayPeers    = 2
	relayPeersFar = 1
	// relayTurn is how long one address goes to the same peers, so that repeating it
	// doesn't spread it further.
	relayTurn = 24 * time.Hour
	// trickle is the mean time between addr messages to one peer.
	trickle = 30 * time.Second
	// maxWaiting is the number of addresses waiting for the next one: 125 peers at
	// their rates bring some six. Beyond it others are replaced at random.
	maxWaiting = 100
	// ownInterval is the mean time between announcements of this node's address.
	ownInterval = 24 * time.Hour
)

// gossip decides what to tell which peer about addresses. It does no I/O and
// looks at no clock; Server.mu guards it.
type gossip struct {
	rand    *rand.Rand
	key     [32]byte
	finder  *finder // book and own addresses
	trickle time.Duration
	// announce returns what tells a peer of this node; nil: nothing.
	announce func(kind identity, inbound bool) message.Message
	// reachable tells the networks whose addresses this node dials by itself.
	reachable func(netaddr.Network) bool
	// unwanted tells the addresses that are not to be dialed, nor told to others.
	unwanted func(netaddr.Addr) bool

	peers map[netsync.PeerID]*gossipPeer
	order []netsync.PeerID // ascending, for repeatable decisions

	answers [numIdentities]answer
}

// gossipPeer is what is known of a peer.
type gossipPeer struct {
	inbound  bool
	kind     identity
	addr     netaddr.Addr // as seen from here; the port of an inbound peer is of no use
	services uint64

	known    addrFilter
	tokens   float64 // addresses that it may tell
	refilled time.Time
	asked    bool // for addresses; no answer yet
	speaks   bool // of addresses, or was asked for them: share-only peers never do
	answered bool // its getaddr
	waiting  []netaddr.Record
	sendAt   time.Time // of waiting
	ownAt    time.Time // of the next announcement

	taken, dropped uint64 // addresses it told
}

// telling is a message to a peer.
type telling struct {
	to  netsync.PeerID
	msg message.Message
}

func newGossip(r *rand.Rand, f *finder) *gossip {
	g := &gossip{
		rand: r, finder: f, trickle: trickle, reachable: connmgr.ByIP, peers: make(map[netsync.PeerID]*gossipPeer),
		unwanted: func(netaddr.Addr) bool { return false },
	}
	for i := range g.key {
		g.key[i] = byte(r.Uint32())
	}
	return g
}

// after returns a random time whose mean is d from now.
func (g *gossip) after(now time.Time, d time.Duration) time.Time {
	return now.Add(time.Duration(g.rand.ExpFloat64() * float64(d)))
}

// join adds a peer. One that this node dialed is asked for addresses and told
// this node's.
func (g *gossip) join(now time.Time, id netsync.PeerID, inbound bool, kind identity, addr netaddr.Addr, services uint64) (out []telling) {
	p := &gossipPeer{
		inbound: inbound, kind: kind, addr: addr, services: services,
		tokens: 1, refilled: now,
		sendAt: g.after(now, g.trickle), ownAt: g.after(now, ownInterval),
	}
	g.peers[id] = p
	g.order = append(g.order, id)
	if !inbound {
		p.asked, p.speaks = true, true
		p.tokens += addrBucket // what was asked for is no flood
		out = append(out, telling{id, &message.GetAddr{}})
	}
	return g.tellOwn(out, id, p)
}

// leave removes a peer.
func (g *gossip) leave(id netsync.PeerID) {
	delete(g.peers, id)
	if i, ok := slices.BinarySearch(g.order, id); ok {
		g.order = slices.Delete(g.order, i, i+1)
	}
}

// tellOwn appends the announcement of this node to a peer.
func (g *gossip) tellOwn(out []telling, id netsync.PeerID, p *gossipPeer) []telling {
	if g.announce == nil {
		return out
	}
	if m := g.announce(p.kind, p.inbound); m != nil {
		out = append(out, telling{id, m})
	}
	return out
}

// receive takes a message of a peer. It returns an answer, if any, and the
// addresses to be put into the book with their source.
func (g *gossip) receive(now time.Time, id netsync.PeerID, msg message.Message) (reply message.Message, keep []netaddr.Record, source netaddr.Addr) {
	p := g.peers[id]
	if p == nil {
		return nil, nil, source
	}
	p.speaks = true
	switch m := msg.(type) {
	case *message.GetAddr:
		reply = g.receiveGetAddr(now, p)
	case *message.Addr:
		relay := !p.asked && len(m.List) <= maxRelayed
		p.asked = false
		keep = g.receiveAddrs(now, id, p, m.List, relay)
	case *message.AddrMe:
		// The port of a peer that this node dialed is known.
		if a := p.addr.WithPort(m.Port); p.inbound && a.IsValid() {
			self := netaddr.Record{Addr: a, Services: p.services, Seen: uint32(now.Unix())}
			keep = g.receiveAddrs(now, id, p, []netaddr.Record{self}, true)
		}
	}
	if source = p.addr; !source.IsValid() {
		// Whoever comes in by a hidden service may come in as anybody: they are one.
		source = netaddr.Named(p.kind.String())
	}
	return reply, keep, source
}

// receiveAddrs takes as many addresses as the peer's rate allows and returns those
// for the book. The rest is dropped: a peer that floods only wastes its bytes.
func (g *gossip) receiveAddrs(now time.Time, id netsync.PeerID, p *gossipPeer, list []netaddr.Record, relay bool) (keep []netaddr.Record) {
	p.refill(now)
	if p.tokens < 1 {
		p.dropped += uint64(len(list)) // without a look: floods are cheap here
		return nil
	}
	list = slices.Clone(list)
	g.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for _, r := range list {
		if p.tokens < 1 {
			p.dropped++
			continue
		}
		p.tokens--
		p.taken++
		p.known.add(fingerprintOf(&g.key, r.Addr))
		if !g.finder.book.Usable(r.Addr) || g.unwanted(r.Addr) {
			continue
		}
		near := g.reachable(r.Addr.Network())
		age := now.Sub(time.Unix(int64(r.Seen), 0))
		if relay && age < relayFresh && age > -relayFresh {
			g.relay(now, id, r, near)
		}
		// This node's own address is passed on like any other: who tells it would
		// see whose it is if it weren't.
		if near && !g.finder.own[r.Addr] {
			keep = append(keep, r)
		}
	}
	return keep
}

// refill adds what the time has brought. The bonus for an answer may lie above the
// bucket and stays.
func (p *gossipPeer) refill(now time.Time) {
	if p.tokens < addrBucket {
		p.tokens = min(addrBucket, p.tokens+max(0, now.Sub(p.refilled).Seconds())*addrRate)
	}
	p.refilled = now
}

// relay passes an address on to a few peers, the same ones for a day. It stays
// among those who are reached the same way: somebody who tells this node's hidden
// service an address that nobody else knows would else see it come out on the
// Internet, and at which node. On share-only connections it would be lost.
func (g *gossip) relay(now time.Time, from netsync.PeerID, r netaddr.Record, near bool) {
	type place struct {
		rank [8]byte
		peer *gossipPeer
	}
	turn := binary.LittleEndian.AppendUint64(g.key[:len(g.key):len(g.key)], uint64(now.Unix()/int64(relayTurn/time.Second)))
	turn = r.Addr.AppendKey(turn)
	var places []place
	for _, id := range g.order {
		if p := g.peers[id]; id != from && p.speaks && p.kind == g.peers[from].kind {
			sum := sha256.Sum256(binary.LittleEndian.AppendUint64(turn[:len(turn):len(turn)], uint64(id)))
			places = append(places, place{[8]byte(sum[:8]), p})
		}
	}
	slices.SortFunc(places, func(a, b place) int { return bytes.Compare(a.rank[:], b.rank[:]) })
	n := relayPeers
	if !near {
		n = relayPeersFar
	}
	for _, pl := range places[:min(n, len(places))] {
		g.queue(pl.peer, r)
	}
}

// queue lets an address wait for the next addr to a peer, unless the peer knows
// it.
func (g *gossip) queue(p *gossipPeer, r netaddr.Record) {
	switch {
	case p.known.has(fingerprintOf(&g.key, r.Addr)):
	case slices.ContainsFunc(p.waiting, func(w netaddr.Record) bool { return w.Addr == r.Addr }):
	case len(p.waiting) >= maxWaiting:
		p.waiting[g.rand.IntN(len(p.waiting))] = r
	default:
		p.waiting = append(p.waiting, r)
	}
}

// tick returns what is due.
func (g *gossip) tick(now time.Time) (out []telling) {
	for _, id := range g.order {
		p := g.peers[id]
		if !now.Before(p.ownAt) {
			p.ownAt = g.after(now, ownInterval)
			out = g.tellOwn(out, id, p)
		}
		if now.Before(p.sendAt) {
			continue
		}
		p.sendAt = g.after(now, g.trickle)
		var list []netaddr.Record
		for _, r := range p.waiting {
			// It may have told the address itself meanwhile.
			if f := fingerprintOf(&g.key, r.Addr); !p.known.has(f) {
				p.known.add(f)
				list = append(list, r)
			}
		}
		p.waiting = nil
		for part := range slices.Chunk(list, maxRelayed) {
			out = append(out, telling{id, &message.Addr{List: part}})
		}
	}
	return out
}
