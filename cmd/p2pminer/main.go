package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Exit codes.
const (
	exitOK    = 0
	exitRun   = 1 // the server refuses us for good, or is not trusted
	exitUsage = 2 // the flags have to be corrected
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the whole program; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	cfg, err := parseOptions(args)
	if shown, ok := errors.AsType[*errShown](err); ok {
		io.WriteString(stdout, shown.text)
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "p2pminer: %v\n", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once

	if cfg.bench != nil {
		return runBench(ctx, cfg, stdout, stderr)
	}
	if cfg.quiet {
		stdout = io.Discard
	}
	if err := mine(ctx, cfg, newPrinter(stdout, stderr)); err != nil {
		fmt.Fprintf(stderr, "p2pminer: %v\n", err)
		return exitRun
	}
	return exitOK
}

// mine mines on the configured server.
func mine(ctx context.Context, cfg *settings, out *printer) error {
	return mineOn(ctx, cfg, out, func(ctx context.Context) (net.Conn, error) {
		d := net.Dialer{Timeout: dialTimeout}
		if !cfg.tls {
			return d.DialContext(ctx, "tcp", cfg.addr)
		}
		return cfg.trust.dialTLS(ctx, &d, cfg.addr)
	})
}

// mineOn runs client, miners and status line until ctx is done or another attempt
// would be pointless. dial connects to the server.
func mineOn(ctx context.Context, cfg *settings, out *printer, dial dialer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	board := newBoard()
	client := newClient(cfg, board, out, dial)

	var wg sync.WaitGroup
	out.printf("Mining on %s with %d thread(s)", cfg.addr, cfg.threads)
	if cfg.user == "" {
		out.printf("No --user is given: all that is earned goes to the address of the server's operator")
	}
	for i := range cfg.threads {
		m := miner{
			board: board, stats: &client.stats,
			index: uint64(i), threads: uint64(cfg.threads),
			limit: cfg.hashrate / float64(cfg.threads),
		}
		wg.Go(func() { m.run(ctx) })
	}
	wg.Go(func() { client.report(ctx) })
	err := client.run(ctx)
	cancel()
	wg.Wait()
	out.printf("%s", client.stats.summary(time.Now()))
	return err
}
