package peer

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// TestLargeDecoys: peers that send one large decoy after the other hold one place each.
func TestLargeDecoys(t *testing.T) {
	limit := NewLarge()
	feed := func(decoys int) *Peer {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		p := &Peer{cfg: Config{Conn: a, Large: limit}}
		p.ctx, p.cancel = context.WithCancelCause(context.Background())
		t.Cleanup(func() { p.cancel(nil) })
		r := v2Receiver(t, a)
		r.setLimit(message.MaxPayload) // as after the handshake
		r.reserve = p.reserve
		go func() {
			s := v2Sender(t)
			for range decoys {
				pkt, err := s.seal(nil, make([]byte, message.MaxSharesPayload+message.TypeSize+1), nil, ignoreBit)
				if err != nil {
					return
				}
				if _, err := b.Write(pkt); err != nil {
					return
				}
			}
		}()
		go func() { r.next() }()
		return p
	}
	feed(5)
	feed(5)
	honest := make(chan struct{})
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	p := &Peer{cfg: Config{Conn: a, Large: limit}}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	defer p.cancel(nil)
	go func() {
		if p.reserve(message.MaxSharesPayload+1) == nil {
			close(honest)
		}
	}()
	select {
	case <-honest:
	case <-time.After(3 * time.Second):
		t.Error("an honest peer's large message is never read")
	}
}
