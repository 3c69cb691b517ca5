package blockchain

import (
	"slices"
	"time"
)

// insert adds an accepted share to the index.
func (c *Chain) insert(n *node) {
	if len(c.nodes) == 0 || n.height < c.lowest {
		c.lowest = n.height
	}
	c.nodes[n.id] = n
	if c.byHeight[n.height] == nil {
		c.byHeight[n.height] = n
		return
	}
	last := c.byHeight[n.height]
	for last.twin != nil {
		last = last.twin
	}
	last.twin = n
}

// chooseTip moves the tip to n if its chain has more work. On equal work the
// chain that was seen first stays.
func (c *Chain) chooseTip(n *node, now time.Time, u *Update) {
	if c.tip != nil && !c.prefers(n, now, u) {
		return
	}
	if c.tip != nil && n.root != c.tip.root {
		c.window, c.aside = c.aside, c.window
	}
	disconnected, connected := c.setTip(n)
	u.TipChanged = true
	u.Disconnected += disconnected
	u.Connected += connected
	c.prune()
}

// prefers reports whether n's chain is to replace the main chain.
func (c *Chain) prefers(n *node, now time.Time, u *Update) bool {
	apart := n.root != c.tip.root
	if apart && c.outlived(now) {
		return true
	}
	if n.total.LtEq(&c.tip.total) {
		return false
	}
	if (apart || len(c.main)-c.fork(n) > int(c.params.MaxReorgShares)) && !c.dwarfs(n) {
		u.DeepReorg = true
		return false
	}
	return true
}

// deepReorgWork is how many times the work of the main chain a branch needs to
// win however deep it forks. A node that was shown a worthless chain first, which
// costs little, would otherwise never find the real one; and nobody can double
// all the work that a real chain has.
const deepReorgWork = 2

// dwarfs reports whether n's chain has far more work than the main chain, of what
// is known of both.
func (c *Chain) dwarfs(n *node) bool {
	work := c.tip.total
	work.MulUint64(deepReorgWork)
	return n.total.GtEq(&work)
}

// minOutlived keeps a pool with a short retention, as on test networks, from giving
// its chain up over a weekend's rest.
const minOutlived = 3 * 24 * time.Hour

// outlived reports whether the main chain ended so long ago that other nodes have
// pruned all of it, should it be theirs. A node that comes back then joins anew.
func (c *Chain) outlived(now time.Time) bool {
	kept := time.Duration(c.params.RetentionShares) * c.params.ShareInterval
	return time.Unix(int64(c.tip.time), 0).Add(max(kept, minOutlived)).Before(now)
}

// setTip makes n the tip and rebuilds the main chain above the fork. It returns
// how many shares left the main chain and joined it.
func (c *Chain) setTip(n *node) (disconnected, connected int) {
	fork := c.fork(n)
	disconnected = len(c.main) - fork
	var joining []*node // from n down
	for a := range n.ancestors() {
		if c.onMain(a) {
			break
		}
		joining = append(joining, a)
	}
	slices.Reverse(joining)
	clear(c.main[fork:])
	c.main = append(c.main[:fork], joining...)
	c.tip = n
	return disconnected, len(joining)
}

// fork returns how many shares of the main chain n's chain has in common with it.
func (c *Chain) fork(n *node) int {
	for a := range n.ancestors() {
		if c.onMain(a) {
			return int(a.height-c.main[0].height) + 1
		}
	}
	return 0
}

// mainAt returns the main-chain share of a height, nil if there is none.
func (c *Chain) mainAt(height uint32) *node {
	if len(c.main) == 0 || height < c.main[0].height || height > c.main[len(c.main)-1].height {
		return nil
	}
	return c.main[height-c.main[0].height]
}

func (c *Chain) onMain(n *node) bool { return c.mainAt(n.height) == n }
