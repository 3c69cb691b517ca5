package main

import (
	"context"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/p2p/netsync"
)

// ChainInfo implements rpcserver.ChainBackend.
func (b backend) ChainInfo(context.Context) (*rpcserver.ChainInfo, error) {
	if err := b.ready(); err != nil {
		return nil, err
	}
	n, p := b.n, b.n.cfg.params
	tip, stats, progress := n.chain.Tip(), n.chain.Stats(), n.peers.Progress()
	info := &rpcserver.ChainInfo{
		Network: p.Network.String(), Pool: p.Pool, ChainID: fmt.Sprintf("%x", p.ChainID[:]),
		Height: tip.Height, Time: int64(tip.Time), MedianTime: int64(tip.MinTime) - 1,
		NextBits: rpcserver.Bits(tip.NextBits), ShareDifficulty: target.Difficulty(&tip.NextTarget),
		Work: workHex(&tip.Work), BitcoinHeight: tip.BitcoinHeight + 1,
		ShareInterval: int64(p.ShareInterval / time.Second), PoolHashRate: n.chain.Hashrate(poolHashrateShares),
		FirstHeight: stats.First, Shares: stats.Main, Uncles: stats.Uncles, SideShares: stats.Side, Orphans: stats.Undecided,
		Syncing: progress.Syncing, Sync: syncInfo(&progress),
	}
	if tip.Empty {
		info.MedianTime, info.BitcoinHeight, info.Window.Whole = 0, 0, true
		return info, nil
	}
	info.Tip = tip.ID.String()
	bits := p.Bitcoin.PowLimitBits
	if t := n.generator.Template(); t != nil {
		bits = t.Bits
	}
	w := n.chain.Window(tip.ID, bits)
	info.Window = rpcserver.WindowInfo{Shares: w.Shares, Uncles: w.Uncles, Payees: w.Payees, StartHeight: w.First, EndHeight: w.Last, Whole: w.Whole}
	return info, nil
}

// syncInfo describes the state of the sync.
func syncInfo(p *netsync.Progress) rpcserver.SyncInfo {
	done, total := p.Shares()
	return rpcserver.SyncInfo{
		Percent: p.Percent(), Shares: done, Total: total, Estimate: p.Estimate,
		Rate: p.Rate, TimeLeft: int64(p.Left.Round(time.Second) / time.Second), Sources: p.Sources,
	}
}

func workHex(work *uint256.Uint256) string {
	b := work.Bytes()
	return fmt.Sprintf("%x", b[:])
}

// TipShare implements rpcserver.ChainBackend.
func (b backend) TipShare(ctx context.Context) (*rpcserver.Share, error) {
	if err := b.ready(); err != nil {
		return nil, err
	}
	tip := b.n.chain.Tip()
	if tip.Empty {
		return nil, fmt.Errorf("the sharechain is empty: %w", rpcserver.ErrNotFound)
	}
	return b.Share(ctx, tip.ID)
}

// ShareIDAt implements rpcserver.ChainBackend.
func (b backend) ShareIDAt(_ context.Context, height uint32) (chainhash.Hash, error) {
	if err := b.ready(); err != nil {
		return chainhash.Hash{}, err
	}
	id, ok := b.n.chain.IDAt(height)
	if !ok {
		return id, fmt.Errorf("no share at height %d: %w", height, rpcserver.ErrNotFound)
	}
	return id, nil
}

// Share implements rpcserver.ChainBackend.
func (b backend) Share(_ context.Context, id chainhash.Hash) (*rpcserver.Share, error) {
	if err := b.ready(); err != nil {
		return nil, err
	}
	info, ok := b.n.chain.Info(id)
	if !ok {
		return nil, fmt.Errorf("share %v: %w", id, rpcserver.ErrNotFound)
	}
	s, err := b.stored(id)
	if err != nil {
		return nil, err
	}
	out := rpcserver.DescribeShare(s, b.n.cfg.params)
	out.Status, out.Work = "side", workHex(&info.TotalWork)
	switch {
	case info.OnMainChain:
		out.Status = "main"
		out.Confirmations = int64(b.n.chain.Tip().Height) - int64(info.Height) + 1
	case info.IsUncle:
		out.Status = "uncle"
	}
	return out, nil
}

// stored reads a share from the database.
func (b backend) stored(id chainhash.Hash) (*share.Share, error) {
	raw, err := b.n.chain.Share(id)
	if err != nil {
		return nil, err
	}
	return share.Decode(raw)
}

// RecentShares implements rpcserver.ChainBackend.
func (b backend) RecentShares(_ context.Context, count int) ([]rpcserver.ShareSummary, error) {
	if err := b.ready(); err != nil {
		return nil, err
	}
	list := []rpcserver.ShareSummary{}
	for _, info := range b.n.chain.Latest(count) {
		row, err := b.summary(info.ID)
		if err != nil {
			return nil, err
		}
		for _, id := range info.Uncles {
			uncle, err := b.summary(id)
			if err != nil {
				return nil, err
			}
			row.Uncles = append(row.Uncles, uncle)
		}
		list = append(list, row)
	}
	return list, nil
}

func (b backend) summary(id chainhash.Hash) (rpcserver.ShareSummary, error) {
	s, err := b.stored(id)
	if err != nil {
		return rpcserver.ShareSummary{}, err
	}
	return rpcserver.SummarizeShare(s, b.n.cfg.params), nil
}
