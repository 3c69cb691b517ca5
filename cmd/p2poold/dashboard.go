package main

import (
	"context"
	"net"
	"slices"
	"sync"

	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/internal/web"
)

// dashboard tells the web pages what everybody may know.
type dashboard struct {
	n *node

	mu      sync.Mutex // held while what follows is made anew
	payouts *payoutView
}

// Reason implements web.Backend. Strangers are told what miners are. Other reasons of
// health may name the operator's machines and files.
func (d *dashboard) Reason() string {
	source := d.n.minerSource()
	if source.Work() != nil {
		return ""
	}
	return source.Reason()
}

// OnlyTLS implements web.Backend: the listeners are known by their ports.
func (d *dashboard) OnlyTLS(local net.Addr) bool {
	addr, ok := local.(*net.TCPAddr)
	listeners, plain := d.n.stratum.Addrs(), len(d.n.cfg.Stratum.Listen)
	at := func(l net.Addr) bool {
		tcp, ok := l.(*net.TCPAddr)
		return ok && tcp.Port == addr.Port
	}
	return ok && !slices.ContainsFunc(listeners[:plain], at) && slices.ContainsFunc(listeners[plain:], at)
}

// Status implements web.Backend.
func (d *dashboard) Status(ctx context.Context) (*web.Status, error) {
	b := backend{d.n}
	info, err := b.Info(ctx)
	if err != nil {
		return nil, err
	}
	status := &web.Status{
		Name: "p2poold", Version: info.Version, Network: info.Network, Pool: info.Pool,
		Starting: info.Starting, Syncing: info.Syncing, Synced: info.Sync.Percent,
		Height: info.Height, Difficulty: info.ShareDifficulty, Bitcoin: info.Bitcoind.BitcoinHeight,
		PoolHashRate: info.PoolHashRate, HashRate: info.HashRate,
		Connections: info.StratumConnections, Workers: info.Workers, Peers: info.Peers,
		Reasons: []string{}, NeedsAddress: len(info.Addresses) == 0, TLS: d.n.tlsCert != nil,
		Fee: info.Fee, Donation: info.Donation, Next: d.payoutView().next,
	}
	if !info.Starting {
		status.LastShare = int64(d.n.chain.Tip().Time)
		status.BlockTime = d.blockTime(info.PoolHashRate)
	}
	if reason := d.Reason(); reason != "" {
		status.Reasons = append(status.Reasons, reason)
	}
	status.Working = len(status.Reasons) == 0
	if status.TLS {
		status.Fingerprint = d.n.tlsCert.Info().Fingerprint
	}
	return status, nil
}

// blockTime is how many seconds a Bitcoin block takes on average at a hash rate, 0 if
// that is not known.
func (d *dashboard) blockTime(hashRate float64) float64 {
	t := d.n.generator.Template()
	if t == nil || hashRate <= 0 {
		return 0
	}
	blockTarget, err := target.FromCompact(t.Bits)
	if err != nil {
		return 0
	}
	work := target.Work(&blockTarget)
	return target.WorkFloat(&work) / hashRate
}

// Blocks implements web.Backend. The journal follows the blocks by itself; a stranger's
// look at them does not make it ask the Bitcoin node.
func (d *dashboard) Blocks(_ context.Context, count int) ([]web.Block, error) {
	list := []web.Block{}
	for _, r := range d.n.solutions.List(count) {
		list = append(list, web.Block{
			Hash: r.Hash.String(), Height: r.Height, ShareHeight: r.ShareHeight, Time: r.Time, Value: r.Value,
			Status: blockStatus[r.Status], Confirmations: r.Confirmations,
		})
	}
	return list, nil
}
