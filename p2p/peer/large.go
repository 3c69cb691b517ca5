package peer

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

const (
	// maxLarge is the number of large messages, longer than
	// message.MaxSharesPayload, that a node takes in at a time: they carry a single
	// transaction each, of which nodes relay those of up to 400 kB and a miner may
	// choose longer ones, or are of a later version. With the encrypted bytes beside
	// the plain ones they take 20 MiB at most.
	maxLarge = 8
	// maxLargeInbound of them are of inbound peers, so that no crowd of strangers can
	// keep those whom this node chose from theirs.
	maxLargeInbound = maxLarge / 2
	// largeStart is how much of a large message must have arrived before it gets a
	// place, so that a claimed length alone takes none, and largeStep how much more
	// must within each largePatience, so that those who trickle keep none for long:
	// 6.5 kB/s, 1 MiB in 2 min 30 s.
	largeStart    = 64 << 10
	largeStep     = 64 << 10
	largePatience = 10 * time.Second
	// packetRest is what a large packet has beside its payload once its length is
	// known. With v1 it is less, but there nothing follows.
	packetRest = message.TypeSize + headerSize + tagSize
)

// Large limits the large messages on their way to a node from all its peers together,
// or those on their way out, because each costs up to 2 MiB. A host has one place at
// most; who comes too late waits. Nobody keeps one while he is held back himself. A nil
// Large limits nothing. It is safe for concurrent use.
type Large struct {
	mu      sync.Mutex // a leaf
	held    []*place
	waiting []*place // in order of arrival
}

// place is that of a message among the large ones.
type place struct {
	host    string
	inbound bool
	granted chan struct{} // closed when it is held
}

// NewLarge returns the limit of a node, for one direction.
func NewLarge() *Large { return new(Large) }

// take waits for a place and reports whether it came before done was closed. It must
// be given back then.
func (l *Large) take(p *place, done <-chan struct{}) bool {
	p.granted = make(chan struct{})
	l.mu.Lock()
	l.waiting = append(l.waiting, p)
	l.grant()
	l.mu.Unlock()
	select {
	case <-p.granted:
		return true
	case <-done:
		l.give(p)
		return false
	}
}

// give ends the wait for a place, or gives it back.
func (l *Large) give(p *place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	is := func(o *place) bool { return o == p }
	l.held, l.waiting = slices.DeleteFunc(l.held, is), slices.DeleteFunc(l.waiting, is)
	l.grant()
}

// grant gives the free places to those who may have them.
func (l *Large) grant() {
	l.waiting = slices.DeleteFunc(l.waiting, func(p *place) bool {
		inbound := 0
		for _, o := range l.held {
			if o.host == p.host {
				return false
			}
			if o.inbound {
				inbound++
			}
		}
		if len(l.held) >= maxLarge || p.inbound && inbound >= maxLargeInbound {
			return false
		}
		l.held = append(l.held, p)
		close(p.granted)
		return true
	})
}

// errWaited ends a connection that ended while its large message waited.
var errWaited = errors.New("the connection ended before its large message could be read")

// arrival is a large message that is being read. It is for the reader goroutine.
type arrival struct {
	rest  int       // bytes still to come
	got   int       // bytes since the message, or its latest step, began
	by    time.Time // when the step must be complete, once there is a place
	place *place
}

// reserve is called for each message and decoy once the length of its payload, n bytes,
// is known. settle ends what it begins.
func (p *Peer) reserve(n int) error {
	if p.cfg.Large == nil || n <= message.MaxSharesPayload {
		return nil
	}
	p.arrival = arrival{rest: n + packetRest - p.in.Buffered(), by: time.Now().Add(largePatience)}
	return nil
}

// admit waits until more of a large message may be read, and returns until when some
// must have arrived, the zero time if that is all the same.
func (p *Peer) admit() (time.Time, error) {
	a := &p.arrival
	if a.rest <= 0 {
		return time.Time{}, nil
	}
	if a.place == nil {
		if a.got < largeStart {
			return time.Time{}, nil
		}
		place := p.newPlace()
		if !p.cfg.Large.take(place, p.ctx.Done()) {
			return time.Time{}, errWaited
		}
		a.place, a.got = place, 0
		a.by = time.Now().Add(largePatience)
	}
	if a.got >= largeStep {
		a.got = 0
		a.by = time.Now().Add(largePatience)
	}
	return a.by, nil
}

// arrived notes bytes that were read.
func (p *Peer) arrived(n int) {
	p.arrival.rest -= n
	p.arrival.got += n
}

// newPlace returns a place for this peer, to be taken.
func (p *Peer) newPlace() *place {
	host := p.cfg.Host
	if host == "" {
		host = p.addr
	}
	return &place{host: host, inbound: p.cfg.Inbound}
}

// settle gives back what was reserved for a message that has been handled or goes, or for
// a decoy.
func (p *Peer) settle() {
	if place := p.arrival.place; place != nil {
		p.cfg.Large.give(place)
	}
	p.arrival = arrival{}
}
