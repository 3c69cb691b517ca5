package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/stratum"
)

// Miners implements rpcserver.MiningBackend.
func (b backend) Miners(context.Context) ([]rpcserver.MinerInfo, error) {
	list := []rpcserver.MinerInfo{}
	fee, donation, _ := b.n.payees.Terms()
	for _, w := range b.n.stratum.Workers() {
		address, charge := b.paidTo(&w), fee
		if w.Payee == nil {
			charge = 0
		}
		list = append(list, rpcserver.MinerInfo{
			Worker: w.Worker, Address: address, Fee: charge, Donation: donation, UserAgent: w.UserAgent,
			Connections: w.Connections, Connected: unix(w.ConnectedSince), LastSubmit: unix(w.LastSubmit),
			Difficulty: w.Difficulty, BestDifficulty: w.BestDifficulty, BestSession: w.BestSession,
			HashRate: w.Hashrate[stratum.Over5m], HashRateMinute: w.Hashrate[stratum.Over1m], HashRateHour: w.Hashrate[stratum.Over1h],
			HashRateDay: w.Hashrate[stratum.Over1d], HashRateWeek: w.Hashrate[stratum.Over7d],
			Accepted: w.Accepted, Shares: w.Shares, Stale: w.Stale, Rejected: w.Duplicate + w.LowDifficulty + w.Invalid,
			Duplicate: w.Duplicate, LowDifficulty: w.LowDifficulty, Invalid: w.Invalid,
			DeadOnArrival: w.DeadOnArrival(), Latency: w.Latency.Seconds(), LatencyBlocks: w.LatencyBlocks,
			Class: w.Class.Outputs(),
		})
	}
	return list, nil
}

// paidTo returns the address that a worker is paid to; empty if it has no form.
func (b backend) paidTo(w *stratum.WorkerInfo) string {
	if w.Payee == nil {
		if own := b.ownAddresses(); len(own) > 0 {
			return own[0]
		}
	}
	return rpcserver.Address(w.Payee, b.n.cfg.params.Bitcoin)
}

// MinerAddresses implements rpcserver.MiningBackend.
func (b backend) MinerAddresses(ctx context.Context) ([]rpcserver.MinerAddress, error) {
	miners, err := b.Miners(ctx)
	if err != nil {
		return nil, err
	}
	return byAddress(miners), nil
}

// byAddress adds up the workers of each address.
func byAddress(miners []rpcserver.MinerInfo) []rpcserver.MinerAddress {
	list := []rpcserver.MinerAddress{}
	index := make(map[string]int)
	for i := range miners {
		m := &miners[i]
		at, known := index[m.Address]
		if !known {
			at = len(list)
			index[m.Address] = at
			list = append(list, rpcserver.MinerAddress{Address: m.Address})
		}
		a := &list[at]
		a.Workers++
		a.Connections += m.Connections
		a.LastSubmit = max(a.LastSubmit, m.LastSubmit)
		a.BestDifficulty = max(a.BestDifficulty, m.BestDifficulty)
		a.HashRate += m.HashRate
		a.HashRateMinute += m.HashRateMinute
		a.HashRateHour += m.HashRateHour
		a.HashRateDay += m.HashRateDay
		a.HashRateWeek += m.HashRateWeek
		a.Accepted += m.Accepted
		a.Shares += m.Shares
		a.Stale += m.Stale
		a.Rejected += m.Rejected
	}
	for i := range list {
		if a := &list[i]; a.Stale > 0 {
			a.DeadOnArrival = float64(a.Stale) / float64(a.Accepted+a.Stale)
		}
	}
	slices.SortStableFunc(list, func(a, b rpcserver.MinerAddress) int { return cmp.Compare(b.HashRate, a.HashRate) })
	return list
}
