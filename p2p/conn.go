package p2p

import (
	"cmp"
	"context"
	"net"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/compact"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

// link is how a connection is to be run.
type link struct {
	caller *caller          // of an inbound connection; nil: we dialed
	kind   ConnectionKind   // empty of inbound ones
	v2     bool             // allow the v2 transport
	ready  func(*peer.Peer) // called after the handshake, if not nil
}

// ConnectionKind says what a connection is for.
type ConnectionKind string

// The kinds, by Bitcoin Core's names where it has such connections.
const (
	KindInbound   ConnectionKind = "inbound"
	KindManual    ConnectionKind = "manual"     // to a node that the operator named
	KindFull      ConnectionKind = "full-relay" // to a found node
	KindShareOnly ConnectionKind = "share-only" // likewise; no word about addresses
	KindLAN       ConnectionKind = "lan"        // to a node of the local network
	KindAddrFetch ConnectionKind = "addr-fetch" // to a seed, for the addresses it knows
)

// runInbound runs an admitted inbound connection to its end.
func (s *Server) runInbound(ctx context.Context, conn net.Conn, c *caller) {
	_, err := s.runPeer(ctx, conn, link{caller: c, v2: !s.cfg.V1Only})
	s.cfg.Log.Debugf("Inbound peer %s: %v", conn.RemoteAddr(), err)
	s.punish(conn.RemoteAddr().String(), err)
	s.mu.Lock()
	delete(s.callers.list, c)
	s.mu.Unlock()
}

// runPeer runs a connection to its end and returns whom it led to and why it ended.
// If ready disconnects the peer, as after a feeler, that does not join the others.
func (s *Server) runPeer(ctx context.Context, conn net.Conn, l link) (node, error) {
	kind, meter := identityOf(conn.RemoteAddr()), s.newMeter(conn.RemoteAddr())
	host, _ := addrHost(conn.RemoteAddr())
	// The handshake and Handle run in the reader goroutine, as all that sets these.
	var id netsync.PeerID
	var told chainhash.Hash // our tip in our version message
	p := peer.New(peer.Config{
		Conn:      conn,
		Inbound:   l.caller != nil,
		Magic:     s.cfg.Params.Magic,
		ChainID:   s.cfg.Params.ChainID,
		V2:        l.v2,
		Exchanges: s.exchanges,
		Version: func() *message.Version {
			v := s.version(s.nonces[kind])
			kind.disguise(v)
			told = v.Best
			return v
		},
		OwnNonce: func(nonce uint64) bool { return s.nonces.own(kind, nonce) },
		Ready: func(p *peer.Peer) {
			if l.ready != nil {
				l.ready(p)
			}
			if !ended(p) {
				if id = s.join(p, l, told); id != 0 {
					s.txs.Connected(compact.PeerID(id), s.originOf(p.RemoteAddr(), nodeOf(p)), p.Inbound())
					s.tellBlocks(id)
				}
			}
		},
		Handle: func(p *peer.Peer, m message.Message) { s.handle(p, id, m) },
		Budget: meter,
		Large:  s.budgets.large, LargeOut: s.budgets.largeOut, Host: host,
		Log: s.cfg.Log,
	})
	if l.caller != nil {
		s.mu.Lock()
		l.caller.attach(p)
		s.mu.Unlock()
	}
	err := p.Run(ctx)
	s.forget(meter)
	if id != 0 {
		s.txs.Disconnected(compact.PeerID(id))
		s.leave(id)
	}
	return nodeOf(p), err
}

// join introduces a peer to the Manager after its handshake. It returns 0 for one
// that may not stay, as there is another connection with the same node.
func (s *Server) join(p *peer.Peer, l link, told chainhash.Hash) netsync.PeerID {
	var id netsync.PeerID
	s.step(func(m *netsync.Manager, now time.Time) []netsync.Action {
		if l.caller != nil {
			l.caller.pending = false
		}
		if !s.settleDuplicates(p) {
			p.Disconnect(peer.ReasonDuplicate, nil)
			return nil
		}
		s.lastID++
		id = s.lastID
		s.peers[id] = p
		s.kinds[id] = cmp.Or(l.kind, KindInbound)
		if l.kind != KindShareOnly {
			s.joinGossip(now, id, p)
		}
		return m.Connected(now, id, p.Inbound(), p.Version(), told)
	})
	if err := s.banned(p.Addr()); err != nil { // since the connection was made
		p.Disconnect(peer.ReasonRequested, err)
	}
	switch {
	case id == 0:
	case l.caller == nil:
		s.cfg.Log.Infof("Connected to peer %s %s", p.Addr(), p.Version().UserAgent)
	default:
		s.cfg.Log.Debugf("Inbound peer %s %s", p.Addr(), p.Version().UserAgent)
	}
	return id
}

// leave takes a peer out after its connection has ended.
func (s *Server) leave(id netsync.PeerID) {
	s.step(func(m *netsync.Manager, now time.Time) []netsync.Action {
		delete(s.peers, id)
		delete(s.kinds, id)
		s.dropBlocks(id)
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

// handle takes a message of a peer. It runs in the peer's reader goroutine and
// may take as long as the work that the message causes.
func (s *Server) handle(p *peer.Peer, id netsync.PeerID, msg message.Message) {
	if s.receiveGossip(p, id, msg) || s.receiveTxs(p, id, msg) {
		return
	}
	if s.loading.Load() {
		s.receive(p, id, msg)
		return
	}
	wants := func(share chainhash.Hash) bool { return s.wants(id, share) }
	judge, announced := meterOf(p).sift(time.Now(), s.cfg.Chain, wants, msg)
	for _, msg := range []message.Message{judge, announced} {
		if msg != nil {
			s.receive(p, id, msg)
		}
	}
}

// receive gives a message to the Manager and does the work that follows.
func (s *Server) receive(p *peer.Peer, id netsync.PeerID, msg message.Message) {
	work := s.step(func(m *netsync.Manager, now time.Time) []netsync.Action {
		return m.Receive(now, id, msg)
	})
	for _, a := range work {
		switch a := a.(type) {
		case *netsync.Verify:
			s.verify(p, a)
		case *netsync.Serve:
			s.serve(p, a.Request)
		}
	}
}

// judge has the chain judge shares together and tells the Manager. Of a
// chunk with an invalid share the later ones are judged too, though their sender
// is about to be disconnected. It reports false if the sender went before.
func (s *Server) judge(p *peer.Peer, from netsync.PeerID, chunk []*share.Share, root chainhash.Hash) bool {
	errs := s.verdicts(p, chunk, root)
	if errs == nil {
		return false
	}
	s.publish(s.step(func(m *netsync.Manager, now time.Time) (all []netsync.Action) {
		if slices.Contains(errs, nil) {
			s.noteNews(now, from)
		}
		for i, sh := range chunk {
			all = append(all, m.Verdict(now, from, sh, errs[i])...)
		}
		return all
	}))
	for i, sh := range chunk {
		if errs[i] == nil {
			s.accepted(sh.ID())
		}
	}
	if s.cfg.Log.Level() <= slog.LevelTrace {
		for i, err := range errs {
			if err != nil {
				s.cfg.Log.Tracef("Share %v of peer %d: %v", chunk[i].ID(), from, err)
			}
		}
	}
	return true
}

// publish carries out the Publish actions that follow from a verdict.
func (s *Server) publish(work []netsync.Action) {
	for _, a := range work {
		if a, ok := a.(*netsync.Publish); ok {
			s.Announce(a.ID)
		}
	}
}
