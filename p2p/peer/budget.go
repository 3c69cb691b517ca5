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
	// handshake, of so many bytes with its frame, before it is handled. It returns
	// how long to wait before that, and false if the connection shall end because
	// the peer sends too much.
	Received(m message.Message, size int) (wait time.Duration, ok bool)
}

// Budget returns that of the configuration.
func (p *Peer) Budget() Budget { return p.cfg.Budget }

// queued tells the budget of a message to the peer.
func (p *Peer) queued(m message.Message) {
	if p.cfg.Budget != nil {
		p.cfg.Budget.Sent(m)
	}
}

// charge waits until a received message may be handled, and reports whether it may
// be at all. As long as it waits nothing is read: the peer's TCP notices.
func (p *Peer) charge(m message.Message) bool {
	if p.cfg.Budget == nil {
		return true
	}
	wait, ok := p.cfg.Budget.Received(m, p.wireSize(m))
	if !ok {
		p.Disconnect(ReasonTooMuch, nil)
		return false
	}
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
