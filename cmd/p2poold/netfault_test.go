package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/internal/lossynet"
	"github.com/p2poold/p2poold/p2p"
)

// faultNodes is the number of nodes in the tests of a network with faults.
const faultNodes = 5

// faultPool is a pool of nodes on a network with faults, and its miners: shares are
// found at random times by random nodes. Choices depend on the seed; what goroutines
// and packets make of them does not.
type faultPool struct {
	*joinNet
	net      *lossynet.Network
	rng      *rand.Rand
	dials    int // of each node
	nodes    []*joinNode
	absent   *joinNode     // one that is stopped, nil: none
	interval time.Duration // between shares, on average
	next     time.Time     // when the next share is found
	found    []foundShare
}

// foundShare is a share and when it was found.
type foundShare struct {
	id chainhash.Hash
	at time.Time
}

// newFaultPool starts nodes of which each dials so many others, in a circle.
func newFaultPool(t *testing.T, net *lossynet.Network, seed uint64, dials int, interval time.Duration, opts ...chainparams.Option) *faultPool {
	t.Helper()
	p := &faultPool{
		joinNet: newJoinNet(t, 40, opts...), net: net, rng: rand.New(rand.NewPCG(seed, 2)),
		dials: dials, interval: interval, nodes: make([]*joinNode, net.Len()),
	}
	for i := range p.nodes {
		p.run(i, t.TempDir())
	}
	p.plan()
	return p
}

// run starts a node on its host.
func (p *faultPool) run(i int, dir string) {
	p.Helper()
	host := p.net.Host(i)
	addr := func(i int) string { return fmt.Sprintf("%v:9333", p.net.Host(i%p.net.Len()).Addr()) }
	p.nodes[i] = p.startWith(dir, func(_ *joinNode, cfg *p2p.Config) {
		cfg.Listen, cfg.NetListen, cfg.Dial = []string{addr(i)}, host.Listen, host.Dial
		for j := range p.dials {
			cfg.AddNode = append(cfg.AddNode, addr(i+1+j))
		}
	})
}

// away stops a node, lets the others go on for some time, and starts it again.
func (p *faultPool) away(i int, d time.Duration) {
	p.Helper()
	n := p.nodes[i]
	n.stop()
	p.absent = n
	p.pass(d)
	p.absent = nil
	p.run(i, n.dir)
}

// plan draws when the next share is found.
func (p *faultPool) plan() {
	p.next = time.Now().Add(time.Duration(p.rng.ExpFloat64() * float64(p.interval)))
}

// pass lets time pass, while shares are found.
func (p *faultPool) pass(d time.Duration) {
	p.Helper()
	for end := time.Now().Add(d); ; {
		if p.next.After(end) {
			time.Sleep(time.Until(end))
			return
		}
		time.Sleep(time.Until(p.next))
		n := p.nodes[p.rng.IntN(len(p.nodes))]
		if n == p.absent {
			n = p.nodes[(slices.Index(p.nodes, n)+1)%len(p.nodes)]
		}
		for _, s := range p.joinNet.next(n.chain) {
			if err := n.chain.Accept(s); err != nil {
				p.Fatalf("share at height %d: %v", s.Data.Height, err)
			}
			p.found = append(p.found, foundShare{s.ID(), time.Now()})
		}
		p.plan()
	}
}

// await lets time pass until a condition holds, and returns how long that took.
func (p *faultPool) await(limit time.Duration, what string, ok func() bool) time.Duration {
	p.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > limit {
			p.Errorf("not within %v: %s%s", limit, what, p.state())
			break
		}
		p.pass(20 * time.Millisecond)
	}
	return time.Since(start)
}

// state returns what there is to see of the nodes.
func (p *faultPool) state() (text string) {
	for i, n := range p.nodes {
		tip := n.chain.Tip()
		text += fmt.Sprintf("\nnode %d: height %d, work %v, tip %v; peers", i, tip.Height, tip.Work, tip.ID)
		for _, q := range n.peers.Peers() {
			text += fmt.Sprintf(" %s since %v", q.Addr, time.Since(q.Connected).Round(time.Second))
		}
	}
	if n := len(p.found); n > 0 {
		text += fmt.Sprintf("\nthe last share was found %v ago", time.Since(p.found[n-1].at))
	}
	return text
}

// oneTip reports whether all nodes have the same tip.
func (p *faultPool) oneTip() bool {
	for _, n := range p.nodes[1:] {
		if n.chain.Tip().ID != p.nodes[0].chain.Tip().ID {
			return false
		}
	}
	return true
}

