package blockchain

import (
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/target"
)

// window is the payout window, which stands behind one share of the index and is
// moved to another by letting shares enter and leave. Validating a share beside
// the tip moves it there and back: a step costs microseconds, and what it has
// been through does not show in its scores.
type window struct {
	*payout.Window
	nodes nodeDeque // the shares in it, oldest first
	limit payout.Limit
}

// windowBehind moves the window so that it ends with parent, cut for headers
// with those Bitcoin bits, and returns it: empty for a nil parent. The bits must
// be a target, as checkBitcoin has made sure of.
func (c *Chain) windowBehind(parent *node, headerBits uint32) *payout.Window {
	if parent == nil {
		return payout.NewWindow(c.params)
	}
	t, err := target.FromCompact(headerBits)
	if err != nil {
		return payout.NewWindow(c.params)
	}
	blockWork := target.Work(&t)
	c.window.limit = payout.LimitFor(c.params, &blockWork)
	c.moveHead(parent)
	c.moveTail()
	return c.window.Window
}

// moveHead takes off what is not below parent, down to the fork, and puts on
// what is missing above it. A window that has nothing in common with parent's
// chain begins anew.
func (c *Chain) moveHead(parent *node) {
	w := &c.window
	var missing []*node // from parent down to the fork
	for n := parent; w.nodes.len() > 0 && w.nodes.back() != n; {
		if n == nil || w.nodes.back().height >= n.height {
			w.popHead()
		} else {
			missing = append(missing, n)
			n = n.parent
		}
	}
	if w.nodes.len() == 0 {
		missing = []*node{parent}
	}
	for i := len(missing) - 1; i >= 0; i-- {
		w.pushHead(missing[i])
		w.trim()
	}
}

// moveTail drops what is too old and fills up what is missing.
func (c *Chain) moveTail() {
	w := &c.window
	w.trim()
	for n := w.nodes.front().parent; n != nil && w.Short(&w.limit); n = n.parent {
		w.AddOldest(n.entry())
		w.nodes.pushFront(n)
	}
}

// trim drops the oldest shares as long as the window is full without them.
func (w *window) trim() {
	for w.nodes.len() > 1 && w.Long(&w.limit, w.nodes.front().entry()) {
		w.RemoveOldest(w.nodes.front().entry())
		w.nodes.popFront()
	}
}

func (w *window) pushHead(n *node) {
	w.AddNewest(n.entry())
	w.nodes.pushBack(n)
}

func (w *window) popHead() {
	w.RemoveNewest(w.nodes.back().entry())
	w.nodes.popBack()
}
