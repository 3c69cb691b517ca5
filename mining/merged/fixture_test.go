package merged

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/mining"
	"github.com/p2poold/p2poold/mining/mergedtest"
)

// easyBits is met by every second hash, hardBits by none that a test finds.
const (
	easyBits = 0x207fffff
	hardBits = 0x1d00ffff
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// fastTiming makes everything happen within milliseconds, but refreshes.
func fastTiming() timing {
	return timing{
		poll: 2 * time.Millisecond, backoff: 10 * time.Millisecond, refresh: time.Hour,
		patience: 20 * time.Millisecond, call: 300 * time.Millisecond, gap: time.Millisecond,
		retry: time.Millisecond, grace: time.Second, remind: time.Minute, repeat: time.Minute,
	}
}

// bench is a Manager that runs.
type bench struct {
	*testing.T
	*Manager
	stop func()
}

// run starts a Manager for nodes at these addresses.
func run(t *testing.T, tm timing, urls ...string) *bench {
	t.Helper()
	var nodes []*Endpoint
	for _, text := range urls {
		e, err := ParseURL(text)
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, e)
	}
	m, err := newManager(Config{Nodes: nodes}, tm)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := m.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	b := &bench{T: t, Manager: m, stop: func() { cancel(); <-done }}
	t.Cleanup(b.stop)
	return b
}

// until waits for a condition.
func (b *bench) until(what string, condition func() bool) {
	b.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("still not: %s; %+v", what, b.Status())
		}
	}
}

// work waits until the current work has these blocks in its tree, and returns it.
func (b *bench) work(nodes ...*mergedtest.Node) *mining.AuxWork {
	b.Helper()
	var w *mining.AuxWork
	b.until(fmt.Sprintf("%d blocks in the tree", len(nodes)), func() bool {
		w = b.Current()
		n := 0
		for _, s := range b.Status() {
			if s.Hash != "" {
				n++
			}
		}
		if w == nil || n != len(nodes) {
			return false
		}
		for _, node := range nodes {
			if !slices.ContainsFunc(b.Status(), func(s Status) bool { return s.Hash == node.Current().String() }) {
				return false
			}
		}
		return w.Commitment == b.build().Commitment
	})
	return w
}

// solve returns a Bitcoin header that commits to the work and has a hash that meets
// goal.
func solve(t *testing.T, w *mining.AuxWork, goal uint32) *mining.AuxSolution {
	t.Helper()
	data := share.Data{BitcoinHeight: 900_000, Payee: make([]byte, 22), MergedMining: w.Commitment[:], Tag: []byte("abcd")}
	b := data.AppendCoinbasePrefix(nil, 1, []share.Payout{{Script: []byte{0x51}, Amount: 2}})
	b = append(b, make([]byte, 32+share.ExtranonceSize)...)
	b = binary.LittleEndian.AppendUint32(b, data.LockTime())
	s := &mining.AuxSolution{Coinbase: b, Branch: []chainhash.Hash{{1}, {2}, {3}}, Worker: "rig"}
	s.Header = wire.BlockHeader{
		Version: 0x20000000, Timestamp: time.Unix(1_700_000_000, 0), Bits: goal,
		MerkleRoot: share.MerkleRoot(chainhash.DoubleHashH(b), s.Branch),
	}
	bound, err := target.FromCompact(goal)
	if err != nil {
		t.Fatal(err)
	}
	for ; ; s.Header.Nonce++ {
		if s.Hash = s.Header.BlockHash(); target.HashMeets(&s.Hash, &bound) {
			return s
		}
	}
}
