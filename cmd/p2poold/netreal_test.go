package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/internal/lossynet"
)

const (
	// faultTimeVariable in the environment is how long TestRealSoak takes, as "1h", and
	// TestRealHeavyLoss, but not longer than longHeavyLoss. Without it, they are left out.
	faultTimeVariable = "P2POOL_FAULT_TIME"
	longHeavyLoss     = 20 * time.Minute
	// soakInterval is the time between the shares of the soak: short, so that all that is
	// limited soon reaches its limit, and so the memory.
	soakInterval = 250 * time.Millisecond
	// soakFilled is when most of it has: the 8,000 shares that netsync remembers as
	// announced take 33 minutes.
	soakFilled = 35 * time.Minute
	// maxSlope is how fast a node's memory may grow from then on, in MiB per hour, two
	// standard deviations of chance included, and slopeTime how long the soak must run for
	// that to be small enough.
	maxSlope  = 1.0
	slopeTime = 90 * time.Minute
	// soakBatch is the time of which one mean is taken: samples that follow each other
	// see the same buffers of LevelDB, of up to 2 MiB a node, and are not independent.
	soakBatch = 5 * time.Minute
)

// soakWindow is short enough for the nodes of the soak to forget shares after two
// minutes, and long enough that no cut leaves branches that they refuse.
var soakWindow = chainparams.WithWindow(100, 25, 400, 300)

// realNet returns hosts with the kernel's TCP, or simulated ones where there are none.
func realNet(t *testing.T, seed uint64) *lossynet.Network {
	t.Helper()
	net, err := lossynet.Namespaces(faultNodes, seed)
	if errors.Is(err, lossynet.ErrUnavailable) {
		t.Logf("with simulated TCP, as there is no other here: %v", err)
		net = lossynet.Simulated(faultNodes, seed)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	})
	return net
}

// TestRealFaults: nodes with the kernel's TCP, which loses packets, is late, and is cut.
func TestRealFaults(t *testing.T) {
	noLeaks(t)
	t.Run("all", func(t *testing.T) { // returns when all of them have
		for seed := range uint64(3) {
			t.Run(fmt.Sprint("30 % loss, seed ", seed), func(t *testing.T) {
				t.Parallel()
				realLinks(t, seed, lossynet.Link{Loss: 0.3, Delay: 25 * time.Millisecond})
			})
		}
		t.Run("500 ms delay", func(t *testing.T) {
			t.Parallel()
			realLinks(t, 1, lossynet.Link{Delay: 500 * time.Millisecond})
		})
		t.Run("partitions", func(t *testing.T) {
			t.Parallel()
			realPartitions(t, 20)
		})
	})
}

// realLinks has a pool with bad links agree again and again.
func realLinks(t *testing.T, seed uint64, link lossynet.Link) {
	net := realNet(t, seed)
	net.SetAll(link)
	p := newFaultPool(t, net, seed, 1, 2*time.Second)
	var took figures
	for range 5 {
		took = append(took, p.samePayouts(5*healed))
		p.pass(time.Second)
	}
	st := net.Stats()
	t.Logf("%d of %d packets lost; one tip and the same payouts at any time after %v", st.Lost, st.Lost+st.Passed, took)
	if len(p.found) == 0 || took.at(0.5) > healed { // five are too few for 95 %
		t.Errorf("%d shares; half of the times within %v, promised is %v", len(p.found), took.at(0.5), healed)
	}
}

// realPartitions cuts and heals a pool so many times.
func realPartitions(t *testing.T, n int) {
	p := newFaultPool(t, realNet(t, 1), 1, 1, 100*time.Millisecond)
	p.samePayouts(healed)
	took, split := p.cycles(n, span{100 * time.Millisecond, time.Second}, span{20 * time.Millisecond, 200 * time.Millisecond})
	t.Logf("%d cuts, %d of which left several tips; %d shares: one tip and the same payouts %v after the end of the cut",
		n, split, len(p.found), took)
	if split < n/3 {
		t.Errorf("only %d cuts left several tips", split)
	}
}

// faultTime returns how long a test shall take that is left out otherwise.
func faultTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(faultTimeVariable)
	if text == "" {
		t.Skipf("%s is not set", faultTimeVariable)
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return length
}

// TestRealHeavyLoss is TestVirtualHeavyLoss with the kernel's TCP.
func TestRealHeavyLoss(t *testing.T) {
	length := min(faultTime(t), longHeavyLoss)
	noLeaks(t)
	t.Run("run", func(t *testing.T) {
		net := realNet(t, 1)
		net.SetAll(lossynet.Link{Loss: 0.5, Delay: 25 * time.Millisecond})
		p := newFaultPool(t, net, 1, 2, shareInterval)
		heavyLinks(p, time.Now().Add(length))
	})
}

