package blockchain

import "slices"

// twins are the nodes of one height, in order of acceptance, linked by twin.
type twins struct{ first, last *node }

// insert adds an accepted share to the index.
func (c *Chain) insert(n *node) {
	if len(c.nodes) == 0 || n.height < c.lowest {
		c.lowest = n.height
	}
	c.nodes[n.id] = n
	t := c.byHeight[n.height]
	if t.first == nil {
		t.first = n
	} else {
		t.last.twin = n
	}
	t.last = n
	c.byHeight[n.height] = t
}

// chooseTip moves the tip to n if its chain has more work. On equal work the
// chain that was seen first stays.
func (c *Chain) chooseTip(n *node, u *Update) {
	if c.tip != nil && !c.prefers(n, u) {
		return
	}
	disconnected, connected := c.setTip(n)
	u.TipChanged = true
	u.Disconnected += disconnected
	u.Connected += connected
	c.prune()
}

// prefers reports whether n's chain is to replace the main chain.
func (c *Chain) prefers(n *node, u *Update) bool {
	if n.total.LtEq(&c.tip.total) {
		return false
	}
	fork := c.fork(n)
	if len(c.main)-fork > int(c.params.MaxReorgShares) && !c.dwarfs(n, fork) {
		u.DeepReorg = true
		return false
	}
	return true
}

// deepReorgWork is how many times the work of what it replaces a branch needs to
// win however deep it forks. A node that was shown a worthless branch first, which
// costs little, would otherwise never find the real one; and nobody can double the
// work of all others for a day.
const deepReorgWork = 2

// dwarfs reports whether n's chain has far more work than the main chain above
// their fork, fork shares from the main chain's lowest.
func (c *Chain) dwarfs(n *node, fork int) bool {
	ours, theirs := c.tip.total, n.total
	if fork > 0 {
		ours.Sub(&c.main[fork-1].total)
		theirs.Sub(&c.main[fork-1].total)
	}
	return theirs.GtEq(ours.MulUint64(deepReorgWork))
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
