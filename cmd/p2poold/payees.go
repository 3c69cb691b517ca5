package main

import (
	"bytes"
	"fmt"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/mining/payee"
)

// buildPayees makes what decides whom jobs pay.
func (n *node) buildPayees() (err error) {
	cfg := n.cfg.payees()
	cfg.File, cfg.Log = n.cfg.payoutFile(), n.logs.logger(subsysMining)
	if n.payees, err = payee.New(cfg); err != nil {
		return err
	}
	if own := (backend{n}).ownAddresses(); len(own) > 0 {
		more := ""
		if len(own) > 1 {
			more = fmt.Sprintf(" and %d more", len(own)-1)
		}
		n.logs.logger(subsysMain).Infof("Payout address %s%s", own[0], more)
	}
	return nil
}

const (
	// payoutBlocks is how many of the latest Bitcoin blocks of the pool are looked at for
	// payments to a descriptor's address. Between two looks, which are a second apart,
	// there is hardly ever one.
	payoutBlocks = 3
	// payoutDepth is how far below the tip a block may be, in shares, to be looked at. Its
	// payouts need the chain's window to go back to it and forth again, some 10 µs a
	// share. A block that is missed makes an address stay until the next.
	payoutDepth = payee.MinShares
)

// rotatePayees tells the payees of Bitcoin blocks and lets time pass. It is the
// supervisor's.
func (n *node) rotatePayees() {
	if tip := n.chain.Tip(); !tip.Empty {
		n.noticeBlocks(tip)
		n.payees.Advance(tip.Height)
	}
}

// noticeBlocks looks at Bitcoin blocks that the chain has got since it looked last.
func (n *node) noticeBlocks(tip *blockchain.Tip) {
	if tip.ID == n.paidUpTo || !n.payees.Awaits() {
		return
	}
	n.paidUpTo = tip.ID
	blocks := n.chain.Blocks(payoutBlocks)
	for _, block := range blocks {
		if block.ID == n.paidBy || uint64(block.Height)+payoutDepth < uint64(tip.Height) {
			break
		}
		pays, err := n.coinbasePays(&block)
		if err != nil {
			n.logs.logger(subsysMining).Debugf("Whom block %v pays: %v", block.ID, err)
			continue
		}
		n.payees.BlockFound(pays)
	}
	if len(blocks) > 0 {
		n.paidBy = blocks[0].ID
	}
}

// coinbasePays returns what tells whether a block's coinbase pays a script.
func (n *node) coinbasePays(block *blockchain.Info) (func([]byte) bool, error) {
	raw, err := n.chain.Share(block.ID)
	if err != nil {
		return nil, err
	}
	s, err := share.Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("stored share %v: %w", block.ID, err)
	}
	result, err := n.chain.Payouts(block.Previous, s.Header.Bits, s.Data.CoinbaseValue, s.Data.Class)
	if err != nil {
		return nil, err
	}
	return func(script []byte) bool {
		if result.Finder > 0 && bytes.Equal(script, s.Data.Payee) {
			return true
		}
		for _, p := range result.Payouts {
			if bytes.Equal(script, p.Script) {
				return true
			}
		}
		return false
	}, nil
}
