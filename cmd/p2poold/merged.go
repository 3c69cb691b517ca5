package main

import (
	"context"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/merged"
)

func (n *node) buildMerged() (err error) {
	log := n.logs.logger(subsysMining)
	if len(n.cfg.Merged.nodes) > 0 && len(n.cfg.General.Tag) == share.MaxTagMerged {
		log.Warn(longTagWarning)
	}
	n.merged, err = merged.New(merged.Config{
		Nodes: n.cfg.Merged.nodes, Changed: func() { n.generator.MergedChanged() }, Log: log,
	})
	return err
}

// otherChains is what the generator gets: nothing, if there are none.
func (n *node) otherChains() mining.Merged {
	if len(n.cfg.Merged.nodes) == 0 {
		return nil
	}
	return n.merged
}

// MergedMining implements rpcserver.MergedBackend.
func (b backend) MergedMining(context.Context) ([]rpcserver.MergedChain, error) {
	list := []rpcserver.MergedChain{}
	for _, s := range b.n.merged.Status() {
		list = append(list, rpcserver.MergedChain{
			URL: s.URL, Address: s.Address, ChainID: s.ChainID, Healthy: s.Healthy, Error: s.Error,
			Height: s.Height, Hash: s.Hash, Difficulty: s.Difficulty,
			Found: s.Found, Accepted: s.Accepted, Rejected: s.Rejected, Stale: s.Stale, LastFound: unix(s.LastFound),
		})
	}
	return list, nil
}
