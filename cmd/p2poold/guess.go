package main

import (
	"errors"
	"sync"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/internal/chainman"
)

// maxGuessed bounds the shares that wait for the validation of a Bitcoin block. It
// takes seconds, in which the whole pool finds one share or two.
const maxGuessed = 100

// guess is the Bitcoin block that is worked on although the Bitcoin node hasn't
// validated it (--speculate), and the shares found here on it. They wait: if the block
// turns out to be invalid, nobody would build on them, and a sharechain that has them
// would give no work until Bitcoin has another block of that height. It is safe for
// concurrent use.
type guess struct {
	mu     sync.Mutex
	active bool
	block  shareID
	shares []*share.Share
	wrong  shareID // the last that was not right; miners may be late
}

// begin notes that a block is worked on unvalidated.
func (g *guess) begin(block shareID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.active && g.block == block {
		return
	}
	g.active, g.block, g.shares = true, block, nil
}

// hold takes a share on the unvalidated block, or drops one on a block that turned out
// to be none. It reports whether it is such a share.
func (g *guess) hold(s *share.Share) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.Header.PrevBlock == g.wrong {
		return true
	}
	if !g.active || s.Header.PrevBlock != g.block {
		return false
	}
	if len(g.shares) < maxGuessed {
		g.shares = append(g.shares, s)
	}
	return true
}

// settle ends the guess: the Bitcoin node's best block is known. It returns the shares
// that waited, and whether they were right to.
func (g *guess) settle(best shareID) (shares []*share.Share, right bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	shares, right = g.shares, g.active && g.block == best
	if g.active && !right {
		g.wrong = g.block
	}
	if g.wrong == best { // after all
		g.wrong = shareID{}
	}
	g.active, g.shares = false, nil
	return shares, right
}

// guardedChain is the sharechain for package mining: it gets no share on a Bitcoin
// block that may be invalid.
type guardedChain struct {
	*chainman.Manager
	guess *guess
}

// Accept implements mining.Chain. A share that waits is undecided.
func (c guardedChain) Accept(s *share.Share) error {
	if c.guess.hold(s) {
		block := s.Header.PrevBlock
		return &blockchain.UndecidedError{Kind: blockchain.ErrMissingBitcoinBlock, MissingBlock: &block}
	}
	return c.Manager.Accept(s)
}

// settleGuess gives the sharechain what waited for the best block, or drops what was
// found on another.
func (n *node) settleGuess(best shareID) {
	shares, right := n.guess.settle(best)
	if len(shares) == 0 {
		return
	}
	log := n.logs.logger(subsysMining)
	if !right {
		log.Warnf("%d shares are lost: the Bitcoin block below them, which --speculate worked on early, is not the best", len(shares))
		return
	}
	for _, s := range shares {
		if err := n.chain.Accept(s); err != nil && !errors.Is(err, blockchain.ErrDuplicate) {
			log.Debugf("Share %v, which waited for Bitcoin block %v: %v", s.ID(), best, err)
		}
	}
}
