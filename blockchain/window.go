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
	head, tail *node // newest and oldest share in it; nil when empty
	limit      payout.Limit
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
	for n := parent; w.head != nil && w.head != n; {
		if n == nil || w.head.height >= n.height {
			w.popHead()
		} else {
			missing = append(missing, n)
			n = n.parent
		}
	}
	if w.head == nil {
		missing = []*node{parent}
	}
	for i := len(missing) - 1; i >= 0; i-- {
		w.pushHead(missing[i])
		c.trim()
	}
}

// moveTail drops what is too old and fills up what is missing.
func (c *Chain) moveTail() {
	c.trim()
	w := &c.window
	for w.tail.parent != nil && w.Short(&w.limit) {
		w.tail = w.tail.parent
		w.AddOldest(w.tail.entry())
	}
}

// trim drops the oldest shares as long as the window is full without them.
func (c *Chain) trim() {
	w := &c.window
	for w.tail != w.head && w.Long(&w.limit, w.tail.entry()) {
		w.RemoveOldest(w.tail.entry())
		w.tail = c.ancestorAt(w.head, w.tail.height+1)
	}
}

func (w *window) pushHead(n *node) {
	w.AddNewest(n.entry())
	w.head = n
	if w.tail == nil {
		w.tail = n
	}
}

func (w *window) popHead() {
	w.RemoveNewest(w.head.entry())
	if w.head == w.tail {
		w.head, w.tail = nil, nil
		return
	}
	w.head = w.head.parent
}

// ancestorAt returns n's ancestor of that height, which must not be above n. It
// walks only as long as it is off the main chain.
func (c *Chain) ancestorAt(n *node, height uint32) *node {
	for n.height > height && !c.onMain(n) {
		n = n.parent
	}
	if n.height > height {
		return c.main[height]
	}
	return n
}