// oneChain reports whether a share that was found since is on the main chain of all
// nodes: below it they agree for good.
func (p *faultPool) oneChain(since time.Time) bool {
	for _, s := range slices.Backward(p.found) {
		if s.at.Before(since) {
			break
		}
		if !slices.ContainsFunc(p.nodes, func(n *joinNode) bool {
			info, ok := n.chain.Info(s.id)
			return !ok || !info.OnMainChain
		}) {
			return true
		}
	}
	return false
}

// samePayouts waits until all nodes have one tip, and compares what they would pay.
func (p *faultPool) samePayouts(limit time.Duration) time.Duration {
	p.Helper()
	return p.await(limit, "one tip", p.samePay)
}

// samePay reports whether all nodes have one tip, and compares what they would pay.
func (p *faultPool) samePay() bool {
	p.Helper()
	if !p.oneTip() {
		return false
	}
	want := p.nodes[0].owed()
	for i, n := range p.nodes[1:] {
		switch got := n.owed(); {
		case got.tip.ID != want.tip.ID: // a share came in between
			return false
		case !bytes.Equal(got.scores, want.scores) || !bytes.Equal(got.payouts, want.payouts):
			p.Errorf("node %d has other scores or payouts than node 0 at height %d", i+1, want.tip.Height)
		}
	}
	return true
}

// heal waits until all nodes have one tip after a fault, as promised. Where branches
// are level it takes a share to decide, and now and then none is found for a minute:
// that time doesn't count, up to a limit.
func (p *faultPool) heal() time.Duration {
	p.Helper()
	start := time.Now()
	for since := start; !p.samePay(); p.pass(20 * time.Millisecond) {
		if p.level() {
			since = time.Now()
		}
		if time.Since(since) > healed || time.Since(start) > 3*healed {
			p.Fatalf("not within %v: one tip%s", healed, p.state())
		}
	}
	return time.Since(start)
}

// level reports whether the tips of all nodes have the same work.
func (p *faultPool) level() bool {
	for _, n := range p.nodes[1:] {
		if n.chain.Tip().Work != p.nodes[0].chain.Tip().Work {
			return false
		}
	}
	return true
}

// calm lets shares be found so rarely that none comes between, and waits for one tip
// and the payouts that follow from it. Where two branches are level a share decides.
func (p *faultPool) calm(limit time.Duration) time.Duration {
	p.Helper()
	defer func(before time.Duration) { p.interval = before; p.plan() }(p.interval)
	p.interval = limit / 3
	p.plan()
	return p.samePayouts(limit)
}

// cut takes links down at random: one or two nodes are cut off from the others, in
// both directions or, one time in four, in one only.
func (p *faultPool) cut() {
	side := make([]bool, len(p.nodes))
	side[p.rng.IntN(len(side))] = true
	if p.rng.IntN(2) == 0 {
		side[p.rng.IntN(len(side))] = true
	}
	oneWay := p.rng.IntN(4) == 0
	p.net.Down(func(from, to int) bool { return side[from] != side[to] && (!oneWay || side[from]) })
}

// span is a range of times, from which each order of magnitude is as likely.
type span struct{ least, most time.Duration }

func (s span) draw(rng *rand.Rand) time.Duration {
	return time.Duration(float64(s.least) * math.Pow(float64(s.most)/float64(s.least), rng.Float64()))
}

// cycles cuts the network and heals it so many times. It returns how long it took until
// all nodes had one tip, and the payouts that follow from it, and how many of the cuts
// had left several tips.
func (p *faultPool) cycles(n int, cut, rest span) (took figures, split int) {
	p.Helper()
	for range n {
		p.cut()
		p.pass(cut.draw(p.rng))
		if !p.oneTip() {
			split++
		}
		p.net.Heal()
		took = append(took, p.heal())
		p.pass(rest.draw(p.rng))
	}
	return took, split
}

// figures are times, of which tests print a few.
type figures []time.Duration

// at returns the time that a part of them does not exceed.
func (f figures) at(part float64) time.Duration {
	slices.Sort(f)
	return f[max(int(math.Ceil(part*float64(len(f))))-1, 0)]
}

// String returns what is printed.
func (f figures) String() string {
	return fmt.Sprintf("median %.1f s, p95 %.1f s, longest %.1f s", f.at(0.5).Seconds(), f.at(0.95).Seconds(), f.at(1).Seconds())
}

// number returns a number from the environment.
func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%s is not a number", variable, text)
	}
	return n
}
