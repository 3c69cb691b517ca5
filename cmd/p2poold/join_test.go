package main

import (
	"testing"
	"time"

	"github.com/p2poold/p2poold/blockchain/chainparams"
)

// Lengths in shares for the tests of this file.
const (
	joinWindow    = 120
	joinRetention = 300
)

// shortWindow makes nodes prune after joinRetention shares.
var shortWindow = chainparams.WithWindow(joinWindow, joinWindow/4, joinRetention, 60)

// TestJoinFromTheMiddle: nodes join a pool whose nodes have all forgotten its first
// shares, one from the other, restart, and mine. All of them always agree on tip,
// scores and payouts.
func TestJoinFromTheMiddle(t *testing.T) {
	noLeaks(t)
	net := newJoinNet(t, 40, shortWindow)
	old := net.start(t.TempDir())
	old.mine(2 * joinRetention)
	if stats, base := old.chain.Stats(), old.store.Base(); stats.Main != joinRetention || base == 0 {
		t.Fatalf("%d shares from height %d on", stats.Main, base)
	}

	second := net.start(t.TempDir(), old.addr())
	net.agree(old, second)
	if got := second.chain.Stats().Main; got <= joinWindow || got >= joinRetention {
		t.Errorf("the newcomer has %d shares, its window has %d and the other %d", got, joinWindow, joinRetention)
	}
	for range 3 {
		second.mine(4)
		net.agree(old, second)
		old.mine(4)
		net.agree(old, second)
	}

	third := net.start(t.TempDir(), second.addr())
	net.agree(old, second, third)
	third.mine(25)
	net.agree(old, second, third)

	// What is stored of a chain without its beginning is enough to go on from.
	second = second.restart(old.addr())
	third = third.restart(second.addr())
	net.agree(old, second, third)
	third.mine(5)
	net.agree(old, second, third)

	// They all prune what they joined with.
	old.mine(joinRetention)
	net.agree(old, second, third)
	for i, n := range []*joinNode{old, second, third} {
		if got := n.chain.Stats().Main; got != joinRetention {
			t.Errorf("node %d keeps %d shares, want %d", i, got, joinRetention)
		}
	}
	third = third.restart(second.addr())
	net.agree(old, second, third)
}

// TestJoinYoungPool: from a node that has pruned nothing a newcomer gets the chain from
// the first share on.
func TestJoinYoungPool(t *testing.T) {
	noLeaks(t)
	net := newJoinNet(t, 40, shortWindow)
	old := net.start(t.TempDir())
	for _, shares := range []int{1, 1, 10, joinWindow, 40} {
		old.mine(shares)
		newcomer := net.start(t.TempDir(), old.addr())
		net.agree(old, newcomer)
		if a, b := old.chain.Stats(), newcomer.chain.Stats(); a.Main != b.Main || a.Uncles != b.Uncles {
			t.Errorf("the newcomer has %+v, the other %+v", b, a)
		}
		newcomer.mine(1)
		net.agree(old, newcomer)
		newcomer.stop()
	}
}

// TestReturnAfterPruning: a node that was away so long that the others have pruned all
// that it has joins anew, without help, and after a restart it is one of them.
func TestReturnAfterPruning(t *testing.T) {
	noLeaks(t)
	net := newJoinNet(t, 40, shortWindow)
	old := net.start(t.TempDir())
	old.mine(joinRetention + 50)
	lost := net.start(t.TempDir(), old.addr())
	net.agree(old, lost)
	tip := lost.chain.Tip()

	lost.stop()
	net.now.Add(int64(5 * 24 * time.Hour / time.Second))
	old.mine(2 * joinRetention)
	if old.chain.Have(tip.ID) {
		t.Fatal("the tip of the node that was away is not pruned")
	}
	lost = net.start(lost.dir, old.addr())
	net.agree(old, lost)
	lost.mine(5)
	net.agree(old, lost)
	lost = lost.restart(old.addr())
	net.agree(old, lost)
	old.mine(joinRetention)
	net.agree(old, lost)

	// Others can join from it.
	newcomer := net.start(t.TempDir(), lost.addr())
	net.agree(old, lost, newcomer)
}

// TestShortAbsence: a node that was away for less than the others keep catches up
// with what it has.
func TestShortAbsence(t *testing.T) {
	noLeaks(t)
	net := newJoinNet(t, 40, shortWindow)
	old := net.start(t.TempDir())
	old.mine(2 * joinRetention)
	other := net.start(t.TempDir(), old.addr())
	net.agree(old, other)
	lowest := other.chain.Stats().Main
	other.stop()
	old.mine(50)
	other = net.start(other.dir, old.addr())
	net.agree(old, other)
	if got := other.chain.Stats().Main; got != min(lowest+50, joinRetention) {
		t.Errorf("%d shares, %d before and 50 new ones", got, lowest)
	}
}
