package peer

import (
	"errors"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

const (
	// maxLarge is the number of large messages, longer than
	// message.MaxSharesPayload, that a node takes in at a time. Only a transaction
	// that nodes don't relay, or something of a later version, is as long. With the
	// encrypted bytes beside the plain ones they take 20 MiB at most.
	maxLarge = 8
	// largeTimeout bounds how long a large message may take to arrive, so that those
	// who trickle don't keep others from theirs: 1 MiB at 9 kB/s.
	largeTimeout = 2 * time.Minute
)

// Large limits the large messages that are on their way to a node from all its peers
// together, because each costs up to 2 MiB. Who comes too late waits, unread. A nil
// Large limits nothing. It is safe for concurrent use.
type Large struct{ slots chan struct{} }

// NewLarge returns the limit of a node.
func NewLarge() *Large { return &Large{make(chan struct{}, maxLarge)} }

// errWaited ends a connection that ended while its large message waited.
var errWaited = errors.New("the connection ended before its large message could be read")

// reserve waits until a payload of n bytes may be read. The reader goroutine calls it
// for each message, once its length is known; settle ends the reservation.
func (p *Peer) reserve(n int) error {
	if p.cfg.Large == nil || n <= message.MaxSharesPayload {
		return nil
	}
	if p.large == 0 { // else after a decoy, which is gone by now
		select {
		case p.cfg.Large.slots <- struct{}{}:
		case <-p.ctx.Done():
			return errWaited
		}
		p.large++
	}
	_ = p.cfg.Conn.SetReadDeadline(time.Now().Add(largeTimeout))
	return nil
}

// settle gives back what was reserved for a message that has been handled.
func (p *Peer) settle() {
	for ; p.large > 0; p.large-- {
		<-p.cfg.Large.slots
	}
}
