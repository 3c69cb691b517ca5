package blockchain

import "slices"

// Base returns the height below which everything was pruned, 0 if nothing was.
func (c *Chain) Base() uint32 { return c.base }

// prune drops what lies more than RetentionShares below the tip, main chain and
// branches, and cuts the links to it, so that the memory is free. The entries of
// the shares that stay keep the credit of dropped uncles.
func (c *Chain) prune() {
	if c.tip.height < c.params.RetentionShares {
		return
	}
	base := c.tip.height + 1 - c.params.RetentionShares
	if base <= c.base {
		return
	}
	c.base = base
	for ; c.lowest < base; c.lowest++ {
		for n := c.byHeight[c.lowest].first; n != nil; n = n.twin {
			delete(c.nodes, n.id)
			n.parent, n.uncles = nil, nil
		}
		delete(c.byHeight, c.lowest)
	}
	if len(c.main) > 0 && c.main[0].height < base {
		dropped := int(min(base-c.main[0].height, uint32(len(c.main))))
		clear(c.main[:dropped])
		c.main = c.main[dropped:]
	}
	// A share refers to what is at most MaxUncleDepth−1 lower.
	for h := base; h < base+c.params.MaxUncleDepth; h++ {
		for n := c.byHeight[h].first; n != nil; n = n.twin {
			n.cut(base)
		}
	}
}

// cut drops the links of n to what is lower than base.
func (n *node) cut(base uint32) {
	if n.parent != nil && n.parent.height < base {
		n.parent = nil
	}
	n.uncles = slices.DeleteFunc(n.uncles, func(u *node) bool { return u.height < base })
}
