package p2p

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"github.com/p2poold/p2poold/p2p/dialer"
	"github.com/p2poold/p2poold/p2p/peer"
)

// keepConnected dials an address for ever, with growing pauses, and runs the
// connection whenever there is one. While its node is connected otherwise, it waits
// for the end of that.
func (s *Server) keepConnected(ctx context.Context, addr string) {
	pause, failures := s.backoffMin, 0
	var last node // that the address led to
	for {
		if _, ok := s.awaitFree(ctx, last); !ok {
			return
		}
		d := s.dialAndRun(ctx, addr, link{kind: KindManual, ready: s.readyNamed})
		if ctx.Err() != nil {
			return
		}
		if e, ok := errors.AsType[*peer.Error](d.err); ok && e.Reason == peer.ReasonSelf {
			s.cfg.Log.Warnf("%s is this node itself; it is not dialed again", addr)
			return
		}
		if d.node != (node{}) {
			last = d.node
		}
		waited, ok := s.awaitFree(ctx, last)
		if !ok {
			return
		}
		if d.lived >= backoffReset || waited {
			pause, failures = s.backoffMin, 0
		}
		// The first failure in a row is for the operator, the rest would only
		// repeat it.
		if failures++; failures == 1 && !waited {
			s.cfg.Log.Infof("No connection to %s: %v; it is tried again", addr, d.err)
		} else {
			s.cfg.Log.Debugf("No connection to %s after %d attempts: %v", addr, failures, d.err)
		}
		if !wait(ctx, jitter(pause)) {
			return
		}
		pause = min(2*pause, backoffMax)
	}
}

func (s *Server) dial(ctx context.Context, addr string) (net.Conn, error) {
	if err := s.banned(addr); err != nil {
		return nil, err
	}
	conn, err := s.dialer.Dial(ctx, addr)
	if err != nil {
		s.noteProxy(err)
		return nil, err
	}
	if err := s.banned(conn.RemoteAddr().String()); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// proxyReminder is how often the log repeats that a proxy is out of reach.
const proxyReminder = 10 * time.Minute

// buildDialer makes the dialer of the configuration.
func (s *Server) buildDialer() (err error) {
	routes := s.cfg.Routes
	if routes.I2PPort == 0 {
		routes.I2PPort = s.cfg.Params.DefaultP2PPort
	}
	routes.Direct = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return s.cfg.Dial(ctx, network, addr)
	}
	s.dialer, err = dialer.New(routes)
	return err
}

// noteProxy tells in the log, now and then, if a dial failed because a proxy cannot
// be reached: no other will get through then.
func (s *Server) noteProxy(err error) {
	e, ok := errors.AsType[*dialer.ProxyError](err)
	if !ok || errors.Is(err, context.Canceled) {
		return
	}
	now := time.Now()
	s.mu.Lock()
	due := now.Sub(s.proxyNoted[e.Proxy]) >= proxyReminder
	if due {
		s.proxyNoted[e.Proxy] = now // three proxies at most
	}
	s.mu.Unlock()
	if due {
		s.cfg.Log.Warnf("%v; is it running?", e)
	}
}

// jitter varies a pause by a quarter either way, so that nodes that lost the
// same peer don't return all at once.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1)
}
