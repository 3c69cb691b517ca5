package main

import (
	"context"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

// RelayInfo implements rpcserver.PeerBackend.
func (b backend) RelayInfo(context.Context) (*rpcserver.RelayInfo, error) {
	sync, txs := b.n.peers.Stats(), b.n.peers.TxStats()
	return &rpcserver.RelayInfo{
		Shares: rpcserver.RelayedShares{
			Valid: sync.Valid, Invalid: sync.Invalid, Undecided: sync.Undecided, Ignored: sync.Ignored, Stalls: sync.Stalls,
		},
		Transactions: rpcserver.RelayedTxLists{
			Own: txs.Own, Sent: txs.Sent, Received: txs.Received, AtOnce: txs.AtOnce, Fetched: txs.Fetched,
			ReconstructionRate: txs.ReconstructionRate(), Second: txs.Second, NoBase: txs.NoBase, Mismatched: txs.Mismatched, Unanswered: txs.Unanswered,
			Missing: txs.Missing, FetchedBytes: txs.FetchedBytes,
			Lists: txs.Lists, Known: txs.Txs, KnownBytes: txs.PoolBytes,
		},
		Blocks: rpcserver.RelayedBlocks{Received: txs.Blocks, Rebuilt: txs.BlocksBuilt},
	}, nil
}
