package stratum

import (
	"errors"
	"math/rand/v2"
	"sync"
)

// The extranonce is split as all known clients can take it: four bytes of ours,
// eight of the miner's (cgminer and Whatsminer fail above eight, Avalon below
// three, NiceHash below four).
const (
	extranonce1Size = 4
	extranonce2Size = 8
)

var errNoExtranonce = errors.New("no extranonce left")

// allocator hands out extranonce1 values, each to one connection or parked session: two
// miners paid to one address never search the same headers. It starts at a
// random value so that a miner with connections to two nodes is unlikely to get
// the same one twice. Safe for concurrent use.
type allocator struct {
	mu   sync.Mutex
	next uint32
	live map[uint32]struct{} // of connections and parked sessions: bounded by the limits of both
}

func newAllocator() *allocator {
	return &allocator{next: rand.Uint32(), live: make(map[uint32]struct{})}
}

// take returns a value that no live connection has.
func (a *allocator) take() (uint32, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range len(a.live) + 1 {
		value := a.next
		a.next++
		if _, taken := a.live[value]; !taken {
			a.live[value] = struct{}{}
			return value, nil
		}
	}
	return 0, errNoExtranonce // 2³² connections: unreachable
}

// release frees a value whose connection is gone.
func (a *allocator) release(value uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.live, value)
}
