package blockchain

import (
	"errors"

	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
)

// link finds parent and uncles and adds up the work. Missing ones leave the share
// undecided, unless it may be a root or stands so near to one that its uncles may
// lie beyond.
func (c *Chain) link(n *node, s *share.Share, root bool) error {
	n.total = *n.work()
	if s.Data.IsFirst() {
		if s.Data.Height != 0 || len(s.Data.Uncles) != 0 {
			return ruleError(ErrFirstShare, "share %v has no parent, but height %d and %d uncles", n.id, s.Data.Height, len(s.Data.Uncles))
		}
		if c.tip != nil && c.lowest > 0 {
			return contextError(ErrOtherChain, "share %v begins a chain; ours is known from height %d on", n.id, c.lowest)
		}
		return nil
	}
	n.parent = c.nodes[s.Data.Previous]
	switch {
	case n.parent != nil:
		n.total.Add(&n.parent.total)
	case s.Data.Height == 0:
		return ruleError(ErrHeight, "share %v has height 0 and a parent", n.id)
	case !root:
		return &UndecidedError{
			Kind: ErrMissingParent, MissingShares: append(c.missing(s.Data.Uncles), s.Data.Previous),
			Description: "the parent " + s.Data.Previous.String() + " is unknown",
		}
	}
	if missing := c.missing(s.Data.Uncles); len(missing) > 0 && !c.nearRoot(n) {
		return &UndecidedError{
			Kind: ErrMissingUncle, MissingShares: missing,
			Description: "the uncle " + missing[0].String() + " is unknown",
		}
	}
	c.linkUncles(n, s)
	return nil
}

func (c *Chain) linkUncles(n *node, s *share.Share) {
	for i := range s.Data.Uncles {
		u := c.nodes[s.Data.Uncles[i]]
		// What was pruned below the uncle may have been what shows that it is one.
		if u == nil || u.parent == nil && c.nearRoot(n) {
			n.partial = true
			continue
		}
		n.uncles = append(n.uncles, u)
		n.total.Add(u.work())
		n.paid.Uncles = append(n.paid.Uncles, payout.Uncle{Work: *u.work(), Payee: u.payee()})
	}
}

// nearRoot reports whether n is a root or so little above one that the parent of
// an uncle, at most MaxUncleDepth lower than n, can lie below the root.
func (c *Chain) nearRoot(n *node) bool {
	for a := range n.ancestors() {
		if n.height-a.height >= c.params.MaxUncleDepth {
			return false
		}
		if a.parent == nil {
			return a.height > 0
		}
	}
	return false
}

// assumed reports whether a share is taken for its proof of work and links alone,
// as the payout window behind it reaches below what is known of its chain. That is
// for joining only: later such a share is a fork too deep to be judged.
//
// tied is the verdict on the share's tie to Bitcoin. Where work cuts the window its
// length follows from the header's bits; vouched says that they were checked.
func (c *Chain) assumed(n *node, tied error, vouched bool) (bool, error) {
	if n.parent == nil {
		return !n.isFirst(), nil
	}
	if c.lowest == 0 || n.height-c.lowest >= c.params.WindowShares+c.params.MaxUncleDepth {
		return false, nil
	}
	if _, invalid := errors.AsType[RuleError](tied); invalid {
		return false, tied
	}
	if tied == nil && vouched {
		if _, whole := c.windowBehind(n.parent, n.headerBits); whole {
			return false, nil
		}
	}
	switch {
	case c.trusting:
		return true, nil
	case tied != nil:
		return false, tied // it may look otherwise when that is known
	case vouched && n.parent == c.tip:
		return true, nil // Bitcoin has become harder, which lengthens the window
	default:
		return false, contextError(ErrWindow, "share %v at height %d forks so deep that its payout window is not known", n.id, n.height)
	}
}

// trust notes whether the new tip was taken on trust. Once it and as many below it
// were judged in full that no uncle among those to come can be of the others, trust
// ends. What is beside the main chain proves nothing.
func (c *Chain) trust() {
	if c.tip.assumed {
		c.trusting = true
	}
	if !c.trusting {
		return
	}
	judged := uint32(0)
	for a := range c.tip.ancestors() {
		if a.assumed {
			return
		}
		if judged++; judged > 2*c.params.MaxUncleDepth {
			break
		}
	}
	c.trusting = judged <= 2*c.params.MaxUncleDepth
}
