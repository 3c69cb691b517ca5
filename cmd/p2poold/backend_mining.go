package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining"
)

// work returns the current work or why there is none.
func (b backend) work() (*mining.Work, error) {
	if err := b.ready(); err != nil {
		return nil, err
	}
	if w := b.n.generator.Work(); w != nil {
		return w, nil
	}
	return nil, fmt.Errorf("%w: %s", rpcserver.ErrNotReady, b.n.generator.Reason())
}

// usualClass is the class that getpayouts shows when none is named: that of
// unknown devices.
const usualClass = share.Class12

// Payouts implements rpcserver.PayoutBackend.
func (b backend) Payouts(_ context.Context, outputs int) (*rpcserver.Payouts, error) {
	class := usualClass
	if outputs != 0 {
		var err error
		if class, err = share.ParseClass(strconv.Itoa(outputs)); err != nil {
			return nil, rpcserver.InvalidParameter("%v", err)
		}
	}
	w, err := b.work()
	if err != nil {
		return nil, err
	}
	t, tip := w.Template(), w.Tip()
	result, err := w.Payouts(class)
	if err != nil {
		return nil, err
	}
	scores, err := b.n.chain.Scores(tip.ID, t.Bits)
	if err != nil {
		return nil, err
	}
	out := &rpcserver.Payouts{
		Height: tip.NextHeight, BitcoinHeight: t.Height, Class: class.Outputs(),
		CoinbaseValue: t.CoinbaseValue, FinderFee: result.Finder, Payouts: b.payoutRows(scores, t.CoinbaseValue, result),
	}
	if !tip.Empty {
		out.Tip = tip.ID.String()
	}
	var total uint256.Uint256
	for _, s := range scores {
		total.Add(&s.Weight)
	}
	out.TotalScore = total.String()
	return out, nil
}

// payoutRows lists every payee of the window, by what they are owed.
func (b backend) payoutRows(scores []payout.Score, value int64, result payout.Result) []rpcserver.Payout {
	amounts := make(map[string]int64, len(result.Payouts))
	for _, p := range result.Payouts {
		amounts[string(p.Script)] = p.Amount
	}
	owed := payout.Owed(b.n.cfg.params, scores, value)
	rows := []rpcserver.Payout{}
	for i, s := range scores {
		rows = append(rows, rpcserver.Payout{
			Script: fmt.Sprintf("%x", s.Script), Address: rpcserver.Address(s.Script, b.n.cfg.params.Bitcoin),
			Score: s.Weight.String(), Owed: owed[i], Amount: amounts[string(s.Script)],
		})
	}
	slices.SortStableFunc(rows, func(a, b rpcserver.Payout) int { return cmp.Compare(b.Owed, a.Owed) })
	return rows
}

// Miners implements rpcserver.MiningBackend.
func (b backend) Miners(context.Context) ([]rpcserver.MinerInfo, error) {
	list := []rpcserver.MinerInfo{}
	for _, w := range b.n.stratum.Workers() {
		list = append(list, rpcserver.MinerInfo{
			Worker: w.Worker, Address: rpcserver.Address(w.Payee, b.n.cfg.params.Bitcoin), UserAgent: w.UserAgent,
			Connections: w.Connections, Connected: unix(w.ConnectedSince), LastSubmit: unix(w.LastSubmit),
			Difficulty: w.Difficulty, BestDifficulty: w.BestDifficulty, HashRate: w.Hashrate10m,
			Accepted: w.Accepted, Shares: w.Shares, Stale: w.Stale,
			Rejected: w.Duplicate + w.LowDifficulty + w.Invalid, Class: w.Class.Outputs(),
		})
	}
	return list, nil
}

// Template implements rpcserver.MiningBackend.
func (b backend) Template(context.Context) (*rpcserver.TemplateInfo, error) {
	if err := b.ready(); err != nil {
		return nil, err
	}
	t, reason := b.n.generator.Template(), b.n.generator.Reason()
	if t == nil {
		return nil, fmt.Errorf("%w: %s", rpcserver.ErrNotReady, reason)
	}
	return &rpcserver.TemplateInfo{
		BitcoinHeight: t.Height, PreviousBlockHash: t.PrevBlock.String(), Version: t.Version,
		Bits: rpcserver.Bits(t.Bits), BitcoinDifficulty: rpcserver.Difficulty(t.Bits),
		CurTime: int64(t.CurTime), MinTime: int64(t.MinTime), CoinbaseValue: t.CoinbaseValue,
		Transactions: len(t.Txs), Weight: t.Weight(), WeightLimit: t.WeightLimit,
		Sigops: t.Sigops(), SigopLimit: t.SigopLimit, Rules: t.Rules, Received: t.Received.Unix(),
		Jobs: reason == "", Reason: reason,
	}, nil
}
