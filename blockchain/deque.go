package blockchain

// nodeDeque is a list of nodes that grows and shrinks at both ends.
type nodeDeque struct {
	buf []*node
	lo  int // the list is buf[lo:]
}

// minDequeSlack is the least room kept before the list when it is moved.
const minDequeSlack = 64

func (d *nodeDeque) len() int       { return len(d.buf) - d.lo }
func (d *nodeDeque) front() *node   { return d.buf[d.lo] }
func (d *nodeDeque) at(i int) *node { return d.buf[d.lo+i] }
func (d *nodeDeque) back() *node    { return d.buf[len(d.buf)-1] }

func (d *nodeDeque) pushBack(n *node) {
	if len(d.buf) == cap(d.buf) {
		d.move()
	}
	d.buf = append(d.buf, n)
}

func (d *nodeDeque) pushFront(n *node) {
	if d.lo == 0 {
		d.move()
	}
	d.lo--
	d.buf[d.lo] = n
}

func (d *nodeDeque) popBack() {
	d.buf[len(d.buf)-1] = nil
	d.buf = d.buf[:len(d.buf)-1]
}

func (d *nodeDeque) popFront() {
	d.buf[d.lo] = nil
	d.lo++
}

// move makes room at both ends, a quarter of the list's length each, so that the
// cost of moving spreads over as many pushes.
func (d *nodeDeque) move() {
	list := d.buf[d.lo:]
	slack := max(minDequeSlack, len(list)/4)
	buf := make([]*node, slack, slack+len(list)+slack)
	d.buf = append(buf, list...)
	d.lo = slack
}
