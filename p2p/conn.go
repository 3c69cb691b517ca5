package p2p

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

// runInbound runs an admitted inbound connection to its end.
func (s *Server) runInbound(ctx context.Context, conn net.Conn, group string) {
	err := s.runPeer(ctx, conn, group)
	s.cfg.Log.Debugf("Inbound peer %s: %v", conn.RemoteAddr(), err)
	s.mu.Lock()
	s.inbound--
	s.mu.Unlock()
}

// runPeer runs a connection with the transport of the configuration to its end.
func (s *Server) runPeer(ctx context.Context, conn net.Conn, group string) error {
	return s.runTransport(ctx, conn, group, !s.cfg.V1Only, nil)
}

// runTransport runs a connection to its end and returns why it ended. group is the
// address group of an inbound connection, empty for an outbound one. v2 allows the
// v2 transport. ready, if any, is called after the handshake; if it disconnects the
// peer, as after a feeler, that does not join the others.
func (s *Server) runTransport(ctx context.Context, conn net.Conn, group string, v2 bool, ready func(*peer.Peer)) error {
	inbound := group != ""
	nonce := rand.Uint64()
	var id netsync.PeerID // set by Ready, in the reader goroutine
	p := peer.New(peer.Config{
		Conn:      conn,
		Inbound:   inbound,
		Magic:     s.cfg.Params.Magic,
		ChainID:   s.cfg.Params.ChainID,
		V2:        v2,
		Exchanges: s.exchanges,
		Version:   func() *message.Version { return s.version(nonce) },
		OwnNonce:  s.ownNonce,
		Ready: func(p *peer.Peer) {
			if ready != nil {
				ready(p)
			}
			select {
			case <-p.Done():
			default:
				id = s.join(p, group)
			}
		},
		Handle: func(p *peer.Peer, m message.Message) { s.handle(p, id, m) },
		Log:    s.cfg.Log,
	})
	s.mu.Lock()
	s.nonces[nonce] = false
	s.mu.Unlock()

	err := p.Run(ctx)

	s.mu.Lock()
	if s.nonces[nonce] {
		// The other end, which noticed, is ours too; this one only saw it hang up.
		err = &peer.Error{Reason: peer.ReasonSelf}
	}
	delete(s.nonces, nonce)
	if inbound && id == 0 {
		s.settled(group)
	}
	s.mu.Unlock()
	if id != 0 {
		s.leave(id)
	}
	return err
}

// join introduces a peer to the Manager after its handshake.
func (s *Server) join(p *peer.Peer, group string) netsync.PeerID {
	var id netsync.PeerID
	s.step(func(m *netsync.Manager, now time.Time) []netsync.Action {
		if group != "" {
			s.settled(group)
		}
		s.lastID++
		id = s.lastID
		s.peers[id] = p
		s.joinGossip(now, id, p)
		return m.Connected(now, id, p.Inbound(), p.Version())
	})
	if group == "" {
		s.cfg.Log.Infof("Connected to peer %s %s", p.Addr(), p.Version().UserAgent)
	} else {
		s.cfg.Log.Debugf("Inbound peer %s %s", p.Addr(), p.Version().UserAgent)
	}
	return id
}

// leave takes a peer out after its connection has ended.
func (s *Server) leave(id netsync.PeerID) {
	s.step(func(m *netsync.Manager, now time.Time) []netsync.Action {
		delete(s.peers, id)
		s.finder.gossip.leave(id)
		return m.Disconnected(now, id)
	})
}

// version returns our introduction.
func (s *Server) version(nonce uint64) *message.Version {
	id, height, work := s.cfg.Chain.Tip()
	v := &message.Version{
		Protocol:  message.ProtocolVersion,
		Services:  s.services(),
		Time:      time.Now().Unix(),
		Nonce:     nonce,
		UserAgent: s.cfg.UserAgent,
		ChainID:   s.cfg.Params.ChainID,
		Best:      id,
		Height:    height,
		Work:      work,
		Mode:      s.cfg.Mode,
	}
	if tcp, ok := s.Addr().(*net.TCPAddr); ok {
		v.Port = uint16(tcp.Port)
	}
	return v
}

// ownNonce reports whether a version's nonce is one of ours, and notes it.
func (s *Server) ownNonce(nonce uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, own := s.nonces[nonce]
	if own {
		s.nonces[nonce] = true
	}
	return own
}

// handle takes a message of a peer. It runs in the peer's reader goroutine and
// may take as long as the work that the message causes.
func (s *Server) handle(p *peer.Peer, id netsync.PeerID, msg message.Message) {
	if s.receiveGossip(p, id, msg) {
		return
	}
	work := s.step(func(m *netsync.Manager, now time.Time) []netsync.Action {
		return m.Receive(now, id, msg)
	})
	for _, a := range work {
		switch a := a.(type) {
		case *netsync.Verify:
			s.verify(p, a)
		case *netsync.Serve:
			netsync.Answer(s.cfg.Chain, a.Request, p.SendWait)
		}
	}
}

// verify has the chain judge shares in order, a chunk at a time while their sender
// stays.
func (s *Server) verify(p *peer.Peer, v *netsync.Verify) {
	for rest := v.Shares; len(rest) > 0; {
		select {
		case <-p.Done():
			s.publish(s.step(func(m *netsync.Manager, now time.Time) []netsync.Action {
				return m.Unverified(now, rest)
			}))
			return
		default:
		}
		chunk := rest[:min(len(rest), verifyChunk)]
		s.judge(v.From, chunk, v.Root)
		rest = rest[len(chunk):]
	}
}

// judge has the chain judge shares together and tells the Manager. Of a
// chunk with an invalid share the later ones are judged too, though their sender
// is about to be disconnected.
func (s *Server) judge(from netsync.PeerID, chunk []*share.Share, root chainhash.Hash) {
	errs := s.cfg.Chain.AcceptAll(chunk, root)
	s.publish(s.step(func(m *netsync.Manager, now time.Time) (all []netsync.Action) {
		if slices.Contains(errs, nil) {
			s.noteNews(now, from)
		}
		for i, sh := range chunk {
			all = append(all, m.Verdict(now, from, sh, errs[i])...)
		}
		return all
	}))
	if s.cfg.Log.Level() <= slog.LevelTrace {
		for i, err := range errs {
			if err != nil {
				s.cfg.Log.Tracef("Share %v of peer %d: %v", chunk[i].ID(), from, err)
			}
		}
	}
}

// publish carries out the Publish actions that follow from a verdict.
func (s *Server) publish(work []netsync.Action) {
	for _, a := range work {
		if a, ok := a.(*netsync.Publish); ok {
			s.Announce(a.ID)
		}
	}
}
