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
	// be one, and any other error if that can't be told before the next SetTemplate.
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
// peers needn't send them. Blocks knows the template already: blocks of peers that waited
// for one are taken now.
func (s *Server) SetTemplate(txs []*compact.Tx) {
	s.txs.SetTemplate(txs)
	s.retryBlocks()
}

// Mined tells of the transactions of a share found here, before the chain gets it.
func (s *Server) Mined(sh *share.Share, txs []*compact.Tx) {
	s.txs.Mined(sh.ID(), sh.Data.Height, txs)
}

// FoundBlock sends a block found here, perhaps by an earlier run, to all peers, so that
// they submit it too, and to those that connect later until BlockSettled is called. Run
// needn't have begun.
func (s *Server) FoundBlock(b *compact.Block) {
	s.txs.Found(b)
	s.announceBlock(b.Share.ID())
}

// BlockSettled ends what FoundBlock began.
func (s *Server) BlockSettled(id chainhash.Hash) { s.txs.Settled(id) }

// OpenBlocks returns the blocks that peers are told of when they connect, the oldest first.
func (s *Server) OpenBlocks() []chainhash.Hash { return s.txs.Open() }

// tellBlocks tells a new peer of the blocks that are open. Nobody but their finder does, so
// it links the ways to this node for who connects over several; a block is worth that.
func (s *Server) tellBlocks(id netsync.PeerID) {
	for _, block := range s.txs.Open() {
		s.sendTxs(s.txs.AnnounceBlock(block, []compact.PeerID{compact.PeerID(id)}))
	}
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
		if s.loading.Load() {
			return true // its share isn't known
		}
		res, err = s.txs.List(now, from, m)
	case *message.ShareTxn:
		res, err = s.txs.Txns(from, m)
	case *message.GetShareTxn:
		var out []message.Message
		out, err = s.txs.Answer(from, m)
		meterOf(p).Served(time.Now(), time.Since(now))
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
	if id := res.Complete; id != (chainhash.Hash{}) && s.verifyTxs(p, id) {
		res.Complete = chainhash.Hash{} // to be passed on when it is judged
	}
	s.followTxs(res)
	return true
}

// verifyTxs has the block that a share would be judged by the Bitcoin node, if that is
// wanted, before its transactions are passed on. It reports false if nobody judges it:
// that takes a while, one at a time is under way, and the others are left.
//
// Who sent the transactions may have got them from another node that doesn't look: it is
// disconnected, but not kept out.
func (s *Server) verifyTxs(p *peer.Peer, id chainhash.Hash) bool {
	s.mu.Lock()
	ctx := s.runCtx
	s.mu.Unlock()
	if s.cfg.VerifyTxs == nil || ctx == nil || !s.verifying.TryLock() {
		return false
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
		err = s.cfg.VerifyTxs(ctx, sh, s.txs.Transactions(id))
		if _, rule := errors.AsType[share.RuleError](err); rule {
			p.Disconnect(peer.ReasonTemplate, err)
			return
		}
		s.announceTxs(id)
	})
	return true
}

// receiveBlock submits a block before anything else, and then has its share judged.
func (s *Server) receiveBlock(p *peer.Peer, id netsync.PeerID, m *message.Block) error {
	sh, err := share.Decode(m.Share)
	if err != nil {
		return err
	}
	if _, err := sh.CheckSanity(&s.cfg.Params.ChainID); err != nil {
		return err
	}
	if s.cfg.Blocks != nil {
		return s.takeBlock(p, id, sh, m)
	}
	s.handle(p, id, &message.Shares{Raw: [][]byte{m.Share}})
	return nil
}

// takeBlock submits a block and has its share judged, once it can be told that it is one.
// Until then it waits. Its share doesn't go to the chain meanwhile: if it turned out to be
// invalid, whoever brought it could not be told from one who is not to blame. It comes by
// itself as well. An error is a share.RuleError.
func (s *Server) takeBlock(p *peer.Peer, id netsync.PeerID, sh *share.Share, m *message.Block) error {
	decided, err := s.checkBlock(sh)
	if err != nil {
		return err
	}
	if !decided {
		s.keepBlock(waitingBlock{from: id, peer: p, id: sh.ID(), msg: m})
		if decided, _ := s.checkBlock(sh); decided { // a template came before it was kept
			s.retryBlocks()
		}
		return nil
	}
	res, err := s.txs.Block(time.Now(), compact.PeerID(id), sh, m)
	if err != nil {
		return err
	}
	s.followTxs(res)
	if !s.loading.Load() {
		s.judgeBlock(p, id, sh)
	}
	return nil
}

// judgeBlock has the chain judge the share of a block. It was passed on before, as
// everybody does, so whoever brought it is not to blame if it is invalid.
func (s *Server) judgeBlock(p *peer.Peer, id netsync.PeerID, sh *share.Share) {
	errs := s.verdicts(p, []*share.Share{sh}, chainhash.Hash{})
	if errs == nil {
		return
	}
	if _, rule := errors.AsType[share.RuleError](errs[0]); rule {
		s.cfg.Log.Debugf("Block %v of peer %s is no valid share: %v", sh.ID(), p.Addr(), errs[0])
		return
	}
	s.publish(s.step(func(m *netsync.Manager, now time.Time) []netsync.Action {
		return m.Verdict(now, id, sh, errs[0])
	}))
	if errs[0] == nil {
		s.accepted(sh.ID())
	}
}

// accepted does what waited for a share of a peer to be valid.
func (s *Server) accepted(id chainhash.Hash) {
	if s.txs.Has(id) {
		s.announceTxs(id) // it was complete before those we relayed to had the share
		return
	}
	for _, e := range s.txs.TakeEarly(id) {
		from := netsync.PeerID(e.From)
		s.mu.Lock()
		p := s.peers[from]
		s.mu.Unlock()
		if p != nil {
			s.receiveTxs(p, from, e.List)
		}
	}
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
