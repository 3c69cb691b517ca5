// Command demo runs a small pool on this machine: a real Bitcoin node on
// regtest, three p2poold in a line, and a CPU miner on each with a payout address of
// its own. It shows what happens, and for each Bitcoin block whom the coinbase pays,
// as the Bitcoin node reports it. After the first such block the node in the middle
// is killed: the others mine on, each on a chain of its own. Then it returns, and all
// three agree again.
//
//	go run ./internal/harness/demo [-blocks N] [-hashrate 2M] [-outage 15s] [-keep]
//
// With -blocks it ends when that many blocks have paid all miners and the outage is
// over. Otherwise Ctrl-C ends it. Nothing is left behind, neither process nor folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/p2poold/p2poold/internal/harness"
)

func main() { os.Exit(run()) }

func run() int {
	blocks := flag.Int("blocks", 0, "end after so many Bitcoin blocks that pay all miners; 0: run until Ctrl-C")
	hashrate := flag.String("hashrate", "2M", "hashes per second of each miner, such as 250k or 2M; 0 for no limit")
	outage := flag.Duration("outage", 15*time.Second, "how long the node in the middle is away; 0: it stays")
	keep := flag.Bool("keep", false, "keep the folder with data and logs")
	flag.Parse()
	if flag.NArg() > 0 || *blocks < 0 {
		flag.Usage()
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := demo(ctx, *blocks, *hashrate, *outage, *keep)
	if err != nil && !(ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	return 0
}

// demo builds, starts, watches and cleans up.
func demo(ctx context.Context, blocks int, hashrate string, outage time.Duration, keep bool) (err error) {
	dir, err := os.MkdirTemp("", "p2poold-demo-")
	if err != nil {
		return err
	}
	if keep {
		fmt.Println("Data and logs are in", dir)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	fmt.Println("Building p2poold, p2pctl, p2pminer and the Bitcoin node (the first time takes a minute)")
	programs, err := harness.Build(ctx, dir+"/bin")
	if err != nil {
		return err
	}
	pool, err := harness.StartLine(ctx, programs, dir, 3)
	defer func() {
		fmt.Println("Stopping everything")
		err = errors.Join(err, pool.Stop())
	}()
	if err != nil {
		return err
	}
	fmt.Printf("Bitcoin node on regtest at %s; three p2poold in a line: A, B, C\n", pool.Bitcoin.Addr())
	if err := pool.StartMiners(programs, hashrate); err != nil {
		return err
	}
	w := &watcher{pool: pool, want: blocks, outage: outage, shown: make(map[string]bool)}
	for i, payee := range pool.Payees {
		fmt.Printf("Miner %c mines at %s for %s\n", 'A'+i, pool.Nodes[i].Stratum, payee.Address)
	}
	fmt.Println()
	return w.watch(ctx, time.Second)
}
