package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/solutions"
)

// observeInterval is how often the sharechain is looked through for blocks of others
// that came here as shares only.
const observeInterval = 30 * time.Second

// runBlocks brings the sharechain's blocks to the journal.
func (n *node) runBlocks(ctx context.Context) error {
	ticker := time.NewTicker(observeInterval)
	defer ticker.Stop()
	for {
		n.observeBlocks()
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// rescue submits the blocks that the Bitcoin node may not have, before an error ends the
// program, and adds to the error those that nobody has taken.
func (n *node) rescue(err error) error {
	left := n.solutions.Rescue(context.Background())
	if len(left) == 0 {
		return err
	}
	var names []string
	for _, r := range left {
		names = append(names, fmt.Sprintf("%v at height %d", r.Hash, r.Height))
	}
	return fmt.Errorf("%w; found blocks in %s are not submitted yet, start p2poold again soon: %s",
		err, n.cfg.foundDir(), strings.Join(names, ", "))
}

// acceptLeft brings the shares of blocks to the sharechain that the last run was killed
// too early for: the block leaves first, and its finder should be paid for the share too.
func (n *node) acceptLeft() {
	log := n.logs.logger(subsysChain)
	for _, s := range n.solutions.LeftShares() {
		switch err := n.chain.Accept(s); {
		case err == nil:
			log.Infof("Share %v of a Bitcoin block, found before the last end of p2poold, is on the sharechain now", s.ID())
		case errors.Is(err, blockchain.ErrDuplicate):
		default:
			log.Infof("Share %v of a Bitcoin block, found before the last end of p2poold, is not on the sharechain: %v", s.ID(), err)
		}
	}
}

// observeBlocks adds the sharechain's blocks to the journal, which knows most of them.
func (n *node) observeBlocks() {
	var records []solutions.Record
	for _, info := range n.chain.Blocks(rpcserver.MaxBlocks) {
		records = append(records, blockRecord(&info))
	}
	n.solutions.Observe(records)
}

// blockRecord describes a share that is a Bitcoin block.
func blockRecord(info *blockchain.Info) solutions.Record {
	return solutions.Record{
		Hash: info.ID, Height: info.BitcoinHeight, ShareHeight: info.Height, Time: int64(info.Time),
		Payee: solutions.Script(info.Payee), Value: info.CoinbaseValue,
	}
}

// FoundBlocks implements rpcserver.PayoutBackend.
func (b backend) FoundBlocks(ctx context.Context, count int) ([]rpcserver.FoundBlock, error) {
	if err := b.ready(); err != nil {
		return nil, err
	}
	b.n.observeBlocks()
	// A node that is away makes the answer older, no more.
	_ = b.n.solutions.Refresh(ctx)
	list := []rpcserver.FoundBlock{}
	for _, r := range b.n.solutions.List(count) {
		list = append(list, rpcserver.FoundBlock{
			Hash: r.Hash.String(), Height: r.Height, ShareHeight: r.ShareHeight, Time: r.Time,
			Address: rpcserver.Address(r.Payee, b.n.cfg.params.Bitcoin), Value: r.Value,
			Confirmations: r.Confirmations, Status: blockStatus[r.Status], Changed: r.Changed, Checked: r.Checked,
			Own: r.Own, Worker: r.Worker, Reason: r.Reason,
		})
	}
	return list, ctx.Err()
}

// blockStatus translates the journal's words.
var blockStatus = map[solutions.Status]string{
	solutions.Pending:  rpcserver.BlockPending,
	solutions.Accepted: rpcserver.BlockAccepted,
	solutions.Orphaned: rpcserver.BlockOrphaned,
	solutions.Rejected: rpcserver.BlockRejected,
	solutions.Matured:  rpcserver.BlockMatured,
}

// bitcoinNodes describes each Bitcoin node.
func (b backend) bitcoinNodes() []rpcserver.BitcoinNode {
	var list []rpcserver.BitcoinNode
	for _, s := range b.n.bitcoin.Nodes() {
		info := rpcserver.BitcoinNode{
			Addr: s.Addr, Current: s.Current, Healthy: s.Health.OK && !s.Behind && !s.Vetoed,
			Reason: s.Health.Reason, Height: s.Height, Latency: s.Latency.Seconds(),
		}
		switch {
		case !s.Health.OK:
		case s.Vetoed:
			info.Reason = "it builds on a block that is invalid, says a preferred node"
		case s.Behind:
			info.Reason = "it is on an old block"
		}
		list = append(list, info)
	}
	return list
}

// spareTrouble tells of Bitcoin nodes that can't stand in for the one that is mined on.
func (b backend) spareTrouble(h bitcoind.Health) (reasons []string) {
	if !h.OK {
		return nil // told already
	}
	for _, s := range b.bitcoinNodes() {
		if !s.Healthy {
			reasons = append(reasons, "mining goes on without the Bitcoin node at "+s.Addr+": "+s.Reason)
		}
	}
	return reasons
}
