package main

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/internal/lossynet"
)

// What is promised of nodes on a network with faults.
const (
	// healed is how long after a cut has healed all nodes have one tip, and how long it
	// takes at 30 % loss each way, with a probability of 95 %.
	healed = time.Minute
	// heavyLoss is how long they may take at 50 %.
	heavyLoss = 5 * time.Minute
)

const (
	// daysVariable in the environment is the number of virtual days that TestVirtualDays
	// takes, each with another seed. Without it one of shortDay is enough.
	daysVariable = "P2POOL_DAYS"
	shortDay     = time.Hour
	// shareInterval is the time between shares, as on mainnet.
	shareInterval = 10 * time.Second
)

// goodLink is a link between continents.
var goodLink = lossynet.Link{Delay: 50 * time.Millisecond}

// virtual runs a test of a pool in virtual time. It fails if goroutines are left.
func virtual(t *testing.T, seed uint64, dials int, link lossynet.Link, f func(p *faultPool), opts ...chainparams.Option) {
	synctest.Test(t, func(t *testing.T) {
		// A closed database leaves a goroutine behind for a second.
		t.Cleanup(func() { time.Sleep(2 * time.Second) })
		net := lossynet.Simulated(faultNodes, seed)
		t.Cleanup(func() {
			if err := net.Close(); err != nil {
				t.Error(err)
			}
		})
		net.SetAll(link)
		f(newFaultPool(t, net, seed, dials, shareInterval, opts...))
	})
}

// TestVirtualPartitions: a network is cut a hundred times, for a second to an hour,
// while all nodes mine. With ten days and more it is that again, with other seeds.
func TestVirtualPartitions(t *testing.T) {
	var took figures
	var lasted time.Duration
	split := 0
	for seed := range max(1, number(t, daysVariable, 0)/10) {
		virtual(t, uint64(seed), 1, goodLink, func(p *faultPool) {
			start := time.Now()
			times, left := p.cycles(100, span{time.Second, time.Hour}, span{time.Second, 10 * time.Minute})
			took, split = append(took, times...), split+left
			lasted += time.Since(start)
		})
	}
	t.Logf("%d cuts in %v, %d of which left several tips: one tip and the same payouts %v after the end of the cut",
		len(took), lasted.Round(time.Minute), split, took)
	if split < len(took)/3 {
		t.Errorf("only %d cuts left several tips", split)
	}
}

// TestVirtualLinks: all links are bad, all the time.
func TestVirtualLinks(t *testing.T) {
	tests := []struct {
		name  string
		dials int
		link  lossynet.Link
		down  func(from, to int) bool
	}{
		{name: "30 % loss", dials: 1, link: lossynet.Link{Loss: 0.3, Delay: 50 * time.Millisecond}},
		{name: "500 ms delay", dials: 1, link: lossynet.Link{Delay: 500 * time.Millisecond}},
		{name: "one-way links", dials: 2, link: goodLink, down: func(from, to int) bool { return to == (from+2)%faultNodes }},
	}
	for seed, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			virtual(t, uint64(seed), test.dials, test.link, func(p *faultPool) {
				if test.down != nil {
					p.net.Down(test.down)
				}
				var took figures
				for range 100 {
					p.pass(span{time.Second, 5 * time.Minute}.draw(p.rng))
					took = append(took, p.samePayouts(10*healed))
				}
				p.Logf("one tip and the same payouts at any time after %v", took)
				if took.at(0.95) > healed {
					p.Errorf("95 %% within %v, promised is %v", took.at(0.95), healed)
				}
			})
		})
	}
}

// TestVirtualHeavyLoss: at 50 % loss each way three of four round trips fail, and a
// share takes longer than the next one to be found. Still the nodes build one chain.
func TestVirtualHeavyLoss(t *testing.T) {
	const seed = 1
	virtual(t, seed, 2, lossynet.Link{Loss: 0.5, Delay: 50 * time.Millisecond}, func(p *faultPool) {
		heavyLinks(p, time.Now().Add(time.Hour))
	})
}

// heavyLinks has a pool with very bad links go on until a time.
func heavyLinks(p *faultPool, end time.Time) {
	p.Helper()
	var chain figures
	for time.Now().Before(end) {
		start := time.Now()
		chain = append(chain, p.await(2*heavyLoss, "one chain", func() bool { return p.oneChain(start) }))
	}
	tip := p.calm(heavyLoss)
	st := p.net.Stats()
	p.Logf("%d of %d packets lost; a new share on the main chain of all %v after any of %d times; one tip %.1f s after shares cease",
		st.Lost, st.Lost+st.Passed, chain, len(chain), tip.Seconds())
	if chain.at(0.95) > heavyLoss {
		p.Errorf("95 %% within %v, promised is %v", chain.at(0.95), heavyLoss)
	}
}

// TestVirtualDays: days of changing links, cuts, and nodes that stop and return.
func TestVirtualDays(t *testing.T) {
	length, days := 24*time.Hour, number(t, daysVariable, 0)
	if days == 0 {
		length, days = shortDay, 1
	}
	var took figures
	shares := 0
	for seed := range days {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			virtual(t, uint64(seed), 1+seed%2, goodLink, func(p *faultPool) {
				took = append(took, p.day(length)...)
				shares += len(p.found)
			})
		})
	}
	t.Logf("%d times %v, %d shares, %d faults: one tip and the same payouts %v after them", days, length, shares, len(took), took)
}

// day lets things happen for so long. It returns how long the nodes took to agree after
// each of them.
func (p *faultPool) day(length time.Duration) (took figures) {
	p.Helper()
	few, many := span{time.Second, 10 * time.Minute}, span{time.Second, time.Hour}
	for end := time.Now().Add(length); time.Now().Before(end); {
		for from := range p.nodes {
			for to := range p.nodes {
				p.net.Set(from, to, weather(p.rng))
			}
		}
		switch p.rng.IntN(5) {
		case 0, 1:
			p.cut()
			p.pass(many.draw(p.rng))
		case 2:
			p.away(p.rng.IntN(len(p.nodes)), few.draw(p.rng))
		}
		p.pass(few.draw(p.rng))
		p.net.SetAll(goodLink)
		took = append(took, p.heal())
		p.pass(few.draw(p.rng))
	}
	return took
}

// weather draws a link: half of them good, the others with up to 40 % loss and 500 ms
// delay.
func weather(rng *rand.Rand) lossynet.Link {
	l := goodLink
	if rng.IntN(2) == 0 {
		l = lossynet.Link{Loss: 0.4 * rng.Float64(), Delay: time.Duration(rng.IntN(500)) * time.Millisecond}
	}
	return l
}
