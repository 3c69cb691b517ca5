package main

import (
	"context"
	"math"
	"runtime/debug"
	"sync"
	"testing"
	"time"
)

// TestMemoryLimit: the goal holds as long as a collection frees half of what is in use.
func TestMemoryLimit(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct{ live, other, want int64 }{
		{0, 0, 224 * mib},
		{90 * mib, 10 * mib, 224 * mib},
		{140 * mib, 14 * mib, 224 * mib},
		{200 * mib, 50 * mib, 350 * mib}, // 10,000 miners
		{2000 * mib, 500 * mib, 3500 * mib},
	} {
		if got := memoryLimit(memoryGoal, memoryUse{live: tc.live, other: tc.other}); got != tc.want {
			t.Errorf("%d MiB in use and %d others: limit %d MiB, want %d", tc.live/mib, tc.other/mib, got/mib, tc.want/mib)
		}
	}
	if m := readMemory(); m.live <= 0 || m.other <= 0 || m.other > 100*mib {
		t.Errorf("the runtime tells of %+v", m)
	}
}

// TestGovernMemory: the limit is set while the node runs, unless the operator has set
// one.
func TestGovernMemory(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	run := func(during func()) {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = governMemory(ctx, memoryGoal) })
		during()
		cancel()
		wg.Wait()
	}
	run(func() {
		for begun := time.Now(); debug.SetMemoryLimit(-1) == math.MaxInt64; time.Sleep(time.Millisecond) {
			if time.Since(begun) > patience {
				t.Fatal("no limit is set")
			}
		}
	})
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		t.Error("the limit stays behind")
	}
	const own = 1 << 40
	debug.SetMemoryLimit(own)
	run(func() {})
	if got := debug.SetMemoryLimit(-1); got != own {
		t.Errorf("the operator's limit became %d", got)
	}
}
