package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/p2p/compact"
)

const (
	// verifyTimeout bounds the Bitcoin node's look at a block that a peer's share would
	// be; a full one takes it half a second.
	verifyTimeout = 30 * time.Second

	// errTemplate is the kind of a share whose block the Bitcoin node calls invalid. It
	// is no rule of the sharechain: nodes need not agree on it, and without
	// --verifytemplates they don't look.
	errTemplate share.ErrorKind = "ErrTemplate"
)

// verifyTxs has the Bitcoin node judge the block that a share of a peer would be. Who
// mines what Bitcoin refuses earns from others' blocks and gives nothing back.
func (n *node) verifyTxs(ctx context.Context, s *share.Share, txs []*compact.Tx) error {
	t := n.generator.Template()
	if t == nil || t.PrevBlock != s.Header.PrevBlock {
		return nil // the node could not tell
	}
	result, err := n.chain.Payouts(s.Data.Previous, s.Header.Bits, s.Data.CoinbaseValue, s.Data.Class)
	if err != nil {
		return err
	}
	raw := make([][]byte, len(txs))
	for i, tx := range txs {
		raw[i] = tx.Raw
	}
	coinbase := s.Coinbase(&n.cfg.params.ChainID, result.Finder, result.Payouts)
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	err = n.generator.ProposePeerBlock(ctx, s, coinbase, raw)
	if errors.Is(err, mining.ErrBlockRefused) {
		return share.RuleError{Kind: errTemplate, Description: fmt.Sprintf("share %v would be an invalid Bitcoin block: %v", s.ID(), err)}
	}
	return err
}
