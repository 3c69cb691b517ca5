package p2p

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/peer"
)

const (
	// v1Memory is how long an address that speaks v1 only is not asked for v2
	// again. It costs nodes that are not updated one more dial an hour, and leaves
	// whoever forced a connection down to v1 no lasting effect.
	v1Memory = time.Hour
	// maxV1Nodes is the number of such addresses kept, some 100 kB.
	maxV1Nodes = 1000
)

// services is what this node offers.
func (s *Server) services() message.Services {
	if s.cfg.V1Only {
		return 0
	}
	return message.ServiceV2
}

// dialed is what became of a connection that this node made.
type dialed struct {
	node  node          // whom it led to; zero: nobody that is known
	lived time.Duration // 0: it was not made
	err   error         // why it ended; never nil
}

// dialAndRun makes one connection and runs it to its end. A node from before the v2
// transport takes its handshake for a malformed message and hangs up: it is dialed
// once more, with v1.
func (s *Server) dialAndRun(ctx context.Context, addr string, l link) dialed {
	l.v2 = !s.cfg.V1Only && !s.v1Nodes.has(addr)
	d := s.dialOnce(ctx, addr, l)
	if e, ok := errors.AsType[*peer.Error](d.err); !ok || e.Reason != peer.ReasonNoV2 {
		return d
	}
	s.cfg.Log.Debugf("%s hung up on the v2 handshake; trying v1", addr)
	ready := l.ready
	l.v2, l.ready = false, func(p *peer.Peer) {
		// A node that was merely busy says that it knows v2.
		if p.Version().Services&message.ServiceV2 == 0 {
			s.v1Nodes.add(addr)
		}
		ready(p)
	}
	return s.dialOnce(ctx, addr, l)
}

// dialOnce is dialAndRun with the transport that the link allows.
func (s *Server) dialOnce(ctx context.Context, addr string, l link) dialed {
	conn, err := s.dial(ctx, addr)
	if err != nil {
		return dialed{err: err}
	}
	start := time.Now()
	n, err := s.runPeer(ctx, conn, l)
	return dialed{n, time.Since(start), err}
}

// v1Nodes remembers addresses that speak v1 only. The zero value is empty. It is
// safe for concurrent use; its lock is a leaf.
type v1Nodes struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (n *v1Nodes) has(addr string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	until, ok := n.until[addr]
	if ok && time.Now().After(until) {
		delete(n.until, addr)
		return false
	}
	return ok
}

// add notes an address. When there are too many already, any other one goes.
func (n *v1Nodes) add(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.until == nil {
		n.until = make(map[string]time.Time)
	}
	for other := range n.until {
		if len(n.until) < maxV1Nodes {
			break
		}
		delete(n.until, other)
	}
	n.until[addr] = time.Now().Add(v1Memory)
}
