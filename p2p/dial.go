package p2p

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"github.com/p2poold/p2poold/p2p/peer"
)

// keepConnected dials an address for ever, with growing pauses, and runs the
// connection whenever there is one.
func (s *Server) keepConnected(ctx context.Context, addr string) {
	pause, failures := s.backoffMin, 0
	for ctx.Err() == nil {
		lived, err := s.dialAndRun(ctx, addr, s.readyNamed)
		if ctx.Err() != nil {
			return
		}
		if e, ok := errors.AsType[*peer.Error](err); ok && e.Reason == peer.ReasonSelf {
			s.cfg.Log.Warnf("%s is this node itself; it is not dialed again", addr)
			return
		}
		if lived >= backoffReset {
			pause, failures = s.backoffMin, 0
		}
		// The first failure in a row is for the operator, the rest would only
		// repeat it.
		if failures++; failures == 1 {
			s.cfg.Log.Infof("No connection to %s: %v; it is tried again", addr, err)
		} else {
			s.cfg.Log.Debugf("No connection to %s after %d attempts: %v", addr, failures, err)
		}
		if !wait(ctx, jitter(pause)) {
			return
		}
		pause = min(2*pause, backoffMax)
	}
}

func (s *Server) dial(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return s.cfg.Dial(ctx, "tcp", addr)
}

// jitter varies a pause by a quarter either way, so that nodes that lost the
// same peer don't return all at once.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1)
}
