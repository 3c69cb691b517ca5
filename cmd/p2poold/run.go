package main

import (
	"context"
	"fmt"
	"sync"
)

// crew runs the parts of the node side by side. The first that fails ends all.
type crew struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	crashed func() // called when a part panics, before the program ends; may be nil
}

func newCrew(ctx context.Context) *crew {
	c := new(crew)
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return c
}

// run starts a part, which has to return when its context ends. Its name, if it
// has one, goes before its error. run may be called before wait or by a part.
func (c *crew) run(name string, part func(context.Context) error) {
	c.wg.Go(func() {
		err := c.call(part)
		if err == nil || c.ctx.Err() != nil {
			return
		}
		if name != "" {
			err = fmt.Errorf("%s: %w", name, err)
		}
		c.cancel(err)
	})
}

// call runs a part in the calling goroutine.
func (c *crew) call(part func(context.Context) error) error {
	returned := false
	defer func() { // without recover, which would take the place of the panic from the trace
		if !returned && c.crashed != nil {
			c.crashed()
		}
	}()
	err := part(c.ctx)
	returned = true
	return err
}

// stop ends all parts without an error.
func (c *crew) stop() { c.cancel(nil) }

// wait returns when all parts have, with the error of the first that failed, nil
// if the context or stop ended them.
func (c *crew) wait() error {
	c.wg.Wait()
	defer c.stop()
	if err := context.Cause(c.ctx); err != context.Canceled {
		return err
	}
	return nil
}

// run runs the node until ctx is done, Stop is called over RPC or a part fails,
// and returns when all parts have ended. RPC and Stratum server answer from the
// beginning, and the peer network if there is a block to tell of that an earlier run has
// left; the others start when the sharechain is loaded.
func (n *node) run(ctx context.Context) error {
	c := newCrew(ctx)
	c.crashed = n.logs.flush // the last lines say what led to it
	n.stop = c.stop
	c.run("", func(ctx context.Context) error { return governMemory(ctx, memoryGoal) })
	if n.rpc != nil {
		c.run("RPC server", n.rpc.Run)
	}
	// Miners are told what the node waits for. There is no work before it has a template.
	c.run("stratum", n.stratum.Run)
	// Blocks that a crash left behind must not wait for the sharechain, nor, as peers submit
	// them too, for the Bitcoin node.
	left := len(n.solutions.Open(1)) > 0
	c.run("found blocks", n.solutions.Run)
	c.run("found blocks for peers", n.runOpenBlocks)
	if left {
		c.run("peer network", n.peers.Run)
	}
	c.run("signals", n.runSignals)
	c.run("", func(ctx context.Context) error {
		if err := n.startUp(ctx); err != nil {
			n.linger(ctx)
			return err
		}
		n.peers.ChainLoaded()
		n.supervise() // before the first template, so that no job leaves too early
		c.run("sharechain", n.chain.Run)
		if !left {
			c.run("peer network", n.peers.Run)
		}
		n.acceptLeft()
		c.run("Bitcoin node", n.bitcoin.Run)
		c.run("blocks of the sharechain", n.runBlocks)
		c.run("merged mining", n.merged.Run)
		c.run("templates", n.runTemplates)
		c.run("supervisor", n.runSupervisor)
		return nil
	})
	err := c.wait()
	n.generator.Wait() // a block on its way to the Bitcoin node
	if err != nil {
		err = n.rescue(err)
	}
	n.solutions.Close() // what is on disk can be submitted by the next run
	n.bitcoin.Wait()    // a block on its way to further nodes
	return err
}
