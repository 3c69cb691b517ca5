package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/p2poold/p2poold/cmd/p2pminer/internal/bench"
)

// benchUserAgent is not that of the miner, which servers give a larger coinbase than
// devices get.
const benchUserAgent = "p2pminer-bench/" + version

// runBench runs the load generator and prints its figures to stdout; stderr gets how
// far it is. It returns the exit code.
func runBench(ctx context.Context, cfg *settings, stdout, stderr io.Writer) int {
	config := *cfg.bench
	if !cfg.quiet {
		config.Progress = func(line string) { fmt.Fprintf(stderr, "%s %s\n", time.Now().Format(time.TimeOnly), line) }
		config.Progress(fmt.Sprintf("load test of %s, %s with %d connections; Ctrl-C ends it", cfg.addr, config.Mode, config.Connections))
	}
	report, err := bench.Run(ctx, config)
	if err == nil {
		err = printReport(stdout, report, cfg.json)
	}
	if err != nil {
		fmt.Fprintf(stderr, "p2pminer: %v\n", err)
		return exitRun
	}
	return exitOK
}

func printReport(w io.Writer, report *bench.Report, asJSON bool) error {
	if !asJSON {
		return report.WriteTable(w)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(report)
}
