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
//
// The scores are those that all nodes see only if the window is whole: a chain
// that is known from a root on only may lack its lower end.
func (c *Chain) windowBehind(parent *node, headerBits uint32) (w *payout.Window, whole bool) {
	if parent == nil {
		return payout.NewWindow(c.params), true
	}
	moved := c.moveWindow(parent, headerBits)
	if moved == nil {
		return payout.NewWindow(c.params), false
	}
	return moved.Window, moved.whole(c.params.MaxUncleDepth)
}

// moveWindow is windowBehind for a share that there is; nil if the bits are no
// target.
func (c *Chain) moveWindow(parent *node, headerBits uint32) *window {
	t, err := target.FromCompact(headerBits)
	if err != nil {
		return nil
	}
	moved := &c.window
	blockWork := target.Work(&t)
	moved.limit = payout.LimitFor(c.params, &blockWork)
	moved.moveHead(parent)
	moved.moveTail()
	return moved
}

// whole reports whether the window has all the shares it is to have, with all
// their uncles. Only the lowest maxUncleDepth shares of a chain can be partial.
func (w *window) whole(maxUncleDepth uint32) bool {
	lowest := w.nodes.front()
	if lowest.isFirst() {
		return true
	}
	if w.Short(&w.limit) {
		return false
	}
	for i := range min(w.nodes.len(), int(maxUncleDepth)) {
		if w.nodes.at(i).partial {
			return false
		}
	}
	return true
}

// moveHead makes parent the window's newest share. It takes off what is not below parent, down to the fork, and puts on
// what is missing above it. A window that has nothing in common with parent's
// chain begins anew.
func (w *window) moveHead(parent *node) {
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
func (w *window) moveTail() {
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