// TestRealSoak: nodes live with faults for as long as one likes. What they use stays the
// same, but for shares, of which they forget the old ones.
func TestRealSoak(t *testing.T) {
	length := faultTime(t)
	noLeaks(t)
	t.Run("run", func(t *testing.T) { realSoak(t, length) })
}

func realSoak(t *testing.T, length time.Duration) {
	net := realNet(t, 1)
	net.SetAll(goodLink)
	p := newFaultPool(t, net, 1, 2, soakInterval, soakWindow)
	var took figures
	var samples []sample
	start := time.Now()
	for time.Since(start) < length {
		for from := range p.nodes {
			for to := range p.nodes {
				p.net.Set(from, to, weather(p.rng))
			}
		}
		switch p.rng.IntN(8) {
		case 0, 1, 2, 3:
			p.cut()
		case 4:
			p.away(p.rng.IntN(len(p.nodes)), span{time.Second, 20 * time.Second}.draw(p.rng))
		}
		p.pass(span{time.Second, 30 * time.Second}.draw(p.rng))
		net.SetAll(goodLink)
		took = append(took, p.heal())
		p.await(3*healed, "all connections", p.connected)
		samples = append(samples, takeSample(time.Since(start)))
		p.found = nil // it is memory too
	}
	first, last := middle(samples[len(samples)/2:len(samples)*3/4]), middle(samples[len(samples)*3/4:])
	t.Logf("%v, %d faults, %d shares: one tip and the same payouts %v after them",
		time.Since(start).Round(time.Second), len(took), p.made, took)
	t.Logf("third and last quarter: heap %.1f and %.1f MiB; goroutines %d and %d; descriptors %d and %d",
		first.heap, last.heap, first.goroutines, last.goroutines, first.files, last.files)
	filled := slices.IndexFunc(samples, func(s sample) bool { return s.at >= soakFilled })
	if filled < 0 {
		filled = len(samples) / 2
	}
	slope, deviation := trend(batches(samples[filled:]))
	slope, deviation = slope/faultNodes, deviation/faultNodes
	t.Logf("from %v on the heap grows by %+.2f ± %.2f MiB an hour and node", samples[filled].at.Round(time.Second), slope, deviation)
	if length >= slopeTime && slope+2*deviation > maxSlope {
		t.Errorf("memory may grow by %.2f MiB an hour", slope+2*deviation)
	}
	if last.goroutines > first.goroutines+5 || last.files > first.files+5 {
		t.Error("goroutines or descriptors become more")
	}
}

// connected reports whether each node has the connections it should have: those it made
// and those made to it.
func (p *faultPool) connected() bool {
	for _, n := range p.nodes {
		if len(n.peers.Peers()) != 2*p.dials {
			return false
		}
	}
	return true
}

// sample is what the process uses at a moment.
type sample struct {
	at         time.Duration
	heap       float64 // MiB, of what is in use
	goroutines int
	files      int // descriptors; 0 where that is unknown
}

func takeSample(at time.Duration) sample {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd")
	return sample{at, float64(m.HeapAlloc) / (1 << 20), runtime.NumGoroutine(), len(files)}
}

// batches returns the means of the samples of each soakBatch.
func batches(list []sample) (means []sample) {
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].at-list[0].at < soakBatch {
			n++
		}
		means = append(means, middle(list[:n]))
		list = list[n:]
	}
	return means
}

// trend returns by how many MiB an hour the heap grows, by least squares, and the
// standard deviation of that.
func trend(list []sample) (slope, deviation float64) {
	m := middle(list)
	var tt, th, rr float64
	for _, s := range list {
		t := (s.at - m.at).Hours()
		tt += t * t
		th += t * (s.heap - m.heap)
	}
	slope = th / tt
	for _, s := range list {
		r := s.heap - m.heap - slope*(s.at-m.at).Hours()
		rr += r * r
	}
	return slope, math.Sqrt(rr / max(float64(len(list)-2), 1) / tt)
}

// middle returns the means of samples.
func middle(list []sample) (m sample) {
	for _, s := range list {
		m.at += s.at
		m.heap += s.heap
		m.goroutines += s.goroutines
		m.files += s.files
	}
	n := max(len(list), 1)
	return sample{m.at / time.Duration(n), m.heap / float64(n), m.goroutines / n, m.files / n}
}
