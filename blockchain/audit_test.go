package blockchain

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Audit verifies what must hold between any two calls, by definitions and without
// haste. It returns the first thing that does not.
func (c *Chain) Audit() error {
	for _, check := range []func() error{c.auditHeights, c.auditLinks, c.auditMain, c.auditChoice, c.auditBounds} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// auditHeights: the lists by height hold the same shares as the index, and nothing
// that should be pruned.
func (c *Chain) auditHeights() error {
	listed := 0
	for height, twins := range c.byHeight {
		for n := twins.first; n != nil; n = n.twin {
			listed++
			if n.height != height || c.nodes[n.id] != n {
				return fmt.Errorf("share %v of height %d is listed at height %d", n.id, n.height, height)
			}
			if height < c.lowest || height < c.base {
				return fmt.Errorf("share %v of height %d is kept, the base is %d, the lowest %d", n.id, height, c.base, c.lowest)
			}
		}
	}
	if listed != len(c.nodes) {
		return fmt.Errorf("%d shares are listed by height, the index has %d", listed, len(c.nodes))
	}
	return nil
}

// auditLinks: every share fits its parent and uncles.
func (c *Chain) auditLinks() error {
	for id, n := range c.nodes {
		if n.id != id {
			return fmt.Errorf("share %v has the ID %v", id, n.id)
		}
		if n.parent == nil {
			if !n.isFirst() && n.height != c.base && n.height != c.lowest {
				return fmt.Errorf("share %v of height %d has no parent, the base is %d", id, n.height, c.base)
			}
			continue
		}
		p := n.parent
		if c.nodes[p.id] != p || n.height != p.height+1 || n.anchor != p.anchor || n.bits != c.nextBits(p) {
			return fmt.Errorf("share %v does not fit its parent %v", id, p.id)
		}
		total, claim := p.total, p.claim
		total.Add(n.work())
		claim.Add(n.work())
		for i := range n.paid.Uncles {
			total.Add(&n.paid.Uncles[i].Work)
			claim.Add(&n.paid.Uncles[i].Work)
		}
		known := uint32(len(n.paid.Uncles))
		if total != n.total || claim != n.claim && !n.partial || n.count < p.count+1+known || n.count > p.count+1+known && !n.partial {
			return fmt.Errorf("share %v: count %d, work %v of %v, on %d, %v of %v", id, n.count, n.total, n.claim, p.count, p.total, p.claim)
		}
		if err := c.auditUncles(n); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chain) auditUncles(n *node) error {
	if len(n.uncles) > c.params.MaxUncles || len(n.uncles) > len(n.paid.Uncles) {
		return fmt.Errorf("share %v has %d uncles and credits %d", n.id, len(n.uncles), len(n.paid.Uncles))
	}
	for i, u := range n.uncles {
		if c.nodes[u.id] != u || u.height >= n.height || u.height+c.params.MaxUncleDepth <= n.height || slices.Contains(n.uncles[:i], u) {
			return fmt.Errorf("share %v of height %d has uncle %v of height %d", n.id, n.height, u.id, u.height)
		}
		for a := range n.parent.ancestors() {
			if a == u || slices.Contains(a.uncles, u) {
				return fmt.Errorf("share %v has uncle %v, which %v counted", n.id, u.id, a.id)
			}
			if a.height+c.params.MaxUncleDepth < n.height {
				break
			}
		}
	}
	return nil
}

// auditMain: the main chain leads from the base or its root to the tip without a
// gap.
func (c *Chain) auditMain() error {
	if c.tip == nil {
		if len(c.nodes) != 0 || len(c.main) != 0 {
			return fmt.Errorf("%d shares without a tip, %d on the main chain", len(c.nodes), len(c.main))
		}
		return nil
	}
	if len(c.main) == 0 || c.main[len(c.main)-1] != c.tip || c.main[0].parent != nil || len(c.main) > int(c.params.RetentionShares) {
		return fmt.Errorf("main chain of %d shares does not end with the tip %v", len(c.main), c.tip.id)
	}
	for i, n := range c.main {
		if c.nodes[n.id] != n || i > 0 && n.parent != c.main[i-1] {
			return fmt.Errorf("main chain is broken at height %d", n.height)
		}
	}
	return nil
}

// auditChoice: nothing has more work that may be preferred.
func (c *Chain) auditChoice() error {
	for _, n := range c.nodes {
		if n.total.Gt(&c.tip.total) && c.prefers(n, new(Update)) {
			return fmt.Errorf("share %v has work %v, the tip %v", n.id, n.total, c.tip.total)
		}
	}
	return nil
}

// auditBounds: what must not grow has not, and the counts for displays add up.
func (c *Chain) auditBounds() error {
	held := map[chainhash.Hash]bool{}
	for _, h := range c.undecided.held {
		if held[h.id] {
			return fmt.Errorf("share %v is held twice", h.id)
		}
		held[h.id] = true
	}
	if n := len(c.undecided.held); n > maxUndecided {
		return fmt.Errorf("%d shares are held", n)
	}
	if a, i := len(c.bitcoin.absent), len(c.bitcoin.invalid); a > maxNoted || i > maxNoted {
		return fmt.Errorf("%d absent and %d invalid Bitcoin blocks are noted", a, i)
	}
	if s := c.Stats(); s.Main < 0 || s.Uncles < 0 || s.Side < 0 {
		return fmt.Errorf("stats %+v", s)
	}
	return nil
}

// AuditWindow compares the scores behind a share with scores added up at once, if
// all that they are made of is there. Of a share so low that its window was pruned
// nothing can be said, though the window may still stand there and know.
func (c *Chain) AuditWindow(id chainhash.Hash, bits uint32) error {
	n := c.nodes[id]
	if n == nil {
		return nil
	}
	w, _ := c.windowBehind(n, bits)
	kept := uint32(0)
	for a := range n.ancestors() {
		kept = n.height - a.height + 1
	}
	if kept < min(n.height+1, c.params.WindowShares) {
		return nil
	}
	if got, want := w.Scores(), scoresByDefinition(c, n, bits); !reflect.DeepEqual(got, want) {
		return fmt.Errorf("scores behind %v are %v, want %v", id, got, want)
	}
	return nil
}

// AuditUpdate compares what a call reported with what it changed: the tip before,
// and how many shares the main chain had.
func (c *Chain) AuditUpdate(u *Update, tip *Tip, base uint32, main int) error {
	if moved := c.Tip().ID != tip.ID; moved && !u.TipChanged {
		return fmt.Errorf("the tip moved from %v to %v without a word", tip.ID, c.Tip().ID)
	}
	pruned := 0
	if c.base != base {
		pruned = main + u.Connected - u.Disconnected - len(c.main)
	}
	if len(c.main) != main+u.Connected-u.Disconnected-pruned || pruned < 0 {
		return fmt.Errorf("main chain of %d shares after %+v, before %d", len(c.main), u, main)
	}
	seen := map[chainhash.Hash]bool{}
	for _, a := range u.Accepted {
		d := &a.Share.Data
		if a.ID != a.Share.ID() || seen[a.ID] || c.nodes[a.ID] == nil && d.Height >= c.base {
			return fmt.Errorf("accepted %v twice, or not at all", a.ID)
		}
		if seen[a.ID] = true; a.Root && d.IsFirst() {
			return fmt.Errorf("share %v is a first share and a root", a.ID)
		}
	}
	for i, a := range u.Accepted {
		n := c.nodes[a.ID]
		for _, later := range u.Accepted[i+1:] {
			// Near a root uncles may come late.
			late := n != nil && n.partial
			if a.Share.Data.Previous == later.ID || !late && slices.Contains(a.Share.Data.Uncles, later.ID) {
				return fmt.Errorf("share %v is reported before %v, which it stands on", a.ID, later.ID)
			}
		}
	}
	return nil
}
