// Package nodes makes one Bitcoin node of several.
//
// A [Pool] runs a [bitcoind.Client] for each node. Templates come from the first healthy
// one, in the order of the configuration, among those that have the highest tip. So the
// node that first sees a new block gives the work on it, whichever it is; the others'
// templates count again as soon as they have caught up; and a node that is stuck on an
// old block isn't mined on. One that was unwell, or stayed behind for [behindGrace], must
// have been well for [backAfter] before it is preferred again: a node that goes up and
// down costs a change each time.
//
// A preferred node that calls the higher one's block invalid is believed.
//
// Questions about Bitcoin's chain go to the node that templates come from, then to the
// other healthy ones. A block goes to all nodes at once, also over the peer network, and
// the first that takes it decides; each has its own repetitions. One that is healthy or
// not makes no difference there.
//
// Who calls what: cmd/p2poold makes the Pool, gives it the place of a node in package
// mining, internal/chainman and mining/solutions, and runs Check and Run.
//
// # Concurrency
//
// All methods are safe for concurrent use. Callbacks come one at a time, from any
// client's Run or from the Pool's, and must not block. Lock order: deliverMu before mu;
// no lock of this package is held during a call to a node.
package nodes
