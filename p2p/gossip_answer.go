package p2p

import (
	"slices"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// Limits and times of the answers to getaddr.
const (
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

	// blurring is how much earlier than known the times in an answer are at most. A
	// node tells its address once a day: what is a day old is no worse than what is
	// new, and far from the 30 days at which it is forgotten.
	blurring = 24 * time.Hour
)

// answer is what getaddr is answered with to those who came one way.
type answer struct {
	list  []netaddr.Record
	until time.Time
	size  int // of the book when it was made
}

// receiveGetAddr answers inbound peers, once. If outbound ones were answered too,
// they could be recognised by the answer when this node has several addresses.
func (g *gossip) receiveGetAddr(now time.Time, p *gossipPeer) message.Message {
	if !p.inbound || p.answered {
		return nil
	}
	p.answered = true
	var list []netaddr.Record
	for _, r := range g.cached(now, p.kind) {
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

// cached returns the answer of the day. Each kind of connection has one of its own:
// if those who come by Tor got the same as others, they could find out by it which
// node on the Internet this is. It is made anew when the book has doubled
// since: a node that has just started would go on showing next to nothing. A book
// can double sixteen times.
func (g *gossip) cached(now time.Time, kind identity) []netaddr.Record {
	a := &g.answers[kind]
	fresh, tried := g.finder.book.Len()
	if size := fresh + tried; !now.Before(a.until) || size >= 2*a.size && size > a.size {
		a.list = slices.DeleteFunc(g.finder.book.Sample(getAddrPercent, getAddrLeast), func(r netaddr.Record) bool {
			return g.unwanted(r.Addr)
		})
		for i := range a.list {
			a.list[i].Seen = g.blur(a.list[i].Seen)
		}
		a.size = size
		a.until = now.Add(answerLife*9/10 + time.Duration(g.rand.Int64N(int64(answerLife/5))))
	}
	return a.list
}

// blur makes the time of an address in an answer earlier at random. To the second,
// the times of a few addresses would be a fingerprint of the book.
func (g *gossip) blur(seen uint32) uint32 {
	off := uint32(g.rand.Int64N(int64(blurring / time.Second)))
	if seen <= off {
		return seen
	}
	return seen - off
}
