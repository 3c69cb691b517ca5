package main

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// memoryGoal is what the Go runtime may hold before it collects garbage more often
	// than by default, in bytes: a node with the whole retention and 125 peers, whatever
	// they do, is to stay below 256 MiB. Some 15 MiB of that are the program's own
	// pages, which the runtime doesn't count, and as much is left for the moments in
	// which it goes beyond.
	memoryGoal = 224 << 20
	// memoryInterval is how often the limit is adjusted: a look costs microseconds, and
	// while it is too low the runtime takes half of the processor time at most.
	memoryInterval = time.Second
)

// governMemory keeps memory at memoryGoal as long as that is worth its processor time,
// until ctx is done. A GOMEMLIMIT in the environment is the operator's decision, and
// stands.
func governMemory(ctx context.Context, goal int64) error {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return nil
	}
	defer debug.SetMemoryLimit(math.MaxInt64)
	ticker := time.NewTicker(memoryInterval)
	defer ticker.Stop()
	for {
		debug.SetMemoryLimit(memoryLimit(goal, readMemory()))
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// memoryUse is what the runtime holds, in bytes.
type memoryUse struct {
	live  int64 // objects that the last collection found in use
	other int64 // all but the heap: stacks, the runtime's own
}

// memoryLimit returns the runtime's limit. A collection must free at least half of what
// is in use, so that the limit at most doubles the collector's work (by default it may be
// all of it). So a node with thousands of miners, of which each takes 12 kB, gets what
// it needs.
func memoryLimit(goal int64, m memoryUse) int64 { return max(goal, m.live+m.live/2+m.other) }

// The runtime's figures that readMemory asks for, in its order.
var memoryFigures = []string{
	"/gc/heap/live:bytes",
	"/memory/classes/total:bytes",
	// of which the heap is
	"/memory/classes/heap/objects:bytes",
	"/memory/classes/heap/unused:bytes",
	"/memory/classes/heap/free:bytes",
	"/memory/classes/heap/released:bytes",
}

func readMemory() memoryUse {
	samples := make([]metrics.Sample, len(memoryFigures))
	for i, name := range memoryFigures {
		samples[i].Name = name
	}
	metrics.Read(samples)
	value := func(i int) int64 { return int64(samples[i].Value.Uint64()) }
	m := memoryUse{live: value(0), other: value(1)}
	for i := 2; i < len(samples); i++ {
		m.other -= value(i)
	}
	return m
}
