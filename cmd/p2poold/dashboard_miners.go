package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/internal/web"
	"github.com/p2poold/p2poold/stratum"
)

// minersView is what is known of all miners at one moment, by whom they are paid to.
type minersView struct {
	params  *chainparams.Params
	workers []stratum.WorkerInfo
	byPayee map[string][]int // indices in workers by output script
	payouts *payoutView
}

// Miners implements web.Backend.
func (d *dashboard) Miners(context.Context) (web.Miners, error) {
	v := &minersView{
		params: d.n.cfg.params, workers: d.n.stratum.Workers(), byPayee: make(map[string][]int), payouts: d.payoutView(),
	}
	var own []byte // those without an address mine for it, or for another own one in turn
	if list := d.n.payees.Current(); len(list) > 0 {
		own = list[0]
	}
	for i := range v.workers {
		payee := v.workers[i].Payee
		if payee == nil {
			payee = own
		}
		if payee != nil {
			v.byPayee[string(payee)] = append(v.byPayee[string(payee)], i)
		}
	}
	return v, nil
}

// Miner implements web.Miners.
func (v *minersView) Miner(address string, workers int) (*web.Miner, error) {
	script, err := payeeScript(address, v.params)
	if err != nil {
		return nil, web.ErrNoAddress
	}
	own := v.byPayee[string(script)]
	m := &web.Miner{
		Address: rpcserver.Address(script, v.params.Bitcoin), Payout: v.payouts.payout(script),
		WorkerCount: len(own), Workers: []web.Worker{},
	}
	for _, i := range own {
		addWorker(m, &v.workers[i])
	}
	for _, i := range v.busiest(own, workers) {
		m.Workers = append(m.Workers, webWorker(&v.workers[i]))
	}
	return m, nil
}

// addWorker counts a worker in the sums of its address.
func addWorker(m *web.Miner, w *stratum.WorkerInfo) {
	m.Connections += w.Connections
	m.HashRateMinute += w.Hashrate[stratum.Over1m]
	m.HashRate += w.Hashrate[stratum.Over5m]
	m.HashRateHour += w.Hashrate[stratum.Over1h]
	m.HashRateDay += w.Hashrate[stratum.Over1d]
	m.Accepted += w.Accepted
	m.Shares += w.Shares
	m.Stale += w.Stale
	m.Rejected += w.Duplicate + w.LowDifficulty + w.Invalid
	m.BestDifficulty = max(m.BestDifficulty, w.BestDifficulty)
	m.LastSubmit = max(m.LastSubmit, unix(w.LastSubmit))
}

// busiest returns up to count of the workers with those indices: those that are connected
// first, by hash rate and then by name.
func (v *minersView) busiest(indices []int, count int) []int {
	list := slices.Clone(indices)
	slices.SortStableFunc(list, func(i, j int) int {
		a, b := &v.workers[i], &v.workers[j]
		return cmp.Or(cmp.Compare(min(1, b.Connections), min(1, a.Connections)),
			cmp.Compare(b.Hashrate[stratum.Over5m], a.Hashrate[stratum.Over5m]))
	})
	return list[:min(count, len(list))]
}

func webWorker(w *stratum.WorkerInfo) web.Worker {
	return web.Worker{
		Name: w.Worker, UserAgent: w.UserAgent, Connections: w.Connections,
		HashRateMinute: w.Hashrate[stratum.Over1m], HashRate: w.Hashrate[stratum.Over5m],
		HashRateHour: w.Hashrate[stratum.Over1h], HashRateDay: w.Hashrate[stratum.Over1d],
		Accepted: w.Accepted, Shares: w.Shares, Stale: w.Stale,
		Duplicate: w.Duplicate, LowDifficulty: w.LowDifficulty, Invalid: w.Invalid,
		Difficulty: w.Difficulty, BestDifficulty: w.BestDifficulty, LastSubmit: unix(w.LastSubmit), Class: w.Class.Outputs(),
	}
}
