package main

import (
	"context"
	"fmt"
	"time"
)

// stage is how far the outage of the node in the middle is.
type stage int

const (
	together stage = iota // before it
	parted                // the node is away
	meeting               // it is back, and the tips may still differ
	healed                // all had the same tip again
)

// middle is the node that is killed.
const middle = 1

// advance kills the node in the middle after the first block that paid everybody,
// brings it back, and waits for all to agree.
func (w *watcher) advance(ctx context.Context, nodes []status) error {
	n := w.pool.Nodes[middle]
	switch {
	case w.outage <= 0:
	case w.stage == together && w.paid > 0:
		n.Kill()
		w.stage, w.downAt = parted, time.Now()
		fmt.Printf("\n  Node B is killed (signal 9). A and C no longer hear of each other's shares.\n\n")
	case w.stage == parted && time.Since(w.downAt) >= w.outage:
		fmt.Printf("\n  Node B returns.\n\n")
		if err := n.Start(ctx); err != nil {
			return err
		}
		w.stage = meeting
	case w.stage == meeting && nodes[0].Tip == nodes[1].Tip && nodes[1].Tip == nodes[2].Tip && nodes[0].Peers > 0 && nodes[2].Peers > 0:
		w.stage = healed
		fmt.Printf("\n  All three have one sharechain again, %.0f s after node B was killed.\n\n", time.Since(w.downAt).Seconds())
	}
	return nil
}
