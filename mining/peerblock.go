package mining

import (
	"errors"
	"fmt"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// maxBitsRatio is how much easier than our template's a block's target may be:
// Bitcoin's difficulty falls to a quarter at most in one adjustment.
const maxBitsRatio = 4

// maxPeerBlocks is the number of other nodes' blocks on their way to the Bitcoin node
// at a time. Real ones are minutes apart; on test networks anybody can make many.
const maxPeerBlocks = 8

// errNoTemplate is why CheckBlock can't tell.
var errNoTemplate = errors.New("no template to compare a block's difficulty with")

// ErrNoBlock is the kind of a share that was sent as a Bitcoin block and cannot be
// one.
const ErrNoBlock share.ErrorKind = "ErrNoBlock"

// CheckBlock returns nil if a share of a peer, whose body belongs to its header, is
// a Bitcoin block as far as its proof of work goes. It is a share.RuleError if it
// misses the target that its header claims, or claims one that cannot be Bitcoin's
// now; any other error says that we can't tell. Such a block costs whoever makes it
// up a quarter of what a real one does.
func (g *Generator) CheckBlock(s *share.Share) error {
	t := g.Template()
	if t == nil {
		return errNoTemplate
	}
	claimed, err := target.FromCompact(s.Header.Bits)
	if err != nil {
		return share.RuleError{Kind: ErrNoBlock, Description: fmt.Sprintf("block with bits %08x: %v", s.Header.Bits, err)}
	}
	shareTarget, err := target.FromCompact(s.Data.Bits)
	if err != nil {
		return share.RuleError{Kind: ErrNoBlock, Description: fmt.Sprintf("block with share bits %08x: %v", s.Data.Bits, err)}
	}
	// Where Bitcoin allows blocks of the least difficulty at times, any may be one.
	if !g.cfg.Params.Bitcoin.ReduceMinDifficulty && tooEasy(claimed, t.Bits) {
		return share.RuleError{Kind: ErrNoBlock, Description: fmt.Sprintf(
			"block with bits %08x, Bitcoin's are %08x", s.Header.Bits, t.Bits)}
	}
	need := g.cfg.Params.BlockTarget(claimed, shareTarget)
	if id := s.ID(); !target.HashMeets(&id, &need) {
		return share.RuleError{Kind: ErrNoBlock, Description: fmt.Sprintf("share %v is no Bitcoin block", id)}
	}
	return nil
}

// tooEasy compares a claimed target with the one of our template.
func tooEasy(claimed uint256.Uint256, bits uint32) bool {
	most, err := target.FromCompact(bits)
	if err != nil {
		return false
	}
	if most.BitLen() > 256-2 {
		return false
	}
	most.MulUint64(maxBitsRatio)
	return claimed.Gt(&most)
}

// SubmitPeerBlock hands a block that a peer found, and that was put together here, to
// our Bitcoin node, without waiting: it may be the first to hear of it. Whatever is
// wrong with it is not our fault, and it may well be known already.
func (g *Generator) SubmitPeerBlock(s *share.Share, coinbase []byte, txs [][]byte) {
	id := s.ID()
	if g.peerBlocks.Add(1) > maxPeerBlocks {
		g.peerBlocks.Add(-1)
		g.cfg.Log.Debugf("Bitcoin block %v, found by another node, is left to others: too many are on their way", id)
		return
	}
	block := &SolvedBlock{Share: s, Raw: assemble(&s.Header, coinbase, len(s.Data.WitnessCommitment) > 0, txs)}
	g.submitting.Go(func() {
		defer g.peerBlocks.Add(-1)
		if err := g.submitBlock(block); err != nil {
			g.cfg.Log.Warnf("Bitcoin block %v at height %d, found by another node, was not accepted: %v", id, s.Data.BitcoinHeight, err)
			return
		}
		g.cfg.Log.Infof("Bitcoin block %v at height %d, found by another node, was submitted", id, s.Data.BitcoinHeight)
	})
}
