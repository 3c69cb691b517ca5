package p2p

import (
	"errors"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/netsync"
	"github.com/p2poold/p2poold/p2p/peer"
)

// maxWaitingBlocks is the number of messages of blocks that wait until it can be told
// whether they are blocks: one for each of the blocks that a finder tells of as we connect
// (MaxOpenBlocks), from whomever. At message.Block's cap they take 1 MB.
const maxWaitingBlocks = MaxOpenBlocks

// waitingBlock is a block that came before this node could compare its difficulty with
// Bitcoin's: the first template is made some seconds after a start, and peers tell of open
// blocks once in a connection, as it begins.
type waitingBlock struct {
	from netsync.PeerID
	peer *peer.Peer
	id   chainhash.Hash
	msg  *message.Block
}

// keepBlock has a block wait: of each peer the one that had most work, and of all those
// that had most. So whoever has all places to himself has solved as many blocks.
// It was charged to the budget of its peer when it came. Its body belongs to its header.
func (s *Server) keepBlock(b waitingBlock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peers[b.from] == nil {
		return
	}
	s.waiting = append(s.waiting, b)
	slices.SortStableFunc(s.waiting, func(a, b waitingBlock) int {
		x, y := target.HashToUint256(&a.id), target.HashToUint256(&b.id)
		return x.Cmp(&y)
	})
	had := make(map[netsync.PeerID]bool)
	s.waiting = slices.DeleteFunc(s.waiting, func(b waitingBlock) bool {
		again := had[b.from]
		had[b.from] = true
		return again
	})
	s.waiting = slices.Delete(s.waiting, min(len(s.waiting), maxWaitingBlocks), len(s.waiting))
}

// dropBlocks lets go of what waits of a peer that has gone: it tells of the block again when
// it is back, and nobody else can be asked for what is missing of it. The caller holds the
// lock.
func (s *Server) dropBlocks(from netsync.PeerID) {
	s.waiting = slices.DeleteFunc(s.waiting, func(b waitingBlock) bool { return b.from == from })
}

// retryBlocks takes the blocks that wait as if they came now, the one with most work first.
// It doesn't wait for the end of it.
func (s *Server) retryBlocks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.waiting
	if len(list) == 0 || s.runCtx == nil {
		return
	}
	s.waiting = nil
	s.wg.Go(func() {
		for _, b := range list {
			sh, err := share.Decode(b.msg.Share)
			if err == nil {
				err = s.takeBlock(b.peer, b.from, sh, b.msg)
			}
			if err != nil {
				b.peer.Disconnect(peer.ReasonMisbehaviour, err)
			}
		}
	})
}

// checkBlock asks whether a share is a Bitcoin block. decided is false if that can't be told
// now; an error is a share.RuleError.
func (s *Server) checkBlock(sh *share.Share) (decided bool, err error) {
	err = s.cfg.Blocks.CheckBlock(sh)
	_, rule := errors.AsType[share.RuleError](err)
	if err == nil || rule {
		return true, err
	}
	return false, nil
}
