package peer

import (
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// Budget decides how fast the messages of a peer are taken. Its methods must be
// safe for concurrent use and must not block.
type Budget interface {
	// Sent is called for each message that is queued for the peer.
	Sent(m message.Message)
	// Received is called in the reader goroutine for each message after the
	// handshake, of so many bytes with its frame, before it is handled, and before
	// that for the decoys that came with it, as for one unknown message. It returns how
	// long to wait, and false if the connection shall end because the peer sends too
	// much.
	Received(m message.Message, size int) (wait time.Duration, ok bool)
}

// decoys stands for the decoys before a message, which are charged as an unknown
// command is: room for them is as much.
var decoys = &message.Unknown{Name: "decoys"}

// Budget returns that of the configuration.
func (p *Peer) Budget() Budget { return p.cfg.Budget }

// queued tells the budget of a message to the peer.
func (p *Peer) queued(m message.Message) {
	if p.cfg.Budget != nil {
		p.cfg.Budget.Sent(m)
	}
}

// charge waits until a received message may be handled and returns it, nil if it is not
// to be handled, and whether the connection goes on. As long as it waits nothing is read:
// the peer's TCP notices.
//
// A large message that would have to wait is not kept for so long, as its place is
// wanted by others: it goes, and the place with it. No honest peer misses it. It is not
// what we asked for, which never waits, and the only type as long as that answers
// questions; the others are unknown ones, which nobody handles. The wait for decoys that
// came before it is not its own: a message that needn't wait is handled first, and what
// the decoys owe is waited for behind it.
func (p *Peer) charge(m message.Message) (message.Message, bool) {
	if p.cfg.Budget == nil {
		return m, true
	}
	// The message comes last: it is what is handled next.
	before, ok := time.Duration(0), true
	if n := p.transport.takeDecoys(); n > 0 {
		before, ok = p.cfg.Budget.Received(decoys, n)
	}
	wait, fine := p.cfg.Budget.Received(m, p.wireSize(m))
	if !ok || !fine {
		p.Disconnect(ReasonTooMuch, nil)
		return nil, false
	}
	if wait <= 0 {
		p.owed = before
		return m, true
	}
	if p.arrival.place != nil {
		m = nil
		p.settle()
	}
	if !p.holdBack(max(wait, before)) {
		return nil, false
	}
	return m, true
}

// holdBack waits before anything more is read, and reports whether the connection goes on.
func (p *Peer) holdBack(wait time.Duration) bool {
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}
