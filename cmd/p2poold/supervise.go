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
	// it is proven. In a public pool it is the Manager that bounds the wait, from the
	// first session on (netsync.FirstSyncLimit).
	firstSyncWait = time.Minute
	// lonelyWait is how long a node of a public pool that has lost its last peer goes
	// on with what it knows: peers that restart and lines that drop are back by then.
	lonelyWait = 2 * time.Minute
	// syncSlack is how many shares a node may be behind and still give work: what
	// is in flight between nodes at any moment. Its shares become uncles at worst.
	syncSlack = 3
)

// Reasons why miners get no work.
const (
	reasonCatchingUp = "the node is catching up with the sharechain"
	reasonFirstPeer  = "the node waits for its first peer"
	reasonNoPeers    = "no peers: what a node mines alone on a public pool is worth nothing to the others; " +
		"check --addnode and the firewall, or set --solo"
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

// supervise stops work while it would be wasted. It is not for two goroutines at a
// time.
func (n *node) supervise() {
	found := n.examine(n.now(), n.peers.Progress())
	n.checkup.Store(found)
	n.generator.Hold(found.reason())
	n.generator.Tick()
	n.rotatePayees()
}

// circumstances is what else than the sync decides whether there may be work.
type circumstances struct {
	public bool          // a public pool, without --solo
	named  bool          // the configuration names other nodes
	up     time.Duration // since the start
	lonely bool          // there never was a peer, or none for lonelyWait
}

// holdReason says why miners must get no work, "" if they may.
//
// What peers claim to have holds no work, or one of them could stop all mining.
// Only shares that come in do, and until the first sync has ended the chance that they
// will, which is bounded: see the package comment of netsync on claims. In a public
// pool a node must also have peers; elsewhere it may be the first, or the only one.
func holdReason(p netsync.Progress, c circumstances) string {
	behind := p.Proven && uint64(p.Offered) > uint64(p.Height)+syncSlack
	untried := p.Peers > 0 && !p.Attempted
	switch {
	case behind, p.Joining, untried && (c.public || c.up < firstSyncWait):
		return reasonCatchingUp
	case p.Peers == 0 && c.named && c.up < firstPeerWait:
		return reasonFirstPeer
	case c.public && c.lonely:
		return reasonNoPeers
	}
	return ""
}

// company remembers when there were peers.
type company struct {
	met  bool      // there was one
	left time.Time // when the last one had gone; zero: not noticed
}

// lonely notes how many peers there are now and reports whether there never was one,
// or none for lonelyWait.
func (c *company) lonely(now time.Time, peers int) bool {
	switch {
	case peers > 0:
		*c = company{met: true}
		return false
	case !c.met:
		return true
	case c.left.IsZero():
		c.left = now
	}
	return now.Sub(c.left) >= lonelyWait
}
