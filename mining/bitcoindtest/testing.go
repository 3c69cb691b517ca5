package bitcoindtest

import (
	"context"
	"time"
)

// TB is the part of testing.TB that this package uses; it keeps the testing package out
// of programs like the demo.
type TB interface {
	Helper()
	Cleanup(func())
	TempDir() string
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// buildTimeout bounds the start of a node in a test; the first one may have to build
// btcd.
const buildTimeout = 5 * time.Minute

// StartTest is [Start] for a test: it fails the test if the node can't be started, and
// stops the node at the test's end. Without a directory it uses the test's own.
func StartTest(tb TB, opts Options) *Node {
	tb.Helper()
	if opts.Dir == "" {
		opts.Dir = tb.TempDir()
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	n, err := Start(ctx, opts)
	if err != nil {
		tb.Fatalf("Bitcoin node: %v", err)
	}
	tb.Cleanup(func() {
		if err := n.Stop(); err != nil {
			tb.Errorf("Bitcoin node: %v", err)
		}
	})
	return n
}
