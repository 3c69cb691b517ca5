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

// dialAndRun makes one connection, runs it to its end and returns how long it
// lived and why it ended. A node from before the v2 transport takes its handshake
// for a malformed message and hangs up: it is dialed once more, with v1. ready is
// called after the handshake.
func (s *Server) dialAndRun(ctx context.Context, addr string, ready func(*peer.Peer)) (time.Duration, error) {
	v2 := !s.cfg.V1Only && !s.v1Nodes.has(addr)
	lived, err := s.dialWith(ctx, addr, v2, ready)
	if e, ok := errors.AsType[*peer.Error](err); !ok || e.Reason != peer.ReasonNoV2 {
		return lived, err
	}
	s.cfg.Log.Debugf("%s hung up on the v2 handshake; trying v1", addr)
	return s.dialWith(ctx, addr, false, func(p *peer.Peer) {
		// A node that was merely busy says that it knows v2.
		if p.Version().Services&message.ServiceV2 == 0 {
			s.v1Nodes.add(addr)
		}
		ready(p)
	})
}

// dialWith is dialAndRun with a given transport. ready, if any, is called after
// the handshake.
func (s *Server) dialWith(ctx context.Context, addr string, v2 bool, ready func(*peer.Peer)) (time.Duration, error) {
	conn, err := s.dial(ctx, addr)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	err = s.runTransport(ctx, conn, "", v2, ready)
	return time.Since(start), err
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
