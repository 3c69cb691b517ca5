package main

import (
	"context"
	"time"
)

const (
	superviseInterval = time.Second
	// firstPeerWait is how long a node that was told of others waits for the
	// first of them before it mines on its own chain: three times the backoff
	// after a failed dial and a handshake at 30 % packet loss.
	firstPeerWait = 15 * time.Second
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
	n.generator.Hold(n.holdReason())
	n.generator.Tick()
}

// holdReason says why miners must get no work, "" if they may.
func (n *node) holdReason() string {
	progress := n.peers.Progress()
	named := len(n.cfg.P2P.Connect) + len(n.cfg.P2P.AddNode)
	switch {
	case progress.Syncing && progress.BestHeight > progress.Height+syncSlack:
		return "the node is catching up with the sharechain"
	case progress.Peers == 0 && named > 0 && time.Since(n.startup) < firstPeerWait:
		return "the node waits for its first peer"
	}
	return ""
}

// syncSlack is how many shares a node may be behind and still give work: what is
// in flight between nodes at any moment. Its shares become uncles at worst.
const syncSlack = 3
