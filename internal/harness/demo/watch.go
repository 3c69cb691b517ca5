package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/p2poold/p2poold/internal/harness"
)

// watcher prints what the pool does.
type watcher struct {
	pool  *harness.Pool
	want  int // blocks that pay everybody; 0: no end
	paid  int
	shown map[string]bool // blocks
	lines int             // status lines printed, for the heading

	failures int // rounds in a row without an answer

	outage time.Duration // of the node in the middle; 0: none
	stage  stage
	downAt time.Time
}

// status is what one node says of itself: the parts of getinfo and
// getsharechaininfo that are shown.
type status struct {
	Tip      string  `json:"tip"`
	Height   uint32  `json:"height"`
	Peers    int     `json:"peers"`
	HashRate float64 `json:"hashrate"`
	Shares   int     `json:"shares"`
	Uncles   int     `json:"uncles"`

	down bool
}

// maxFailures is how many rounds of questions in a row may go unanswered: a busy
// machine is no reason to end.
const maxFailures = 5

// watch polls until enough blocks are paid or ctx is done.
func (w *watcher) watch(ctx context.Context, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if err := w.pool.Exited(); err != nil {
			return err
		}
		nodes, err := w.showStatus(ctx)
		err = errors.Join(err, w.showBlocks(ctx))
		if w.failures++; err == nil {
			w.failures = 0
		}
		if w.failures > maxFailures {
			return err
		}
		if err == nil {
			if err := w.advance(ctx, nodes); err != nil {
				return err
			}
		}
		if w.want > 0 && w.paid >= w.want && (w.stage == healed || w.outage == 0) {
			fmt.Printf("\n%d Bitcoin blocks have paid all miners.\n", w.paid)
			return nil
		}
	}
}

// showStatus prints one line.
func (w *watcher) showStatus(ctx context.Context) ([]status, error) {
	nodes := make([]status, len(w.pool.Nodes))
	var hashrate float64
	for i, n := range w.pool.Nodes {
		if nodes[i].down = n.Killed(); nodes[i].down {
			continue
		}
		for _, method := range []string{"getsharechaininfo", "getinfo"} {
			if err := n.Call(ctx, &nodes[i], method); err != nil {
				return nil, fmt.Errorf("node %c: %w", 'A'+i, err)
			}
		}
		hashrate += nodes[i].HashRate
	}
	const headingEvery = 20
	if w.lines%headingEvery == 0 {
		fmt.Println("time      shares  uncles  tip of node A   tip of node B   tip of node C   peers  hashrate   blocks")
	}
	w.lines++
	fmt.Printf("%s  %6d  %6d ", time.Now().Format(time.TimeOnly), nodes[0].Shares, nodes[0].Uncles)
	for _, s := range nodes {
		fmt.Printf(" %-15s", tip(s))
	}
	for _, s := range nodes {
		fmt.Printf(" %d", s.Peers)
	}
	fmt.Printf("  %9s  %6d\n", rate(hashrate), len(w.shown))
	return nodes, nil
}

// tip abbreviates a share's ID to its last digits; the first are zeros.
func tip(s status) string {
	switch {
	case s.down:
		return "killed"
	case s.Tip == "":
		return "none"
	}
	return fmt.Sprintf("%d …%s", s.Height, s.Tip[len(s.Tip)-8:])
}

// rate formats hashes per second.
func rate(h float64) string {
	for _, unit := range []string{"H/s", "kH/s", "MH/s"} {
		if h < 1000 {
			return fmt.Sprintf("%.0f %s", h, unit)
		}
		h /= 1000
	}
	return fmt.Sprintf("%.1f GH/s", h)
}

// showBlocks prints the payouts of each new Bitcoin block, oldest first.
func (w *watcher) showBlocks(ctx context.Context) error {
	var blocks []struct {
		Hash          string `json:"hash"`
		Height        int    `json:"height"`
		ShareHeight   int    `json:"shareheight"`
		Confirmations int64  `json:"confirmations"`
	}
	const latest = 50
	if err := w.pool.Nodes[0].Call(ctx, &blocks, "getblocksfound", latest); err != nil {
		return err
	}
	for i := len(blocks) - 1; i >= 0; i-- {
		b := blocks[i]
		if w.shown[b.Hash] || b.Confirmations < 1 {
			continue
		}
		outputs, _, err := harness.Coinbase(ctx, w.pool.Bitcoin, b.Hash)
		if err != nil {
			return fmt.Errorf("block %s: %w", b.Hash, err)
		}
		w.shown[b.Hash] = true
		fmt.Printf("\n  BITCOIN BLOCK %d (share %d) %s\n", b.Height, b.ShareHeight, b.Hash)
		w.showPayouts(outputs)
	}
	return nil
}

// showPayouts prints the outputs of a coinbase and counts the block if it pays
// all miners.
func (w *watcher) showPayouts(outputs []harness.Output) {
	paid := make(map[string]bool)
	for i, out := range outputs {
		if out.Address == "" {
			continue // the witness commitment
		}
		note := ""
		for m, payee := range w.pool.Payees {
			if payee.Address == out.Address {
				note = fmt.Sprintf("miner %c", 'A'+m)
			}
		}
		if i == 0 {
			note += ", the finder's fee"
		} else {
			// The finder's fee goes to whoever mines the share; what counts is to
			// be paid for past work.
			paid[out.Address] = true
		}
		fmt.Printf("    %16s BTC  %-64s %s\n", harness.FormatAmount(out.Amount), out.Address, note)
	}
	all := true
	for _, payee := range w.pool.Payees {
		all = all && paid[payee.Address]
	}
	if all {
		w.paid++
	}
	fmt.Println()
}
