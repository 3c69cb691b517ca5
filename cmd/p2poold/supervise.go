package main

import (
	"context"
	"time"

	"github.com/p2poold/p2poold/p2p/netsync"
)

const (
	superviseInterval = time.Second
	// firstPeerWait is how long a node that was told of others waits for the
	// first of them before it mines on its own chain: three times the backoff
	// after a failed dial and a handshake at 30 % packet loss.
	firstPeerWait = 15 * time.Second
	// firstSyncWait is how long after its start a node that has peers waits for
	// the end of its first sync: a session without an accepted share ends after as
	// much (netsync.SessionTimeout). A sync that takes longer holds work because
	// it is proven.
	firstSyncWait = time.Minute
	// syncSlack is how many shares a node may be behind and still give work: what
	// is in flight between nodes at any moment. Its shares become uncles at worst.
	syncSlack = 3
)

// runSupervisor keeps looking whether there may be work.
func (n *node) runSupervisor(ctx context.Context) error {
	ticker := time.NewTicker(superviseInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			n.supervise()
		}
	}
}

// supervise stops work while it would be wasted.
func (n *node) supervise() {
	named := len(n.cfg.P2P.Connect) + len(n.cfg.P2P.AddNode)
	n.generator.Hold(holdReason(n.peers.Progress(), named > 0, time.Since(n.startup)))
	n.generator.Tick()
}

// holdReason says why miners must get no work, "" if they may. named tells
// whether the configuration names other nodes, up is the time since the start.
//
// What peers claim to have holds no work, or one of them could stop all mining.
// Only shares that come in do, and for firstSyncWait the chance that they will.
func holdReason(p netsync.Progress, named bool, up time.Duration) string {
	switch {
	case p.Proven && uint64(p.Offered) > uint64(p.Height)+syncSlack,
		p.Peers > 0 && !p.Attempted && up < firstSyncWait:
		return "the node is catching up with the sharechain"
	case p.Peers == 0 && named && up < firstPeerWait:
		return "the node waits for its first peer"
	}
	return ""
}
