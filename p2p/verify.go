package p2p

import (
	"context"
	"time"

	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

// verifyFetched has the chain judge what syncs have fetched, in the order in which the
// Manager hands it out. This is nobody's reader goroutine, as the shares are those of
// many peers in turn: each of them is read on meanwhile. The Manager bounds what
// they can send ahead.
func (s *Server) verifyFetched(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case v := <-s.toVerify:
			s.mu.Lock()
			p := s.peers[v.From]
			s.mu.Unlock()
			s.verify(p, v)
		}
	}
}

// verify has the chain judge shares in order, a chunk at a time while their sender
// stays; p is nil if it has gone already.
func (s *Server) verify(p *peer.Peer, v *netsync.Verify) {
	for rest := v.Shares; len(rest) > 0; {
		chunk := rest[:min(len(rest), verifyChunk)]
		if p == nil || ended(p) || !s.judge(p, v.From, chunk, v.Root) {
			s.publish(s.step(func(m *netsync.Manager, now time.Time) []netsync.Action {
				return m.Unverified(now, rest)
			}))
			return
		}
		rest = rest[len(chunk):]
	}
}
