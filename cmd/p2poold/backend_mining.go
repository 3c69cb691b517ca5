package main

import (
	"context"
	"fmt"
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
func (b backend) Payouts(_ context.Context, q rpcserver.PayoutQuery) (*rpcserver.Payouts, error) {
	class, payee, err := b.payoutQuery(&q)
	if err != nil {
		return nil, err
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
	odds, total, err := b.odds(w)
	if err != nil {
		return nil, err
	}
	first, end, err := listed(odds, payee, &q)
	if err != nil {
		return nil, err
	}
	out := &rpcserver.Payouts{
		Height: tip.NextHeight, BitcoinHeight: t.Height, Class: class.Outputs(),
		CoinbaseValue: t.CoinbaseValue, FinderFee: result.Finder, TotalScore: total.String(),
		Payees: odds.Len(), Skipped: first, Payouts: b.payoutRows(odds, first, end, result),
	}
	if !tip.Empty {
		out.Tip = tip.ID.String()
	}
	return out, nil
}

// odds returns what all payees of the window behind some work are owed, and the sum of
// their scores.
func (b backend) odds(w *mining.Work) (*payout.Odds, uint256.Uint256, error) {
	t := w.Template()
	scores, err := b.n.chain.Scores(w.Tip().ID, t.Bits)
	if err != nil {
		return nil, uint256.Uint256{}, err
	}
	table := payout.NewTable(scores)
	return table.Odds(b.n.cfg.params, t.CoinbaseValue), table.Total(), nil
}

// payoutQuery returns the class that a query shows, and the script of the only
// payee that it asks for, or nil.
func (b backend) payoutQuery(q *rpcserver.PayoutQuery) (class share.Class, payee []byte, err error) {
	class = usualClass
	if q.Outputs != 0 {
		if class, err = share.ParseClass(strconv.Itoa(q.Outputs)); err != nil {
			return 0, nil, rpcserver.InvalidParameter("getpayouts: %v", err)
		}
	}
	if q.Address != "" {
		if payee, err = payeeScript(q.Address, b.n.cfg.params); err != nil {
			return 0, nil, rpcserver.InvalidParameter("getpayouts: %v", err)
		}
	}
	return class, payee, nil
}

// listed returns the ranks, from the first up to the end, that a query asks for.
func listed(odds *payout.Odds, payee []byte, q *rpcserver.PayoutQuery) (first, end int, err error) {
	if payee == nil {
		first = min(q.Skip, odds.Len())
		return first, min(first+q.Count, odds.Len()), nil
	}
	first, found := odds.Rank(payee)
	if !found {
		return 0, 0, &rpcserver.Error{Code: rpcserver.CodeNotFound, Message: "no share of the window pays " + q.Address + ", so it is owed nothing"}
	}
	return first, first + 1, nil
}

// payoutRows lists payees by what they are owed.
func (b backend) payoutRows(odds *payout.Odds, first, end int, result payout.Result) []rpcserver.Payout {
	amounts := make(map[string]int64, len(result.Payouts))
	for _, p := range result.Payouts {
		amounts[string(p.Script)] = p.Amount
	}
	rows := make([]rpcserver.Payout, 0, end-first)
	for rank := first; rank < end; rank++ {
		s := odds.Score(rank)
		row := rpcserver.Payout{
			Script: fmt.Sprintf("%x", s.Script), Address: rpcserver.Address(s.Script, b.n.cfg.params.Bitcoin),
			Score: s.Weight.String(), Owed: odds.Owed(rank), Amount: amounts[string(s.Script)],
		}
		for _, class := range share.Classes() {
			c := odds.Chance(rank, class)
			row.Classes = append(row.Classes, rpcserver.ClassChance{
				Class: class.Outputs(), Exact: c.Exact, Probability: c.Probability, Amount: c.Amount,
			})
		}
		rows = append(rows, row)
	}
	return rows
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
	info := &rpcserver.TemplateInfo{
		BitcoinHeight: t.Height, PreviousBlockHash: t.PrevBlock.String(), Version: t.Version,
		Bits: rpcserver.Bits(t.Bits), BitcoinDifficulty: rpcserver.Difficulty(t.Bits),
		CurTime: int64(t.CurTime), MinTime: int64(t.MinTime), CoinbaseValue: t.CoinbaseValue,
		Transactions: len(t.Txs), Weight: t.Weight(), WeightLimit: t.WeightLimit,
		Sigops: t.Sigops(), SigopLimit: t.SigopLimit, Rules: t.Rules, Received: t.Received.Unix(),
		Jobs: reason == "", Reason: reason,
		Empty: t.Empty,
	}
	b.tips(info)
	return info, nil
}

// tips fills in how the node hears of blocks.
func (b backend) tips(info *rpcserver.TemplateInfo) {
	stats := b.n.bitcoin.TipStats()
	if stats.Known && stats.Hash.String() == info.PreviousBlockHash {
		info.TipSource, info.TipAhead = stats.Source.String(), stats.Ahead.Seconds()
	}
	for _, s := range stats.Sources {
		info.TipSources = append(info.TipSources, rpcserver.TipSource{
			Source: s.Source.String(), Connections: s.Connections, First: s.First, Later: s.Later,
			Behind: s.Behind.Seconds(), Refused: s.Refused,
		})
	}
}
