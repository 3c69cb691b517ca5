package p2p

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/compact"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

// Blocks is where shares go that are Bitcoin blocks. Its methods must be safe for
// concurrent use.
type Blocks interface {
	// CheckBlock returns nil if the share, whose body belongs to its header, is a
	// Bitcoin block as far as its proof of work goes, a share.RuleError if it cannot
	// be one, and any other error if that can't be told.
	CheckBlock(s *share.Share) error
	// SubmitBlock hands a block to the Bitcoin node, each once. It does not wait.
	SubmitBlock(b *compact.Block)
}

// newTxRelay returns the relay of the shares' transactions.
func newTxRelay(c Chain) *compact.Relay {
	return compact.New(compact.Config{Share: func(id chainhash.Hash) (*share.Share, error) {
		raw, err := c.Share(id)
		if err != nil {
			return nil, err
		}
		return share.Decode(raw)
	}})
}

// SetTemplate tells of the transactions that our own Bitcoin node proposes, so that
// peers needn't send them.
func (s *Server) SetTemplate(txs []*compact.Tx) { s.txs.SetTemplate(txs) }

// Mined tells of the transactions of a share found here, before the chain gets it.
func (s *Server) Mined(sh *share.Share, txs []*compact.Tx) {
	s.txs.Mined(sh.ID(), sh.Data.Height, txs)
}

// FoundBlock sends a block found here to all peers, so that they submit it too.
func (s *Server) FoundBlock(b *compact.Block) {
	s.txs.Found(b)
	s.announceBlock(b.Share.ID())
}

// TxStats returns the counters of the relay of transactions.
func (s *Server) TxStats() compact.Stats { return s.txs.Stats() }

// receiveTxs takes a message about transactions. It reports false for others.
func (s *Server) receiveTxs(p *peer.Peer, id netsync.PeerID, msg message.Message) bool {
	var res compact.Result
	var err error
	from, now := compact.PeerID(id), time.Now()
	switch m := msg.(type) {
	case *message.CmpctShare:
		res, err = s.txs.List(now, from, m)
	case *message.ShareTxn:
		res, err = s.txs.Txns(from, m)
	case *message.GetShareTxn:
		var out []message.Message
		out, err = s.txs.Answer(from, m)
		for _, m := range out {
			if !p.SendWait(m) {
				break
			}
		}
	case *message.Block:
		err = s.receiveBlock(p, id, m)
	default:
		return false
	}
	if err != nil {
		p.Disconnect(peer.ReasonMisbehaviour, err)
	}
	s.followTxs(res)
	if res.Complete != (chainhash.Hash{}) {
		s.verifyTxs(p, res.Complete)
	}
	return true
}

// verifyTxs has the block that a share would be judged by the Bitcoin node, if that is
// wanted. That takes a while: one at a time is under way, and the others are left.
func (s *Server) verifyTxs(p *peer.Peer, id chainhash.Hash) {
	verify := s.cfg.VerifyTxs
	if verify == nil || !s.verifying.TryLock() {
		return
	}
	s.wg.Go(func() { // before Run waits, as its peer's goroutine calls this
		defer s.verifying.Unlock()
		raw, err := s.cfg.Chain.Share(id)
		if err != nil {
			return
		}
		sh, err := share.Decode(raw)
		if err != nil {
			return
		}
		err = verify(sh, s.txs.Transactions(id))
		if _, rule := errors.AsType[share.RuleError](err); rule {
			s.cfg.Log.Debugf("Peer %s: %v", p.Addr(), err)
			p.Disconnect(peer.ReasonMisbehaviour, err)
		}
	})
}

// receiveBlock submits a block before anything else, and then treats its share like
// any other.
func (s *Server) receiveBlock(p *peer.Peer, id netsync.PeerID, m *message.Block) error {
	sh, err := share.Decode(m.Share)
	if err != nil {
		return err
	}
	if _, err := sh.CheckSanity(&s.cfg.Params.ChainID); err != nil {
		return err
	}
	if s.cfg.Blocks != nil {
		err := s.cfg.Blocks.CheckBlock(sh)
		if err == nil {
			var res compact.Result
			if res, err = s.txs.Block(time.Now(), compact.PeerID(id), sh, m); err == nil {
				s.followTxs(res)
			}
		}
		if _, rule := errors.AsType[share.RuleError](err); rule {
			return err
		}
	}
	s.handle(p, id, &message.Shares{Raw: [][]byte{m.Share}})
	return nil
}

// followTxs carries out what follows from a message about transactions.
func (s *Server) followTxs(res compact.Result) {
	if res.Block != nil {
		s.cfg.Blocks.SubmitBlock(res.Block)
		s.announceBlock(res.Block.Share.ID())
	}
	s.sendTxs(res.Send)
	if res.Complete != (chainhash.Hash{}) {
		s.announceTxs(res.Complete)
	}
}

// announceTxs sends the list of a share to those peers that have the share. It is
// called when either has become known: the list may be complete before the share
// is relayed.
func (s *Server) announceTxs(id chainhash.Hash) {
	s.mu.Lock()
	to := s.byIdentity(s.manager.Told(id))
	s.mu.Unlock()
	for _, peers := range to {
		s.sendTxs(s.txs.Announce(id, peers))
	}
}

// announceBlock sends a block to all peers.
func (s *Server) announceBlock(id chainhash.Hash) {
	s.mu.Lock()
	to := s.byIdentity(slices.Sorted(maps.Keys(s.peers)))
	s.mu.Unlock()
	for _, peers := range to {
		s.sendTxs(s.txs.AnnounceBlock(id, peers))
	}
}

// byIdentity sorts peers by the way to them. The lists of one announcement have one
// nonce, by which it could be told that several ways lead to this node. The caller
// holds the lock.
func (s *Server) byIdentity(ids []netsync.PeerID) (list [numIdentities][]compact.PeerID) {
	for _, id := range ids {
		if p := s.peers[id]; p != nil {
			kind := identityOf(p.RemoteAddr())
			list[kind] = append(list[kind], compact.PeerID(id))
		}
	}
	return list
}

func (s *Server) sendTxs(list []compact.Send) {
	if len(list) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range list {
		if p := s.peers[netsync.PeerID(a.To)]; p != nil {
			p.Send(a.Message)
		}
	}
}
