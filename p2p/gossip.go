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

	// getAddrPercent is which part of the book one answer shows at most, so that
	// nobody gets all of it.
	getAddrPercent = 23
	// getAddrLeast is the size of an answer from a small book: 23 % of the five
	// addresses of a private pool would be one. Where there are so few nodes, each
	// of them knows all the others anyway.
	getAddrLeast = 10
	// answerLife is how long the same answer is given, a tenth more or less, so that
	// asking often does not show more, or how the book changes.
	answerLife = 24 * time.Hour

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
	announce func(inbound bool) message.Message

	peers map[netsync.PeerID]*gossipPeer
	order []netsync.PeerID // ascending, for repeatable decisions

	answer      []netaddr.Record // to getaddr
	answerUntil time.Time
	answerSize  int // of the book when it was made
}

// gossipPeer is what is known of a peer.
type gossipPeer struct {
	inbound  bool
	addr     netaddr.Addr // as seen from here; the port of an inbound peer is of no use
	services uint64

	known    addrFilter
	tokens   float64 // addresses that it may tell
	refilled time.Time
	asked    bool // for addresses; no answer yet
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
	g := &gossip{rand: r, finder: f, trickle: trickle, peers: make(map[netsync.PeerID]*gossipPeer)}
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
func (g *gossip) join(now time.Time, id netsync.PeerID, inbound bool, addr netaddr.Addr, services uint64) (out []telling) {
	p := &gossipPeer{
		inbound: inbound, addr: addr, services: services,
		tokens: 1, refilled: now,
		sendAt: g.after(now, g.trickle), ownAt: g.after(now, ownInterval),
	}
	g.peers[id] = p
	g.order = append(g.order, id)
	if !inbound {
		p.asked = true
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
	if m := g.announce(p.inbound); m != nil {
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
	return reply, keep, p.addr
}

// receiveGetAddr answers inbound peers, once. If outbound ones were answered too,
// they could be recognised by the answer when this node has several addresses.
func (g *gossip) receiveGetAddr(now time.Time, p *gossipPeer) message.Message {
	if !p.inbound || p.answered {
		return nil
	}
	p.answered = true
	var list []netaddr.Record
	for _, r := range g.cached(now) {
		if f := fingerprintOf(&g.key, r.Addr); !p.known.has(f) {
			p.known.add(f)
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return &message.Addr{List: list}
}

// cached returns the answer of the day. It is made anew when the book has doubled
// since: a node that has just started would go on showing next to nothing. A book
// can double sixteen times.
func (g *gossip) cached(now time.Time) []netaddr.Record {
	fresh, tried := g.finder.book.Len()
	if size := fresh + tried; !now.Before(g.answerUntil) || size >= 2*g.answerSize && size > g.answerSize {
		g.answer = g.finder.book.Sample(getAddrPercent, getAddrLeast)
		g.answerSize = size
		g.answerUntil = now.Add(answerLife*9/10 + time.Duration(g.rand.Int64N(int64(answerLife/5))))
	}
	return g.answer
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
		if g.finder.own[r.Addr] || !g.finder.book.Usable(r.Addr) {
			continue
		}
		near := connmgr.ByIP(r.Addr.Network())
		age := now.Sub(time.Unix(int64(r.Seen), 0))
		if relay && age < relayFresh && age > -relayFresh {
			g.relay(now, id, r, near)
		}
		if near {
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

// relay passes an address on to a few peers, the same ones for a day.
func (g *gossip) relay(now time.Time, from netsync.PeerID, r netaddr.Record, near bool) {
	type place struct {
		rank [8]byte
		peer *gossipPeer
	}
	turn := binary.LittleEndian.AppendUint64(g.key[:len(g.key):len(g.key)], uint64(now.Unix()/int64(relayTurn/time.Second)))
	turn = r.Addr.AppendKey(turn)
	var places []place
	for _, id := range g.order {
		if id != from {
			sum := sha256.Sum256(binary.LittleEndian.AppendUint64(turn[:len(turn):len(turn)], uint64(id)))
			places = append(places, place{[8]byte(sum[:8]), g.peers[id]})
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
